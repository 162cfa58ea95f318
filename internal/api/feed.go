package api

import (
	"context"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/internal/registry"
)

// feed reads the log once for all streams that stand at the same place: a change wakes each of them.
type feed struct {
	read func(ctx context.Context, number int64, hash []byte) (feedPage, error)

	mu   sync.Mutex
	last *feedRead
}

// feedPage is what the log has behind a place, and the place behind that.
type feedPage struct {
	frame  []byte // as it is sent
	number int64
	hash   []byte
	more   bool // at once
}

// feedRead is a reading of what is behind a place. It is good as long as added is open, which it was before the reading
// began: whatever came since has closed it.
type feedRead struct {
	added  <-chan struct{}
	number int64
	hash   string
	at     time.Time
	page   func() (feedPage, error)
}

// feedFresh is for how long a reading may be shared. The log may become another without an entry that says so.
const feedFresh = changesBeat / 4

// page returns what is behind a place. added is the caller's, of Store.WatchAll, and was asked for before.
func (f *feed) page(ctx context.Context, added <-chan struct{}, number int64, hash []byte) (feedPage, error) {
	f.mu.Lock()
	r := f.last
	if r == nil || r.added != added || r.number != number || r.hash != string(hash) || time.Since(r.at) > feedFresh {
		r = &feedRead{added, number, string(hash), time.Now(), sync.OnceValues(func() (feedPage, error) {
			return f.read(context.WithoutCancel(ctx), number, hash) // for others too
		})}
		f.last = r
	}
	f.mu.Unlock()
	page, err := r.page()
	if err != nil { // who asks next may be luckier
		f.mu.Lock()
		if f.last == r {
			f.last = nil
		}
		f.mu.Unlock()
	}
	return page, err
}

// readFeed reads a page of the log. Who may follow it is up to whoever passes it on.
func (a *API) readFeed(ctx context.Context, number int64, hash []byte) (feedPage, error) {
	events, err := a.Registry.ChangesAfter(ctx, registry.Operator(), number, hash, changesTogether)
	if err != nil {
		return feedPage{}, err
	}
	m := changesOf(number, hash, events)
	return feedPage{frame: changesFrame(m), number: m.Number, hash: m.Hash, more: len(events) == changesTogether}, nil
}
