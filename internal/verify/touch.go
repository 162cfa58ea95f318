package verify

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// touch notes accepted checks in memory and writes them about once a second, so that "last used" is right to a few
// seconds and costs the request next to nothing (C3). When more tokens are in use than the database can take, the rest
// waits for the next round; a crash loses at most what was not written yet.
type touch struct {
	v      *Verifier
	shards [64]touchShard
	wake   chan struct{}
	quit   chan struct{}
	done   chan struct{}

	mu      sync.Mutex // held while writing
	pending map[useKey]*store.Use
}

type touchShard struct {
	mu   sync.Mutex
	uses []noted
	_    [24]byte
}

type noted struct {
	id [12]byte
	ip netip.Addr
	at counterfoil.Instant
}

type useKey struct {
	id [12]byte
	ip netip.Addr
}

const (
	touchEvery    = time.Second
	touchShardMax = 8192      // notes in a shard before the writer is woken early
	touchPending  = 1_000_000 // tokens and addresses that may wait to be written; more are dropped
	touchRound    = 4000      // rows written a round
	touchChunk    = 200       // rows a transaction, so that other writes are not held up
	useDaysKept   = 40 * 24 * time.Hour
)

func (t *touch) start(v *Verifier) {
	t.v, t.pending = v, map[useKey]*store.Use{}
	t.wake, t.quit, t.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go t.run()
}

func (t *touch) stop() {
	close(t.quit)
	<-t.done
}

func (t *touch) note(id [12]byte, ip netip.Addr, at counterfoil.Instant) {
	s := &t.shards[(id[2]^id[3]<<3)%64]
	s.mu.Lock()
	if len(s.uses) < 4*touchShardMax {
		s.uses = append(s.uses, noted{id, ip, at})
	}
	full := len(s.uses) == touchShardMax
	s.mu.Unlock()
	if full {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

func (t *touch) run() {
	defer close(t.done)
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	prune := time.NewTicker(time.Hour)
	defer prune.Stop()
	for {
		select {
		case <-t.quit:
			t.gather()
			t.write(touchPending)
			return
		case <-t.wake:
			t.gather()
		case <-tick.C:
			t.gather()
			t.write(touchRound)
		case <-prune.C:
			before := counterfoil.At(t.v.Now().Time().Add(-useDaysKept))
			if err := t.v.Store.PruneUses(context.Background(), before); err != nil {
				t.v.Logger.Warn("forgetting old use counts", "error", err)
			}
		}
	}
}

// gather folds the notes of all shards by token and address.
func (t *touch) gather() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var spare []noted
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		uses := s.uses
		s.uses = spare[:0]
		s.mu.Unlock()
		for _, n := range uses {
			k := useKey{n.id, n.ip}
			u := t.pending[k]
			if u == nil {
				if len(t.pending) >= touchPending {
					continue
				}
				u = &store.Use{Token: tokenID(n.id)}
				if n.ip.IsValid() {
					u.IP = n.ip.String()
				}
				t.pending[k] = u
			}
			u.At = max(u.At, n.at)
			u.Count++
		}
		spare = uses
	}
}

// write writes up to limit of what is pending; what fails stays pending.
func (t *touch) write(limit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	chunk, keys := make([]store.Use, 0, touchChunk), make([]useKey, 0, touchChunk)
	flush := func() bool {
		if len(chunk) == 0 {
			return true
		}
		if err := t.v.Store.RecordUses(context.Background(), chunk); err != nil {
			t.v.Logger.Warn("writing last uses; they are kept and tried again", "tokens", len(chunk), "error", err)
			return false
		}
		for _, k := range keys {
			delete(t.pending, k)
		}
		chunk, keys = chunk[:0], keys[:0]
		return true
	}
	for k, u := range t.pending {
		chunk, keys = append(chunk, *u), append(keys, k)
		if limit--; limit == 0 {
			break
		}
		if len(chunk) == touchChunk && !flush() {
			return
		}
	}
	flush()
}

// FlushUses writes everything that was noted until now.
func (v *Verifier) FlushUses() {
	v.touch.gather()
	v.touch.write(touchPending)
}
