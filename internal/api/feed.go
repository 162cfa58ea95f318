package api

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
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
	counterfoil.Changes
	frame []byte // as it is sent
	more  bool   // at once
}

// tells reports whether a page says something of a token.
func (p *feedPage) tells(token string) bool {
	return slices.Contains(p.Changes.Changes, counterfoil.Change{Scope: counterfoil.ScopeToken, ID: token})
}

// feedRead is a reading of what is behind a place. It is good as long as added is open, which it was before the reading
// began: whatever came since has closed it.
type feedRead struct {
	added  <-chan struct{}
	number int64
	hash   string
	at     time.Time
	done   chan struct{} // closed when the rest is there
	page   feedPage
	err    error
}

// feedFresh is for how long a reading may be shared. The log may become another without an entry that says so.
const feedFresh = changesBeat / 4

// page returns what is behind a place. added is the caller's, of Store.WatchAll, and was asked for before.
func (f *feed) page(ctx context.Context, added <-chan struct{}, number int64, hash []byte) (feedPage, error) {
	f.mu.Lock()
	r := f.last
	if r == nil || r.added != added || r.number != number || r.hash != string(hash) || time.Since(r.at) > feedFresh {
		r = &feedRead{added: added, number: number, hash: string(hash), at: time.Now(), done: make(chan struct{})}
		f.last = r
		go f.fill(context.WithoutCancel(ctx), r) // for others too
	}
	f.mu.Unlock()
	select {
	case <-r.done:
		return r.page, r.err
	case <-ctx.Done():
		return feedPage{}, ctx.Err()
	}
}

func (f *feed) fill(ctx context.Context, r *feedRead) {
	defer close(r.done)
	r.page, r.err = f.guarded(ctx, r.number, []byte(r.hash))
	if r.err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == r { // who asks next may be luckier
		f.last = nil
	}
}

// guarded is read, of which a panic is an error: each stream ends with it, and not the process.
func (f *feed) guarded(ctx context.Context, number int64, hash []byte) (page feedPage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a reading of the log: %v\n%s", p, debug.Stack())
		}
	}()
	return f.read(ctx, number, hash)
}

// readFeed reads a page of the log. Who may follow it is up to whoever passes it on.
func (a *API) readFeed(ctx context.Context, number int64, hash []byte) (feedPage, error) {
	events, err := a.Registry.ChangesAfter(ctx, registry.Operator(), number, hash, changesTogether)
	if err != nil {
		return feedPage{}, err
	}
	m := changesOf(number, hash, events)
	return feedPage{Changes: m, frame: changesFrame(m), more: len(events) == changesTogether}, nil
}
