package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// build is what a binary was made of.
type build struct {
	Version  string
	Revision string
}

// version is set by the linker in a release; see the Dockerfile.
var version string

// currentBuild tells what this binary was made of.
func currentBuild() build {
	build := build{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			build.Revision = setting.Value
		}
	}
	if build.Version == "" {
		build.Version = info.Main.Version
	}
	if build.Version == "" || build.Version == "(devel)" {
		build.Version = "devel"
	}
	return build
}

func runVersion(_ context.Context, arguments []string, p program) int {
	if len(arguments) == 1 && isHelp(arguments[0]) {
		fmt.Fprint(p.out, versionHelp)
		return exitHealthy
	}
	if len(arguments) > 0 {
		fmt.Fprintln(p.err, "lifeline version: takes no arguments")
		return exitUsage
	}
	build := currentBuild()
	fmt.Fprintf(p.out, "lifeline %s (%s)\n", build.Version, runtime.Version())
	return exitHealthy
}
