package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// bare answers what /healthz answers, as plainly as net/http allows.
func bare(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, "ok")
}

// BenchmarkBareHandler is the floor of BenchmarkHealthz.
func BenchmarkBareHandler(b *testing.B) { benchmark(b, http.HandlerFunc(bare)) }

func BenchmarkHealthz(b *testing.B) {
	s := New(Options{})
	s.Publish(healthy())
	benchmark(b, s.Handler())
}

// benchmark measures the handler by itself, and a whole request over one
// kept connection, client included.
func benchmark(b *testing.B, handler http.Handler) {
	b.Run("call", func(b *testing.B) {
		request := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		w := discard{}
		b.ReportAllocs()
		for b.Loop() {
			clear(w)
			handler.ServeHTTP(w, request)
		}
	})
	b.Run("request", func(b *testing.B) {
		service := httptest.NewServer(handler)
		defer service.Close()
		connection, err := net.Dial("tcp", service.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer connection.Close()
		reader := bufio.NewReader(connection)
		b.ReportAllocs()
		for b.Loop() {
			if err := ask(connection, reader); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// ask makes one request without the allocations of http.Client, which would
// hide those of the server.
func ask(connection io.Writer, reader *bufio.Reader) error {
	if _, err := io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: lifeline\r\n\r\n"); err != nil {
		return err
	}
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			_, err := reader.Discard(len("ok"))
			return err
		}
	}
}

// discard is a ResponseWriter to nowhere.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkPublish(b *testing.B) {
	s := New(Options{})
	report := healthy()
	b.ReportAllocs()
	for b.Loop() {
		s.Publish(report)
	}
}

// BenchmarkRender is what the first request after a round costs more than the
// next ones.
func BenchmarkRender(b *testing.B) {
	report, clock := failing(), newClock()
	past := newHistory(clock.now, 15*time.Second)
	for range 5760 / 20 {
		lived(past, clock, "..........ff...wwww.")
	}
	now := clock.now
	for name, render := range map[string]func(){
		"json": func() { JSON(report) },
		"text": func() { textStatus(report, "") },
		"html": func() {
			page{report: report, history: past.view(now), now: now, period: 15 * time.Second}.answer()
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				render()
			}
		})
	}
}

func BenchmarkMetrics(b *testing.B) {
	s := New(Options{})
	s.Publish(failing())
	handler, request := s.Handler(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	w := discard{}
	b.ReportAllocs()
	for b.Loop() {
		clear(w)
		handler.ServeHTTP(w, request)
	}
}
