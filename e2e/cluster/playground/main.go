//go:build linux

// Command playground keeps a Kubernetes cluster with Lifeline in it, to look at.
//
//	playground up      starts it in the background and says how to look
//	playground down    ends it and removes all that is left of it
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

func main() {
	ctx, stop := cluster.NotifyContext(context.Background())
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	p := place{folder: filepath.Join(cache, "lifeline", "playground"), out: os.Stdout}
	switch strings.Join(arguments, " ") {
	case "up":
		return up(ctx, p)
	case "down":
		return down(ctx, p)
	case "hold":
		return hold(ctx, p)
	default:
		return errors.New("usage: playground up | down")
	}
}
