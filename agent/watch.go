package main

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"
)

// settle is how long a directory must rest until a change in it is told:
// kubelet makes several steps of one update.
const settle = 100 * time.Millisecond

// watch tells of changes in a directory until ctx ends. The directory may come
// and go; it is looked for anew at every interval. Where the system cannot
// watch, nothing is told and the rounds alone notice.
func watch(ctx context.Context, log zerolog.Logger, directory string, interval time.Duration, changed chan<- struct{}) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Info().Err(err).Msg("changes of the service-account files are noticed at the next round only")
		<-ctx.Done()
		return
	}
	defer watcher.Close()
	again := time.NewTicker(interval)
	defer again.Stop()
	rested := time.NewTimer(settle)
	rested.Stop()
	for {
		// A directory that is watched already stays so.
		_ = watcher.Add(directory)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-watcher.Events:
			rested.Reset(settle)
		case err := <-watcher.Errors:
			log.Debug().Err(err).Msg("watching the service-account files")
		case <-rested.C:
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
}
