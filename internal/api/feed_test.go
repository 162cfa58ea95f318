package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Streams at one place read the log once for each change, and one that asks after a further change reads it anew.
func TestFeedReadsOnce(t *testing.T) {
	var reads atomic.Int64
	fails := errors.New("the database is away")
	var broken atomic.Bool
	f := feed{read: func(_ context.Context, number int64, _ []byte) (feedPage, error) {
		reads.Add(1)
		time.Sleep(10 * time.Millisecond) // others come meanwhile
		if broken.Load() {
			return feedPage{}, fails
		}
		return feedPage{Changes: counterfoil.Changes{Number: number + 1}}, nil
	}}
	all := func(added <-chan struct{}, number int64, hash string, want error) (n int64) {
		before := reads.Load()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				page, err := f.page(t.Context(), added, number, []byte(hash))
				if !errors.Is(err, want) || err == nil && page.Number != number+1 {
					t.Errorf("%+v, %v", page, err)
				}
			})
		}
		group.Wait()
		return reads.Load() - before
	}
	one, two := make(chan struct{}), make(chan struct{})
	if n := all(one, 7, "h", nil); n != 1 {
		t.Errorf("%d readings for one change", n)
	}
	for what, n := range map[string]int64{"a further change": all(two, 7, "h", nil), "another place": all(two, 8, "h", nil), "another hash": all(two, 8, "i", nil)} {
		if n != 1 {
			t.Errorf("%s: %d readings", what, n)
		}
	}
	f.last.at = time.Now().Add(-feedFresh - time.Millisecond)
	if n := all(two, 8, "i", nil); n != 1 {
		t.Errorf("%d readings after a while", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.page(gone, one, 10, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("one whose client has gone waits for the reading: %v", err)
	}
	damaged := feed{read: func(context.Context, int64, []byte) (feedPage, error) { panic("a damaged row") }}
	if _, err := damaged.page(t.Context(), one, 11, nil); err == nil || !strings.Contains(err.Error(), "a damaged row") {
		t.Errorf("of a panic it says %v", err)
	}
	broken.Store(true)
	all(one, 9, "h", fails)
	broken.Store(false)
	if n := all(one, 9, "h", nil); n != 1 {
		t.Errorf("%d readings where the one before failed", n)
	}
}

// A stream that is catching up ends when the server drains, and with its client.
func TestStreamsEnd(t *testing.T) {
	for _, more := range []bool{true, false} {
		for name, end := range map[string]func(*API, context.CancelFunc){"draining": func(a *API, _ context.CancelFunc) { a.Drain() }, "the client goes": func(_ *API, gone context.CancelFunc) { gone() }} {
			a := &API{draining: make(chan struct{})}
			ctx, gone := context.WithCancel(t.Context())
			defer gone()
			c := &call{API: a, r: httptest.NewRequestWithContext(ctx, "GET", "/", nil)}
			added := make(chan struct{})
			close(added)
			if quiet, on := c.pause(more, added, time.Minute); quiet || !on {
				t.Errorf("more %v: %v, %v", more, quiet, on)
			}
			end(a, gone)
			if _, on := c.pause(more, added, time.Minute); on {
				t.Errorf("%s, more %v: it goes on", name, more)
			}
		}
	}
	c := &call{API: &API{draining: make(chan struct{})}, r: httptest.NewRequest("GET", "/", nil)}
	if quiet, on := c.pause(false, nil, 0); !quiet || !on {
		t.Errorf("after a while without anything: %v, %v", quiet, on)
	}
}

// Why a stream ends is in the log, where its last message says that it is.
func TestLastFailureIsLogged(t *testing.T) {
	var log strings.Builder
	h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{API: &API{}, w: w, r: r}
		c.sendLast(errors.New("the disk is on fire"))
	}), web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Body.String(); !strings.HasPrefix(got, "event: problem\n") || strings.Contains(got, "fire") || !strings.Contains(log.String(), "the disk is on fire") {
		t.Errorf("it says %q, the log %q", got, log.String())
	}
}
