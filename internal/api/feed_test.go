package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
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
	broken.Store(true)
	all(one, 9, "h", fails)
	broken.Store(false)
	if n := all(one, 9, "h", nil); n != 1 {
		t.Errorf("%d readings where the one before failed", n)
	}
}
