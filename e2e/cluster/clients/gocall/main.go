// Command gocall asks the Kubernetes API for /api once, with the official Go
// client as it is configured in a pod. It prints the body and, in a line of its
// own, the status of the answer, or else fails with the client's error. Its
// argument is how long it waits, a duration such as 5s.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

func main() {
	if err := call(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s DURATION", os.Args[0])
	}
	limit, err := time.ParseDuration(os.Args[1])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	// The answer is not decoded, so that no kind need be known.
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return err
	}
	var status int
	body, err := client.Get().AbsPath("/api").Do(ctx).StatusCode(&status).Raw()
	if status == 0 {
		return err
	}
	fmt.Printf("%s\n%d\n", body, status)
	return nil
}
