// Package export pushes each organization's log to the collector that it names. It follows the log from a cursor that is kept in
// the database and moves only when the collector has said that it has what lies before: what breaks off is sent again, and
// nothing is left out. It refuses to hold anything up: an organization whose collector is slow or away waits alone.
package export

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// pace is how much at once, and how often.
type pace struct {
	events, bytes int           // of a batch
	flight        int           // batches that wait to be acknowledged
	linger        time.Duration // what happens within this time goes in one batch
	ask           time.Duration // between two questions whether batches are indexed; it doubles up to slowAsk
	slowAsk       time.Duration
	indexedWithin time.Duration // a batch that is not acknowledged by then is sent again
	busy, busyMax time.Duration // the first and the longest wait where a fault may pass
	refused       time.Duration // the first wait where it takes a change
	refusedMax    time.Duration
	storage       time.Duration // the wait where our own storage fails
}

var usual = pace{events: 1000, bytes: 512 << 10, flight: 16, linger: time.Second, ask: time.Second, slowAsk: 10 * time.Second,
	indexedWithin: 5 * time.Minute, busy: time.Second, busyMax: 5 * time.Minute, refused: 30 * time.Second, refusedMax: 15 * time.Minute, storage: 2 * time.Second}

const (
	workers  = 8 // calls at once
	trials   = 4 // tests at once
	troubled = 4 // calls at once to collectors whose last call failed: they keep nobody else waiting
)

// Config is what a Pusher needs.
type Config struct {
	*Way
	Store  *store.Store
	Logger *slog.Logger
}

// Pusher delivers every organization's log.
type Pusher struct {
	Config
	pace                pace
	workers, inTroubles chan struct{}
	inTrials            chan struct{}
	ctx                 context.Context
	done                sync.WaitGroup
	mu                  sync.Mutex         // guards ctx and runners
	runners             map[string]*runner // nil: it does not run
	trying              sync.Map           // organizations whose export is tried
}

// New makes a Pusher that does nothing before Run.
func New(c Config) *Pusher {
	return &Pusher{Config: c, pace: usual, workers: make(chan struct{}, workers), inTroubles: make(chan struct{}, troubled), inTrials: make(chan struct{}, trials)}
}

// Run delivers for every organization that has an export, until ctx ends; then it stops the calls under way and waits for all that
// runs. What they had not been told that it arrived is sent again by the next Run. One runs at a time.
func (p *Pusher) Run(ctx context.Context) {
	p.mu.Lock()
	p.ctx, p.runners = ctx, map[string]*runner{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.runners = nil
		p.mu.Unlock()
		p.done.Wait()
	}()
	for ctx.Err() == nil {
		orgs, err := p.Store.SplunkExports(ctx) // those that come later are looked at when they come
		for _, org := range orgs {
			p.Look(org)
		}
		wait := forever
		if err != nil {
			p.Logger.Warn("finding the exports; it is tried again", "error", err)
			wait = p.pace.storage
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Apply is told of every event of a committed change. It never waits.
func (p *Pusher) Apply(e *counterfoil.Event) {
	switch {
	case e.Type == "integrations" && e.Action == "splunk_export_updated", e.Type == "organization" && e.Action == "organization_deleted":
		p.Look(e.OrganizationID)
	}
}

// Look has an organization's settings read again, and what waits after a fault tried at once.
func (p *Pusher) Look(org string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runners == nil {
		return
	}
	r := p.runners[org]
	if r == nil {
		r = &runner{Pusher: p, org: org, changed: make(chan struct{}, 1)}
		p.runners[org] = r
		ctx := p.ctx
		p.done.Go(func() { r.run(ctx) })
		return
	}
	select {
	case r.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// retire ends a runner that has nothing to do; false: its organization's settings were changed meanwhile.
func (p *Pusher) retire(r *runner) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-r.changed:
		return false
	default:
		delete(p.runners, r.org)
		return true
	}
}

// slot waits until a call may be made. The caller frees it.
func (p *Pusher) slot(ctx context.Context, slots chan struct{}) (free func(), ok bool) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, true
	case <-ctx.Done():
		return nil, false
	}
}
