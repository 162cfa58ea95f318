package verify

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// touch notes accepted checks in memory and writes them about once a second, so that "last used" is right to a few
// seconds and costs the request next to nothing (C3). When more tokens are in use than the database can take, the rest
// waits for the next round; a crash loses at most what was not written yet.
//
// A note goes into its shard; folding adds it to what is pending of its token and address; the writer takes from there.
type touch struct {
	v      *Verifier
	most   int // tokens and addresses that may wait to be written
	shards [16]touchShard
	wake   chan struct{}
	quit   chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	pending map[useKey]useSum
	order   []useKey // of what was pending when it was last empty, by token: those that are written together lie together
	dropped int64    // since it was last said

	writing sync.Mutex // held by the one who writes
	failing time.Time  // when it was last said that writing fails; zero: it does not. Guarded by writing
}

type touchShard struct {
	mu      sync.Mutex // guards uses and dropped
	uses    []noted
	dropped int64
	spare   []noted // empty; guarded by touch.mu
}

type noted struct {
	useKey
	at counterfoil.Instant
}

type useKey struct {
	id    [12]byte
	ip    netip.Addr
	until counterfoil.Instant // of the value before the last rotation; see store.Use
}

type useSum struct {
	at    counterfoil.Instant // of the last
	count int64
}

const (
	touchEvery    = time.Second
	touchShardMax = 1024              // notes in a shard before they are folded early
	touchShardEnd = 8 * touchShardMax // notes in a shard that may wait to be folded; more are dropped
	touchPending  = 1_000_000         // tokens and addresses that may wait to be written; uses of more are dropped
	touchRound    = 2000              // rows written a round
	touchChunk    = 200               // rows a transaction, so that other writes are not held up
	touchSaid     = time.Minute       // between two lines about an outage
	useDaysKept   = 40 * 24 * 60 * 60 // seconds
)

func (t *touch) start(v *Verifier) {
	t.v, t.most, t.pending = v, touchPending, map[useKey]useSum{}
	t.wake, t.quit = make(chan struct{}, 1), make(chan struct{})
	t.done.Go(t.foldEarly)
	t.done.Go(t.run)
}

func (t *touch) stop() {
	close(t.quit)
	t.done.Wait()
	if err := t.v.FlushUses(); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		var uses int64
		for _, sum := range t.pending {
			uses += sum.count
		}
		t.v.Logger.Warn("last uses are lost: the database did not take them before the stop", "uses", uses, "error", err)
	}
}

func (t *touch) note(k useKey, at counterfoil.Instant) {
	s := &t.shards[(k.id[6]^k.id[7]<<3)%16]
	s.mu.Lock()
	n := len(s.uses) + 1
	if n <= touchShardEnd {
		s.uses = append(s.uses, noted{k, at})
	} else {
		s.dropped++
	}
	s.mu.Unlock()
	if n == touchShardMax {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// foldEarly keeps the shards small when there are many checks, also while a write waits for the database.
func (t *touch) foldEarly() {
	for {
		select {
		case <-t.quit:
			return
		case <-t.wake:
			t.fold()
		}
	}
}

func (t *touch) run() {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	prune := time.NewTicker(time.Hour)
	defer prune.Stop()
	for {
		select {
		case <-t.quit:
			return
		case <-tick.C:
			t.fold()
			_ = t.write(touchRound) // it is logged at times, and tried again
		case <-prune.C:
			if err := t.v.Store.PruneUses(context.Background(), t.v.Now().Plus(-useDaysKept)); err != nil {
				t.v.Logger.Warn("forgetting old use counts", "error", err)
			}
		}
	}
}

// fold adds the notes of all shards to what is pending.
func (t *touch) fold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		uses := s.uses
		s.uses = s.spare
		t.dropped += s.dropped
		s.dropped = 0
		s.mu.Unlock()
		for _, n := range uses {
			t.add(n.useKey, useSum{n.at, 1})
		}
		clear(uses)
		s.spare = uses[:0]
	}
}

// add needs t.mu.
func (t *touch) add(k useKey, more useSum) {
	sum, known := t.pending[k]
	if !known && len(t.pending) >= t.most {
		t.dropped += more.count
		return
	}
	t.pending[k] = useSum{max(sum.at, more.at), sum.count + more.count}
}

// take takes up to n from what is pending; none only when nothing is. Whoever waits longest comes before whoever came later.
func (t *touch) take(n int) (uses []store.Use, keys []useKey, dropped int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped, t.dropped = t.dropped, 0
	if len(t.order) == 0 {
		t.order = slices.AppendSeq(t.order, maps.Keys(t.pending))
		slices.SortFunc(t.order, func(a, b useKey) int {
			return cmp.Or(bytes.Compare(a.id[:], b.id[:]), a.ip.Compare(b.ip), cmp.Compare(a.until, b.until))
		})
	}
	for len(t.order) > 0 && len(keys) < n {
		k := t.order[0]
		t.order = t.order[1:]
		sum, there := t.pending[k]
		if !there {
			continue // what could not be written comes back with the next order
		}
		u := store.Use{Token: tokenID(k.id), At: sum.at, Count: sum.count, Until: k.until}
		if k.ip.IsValid() {
			u.IP = k.ip.String()
		}
		uses, keys = append(uses, u), append(keys, k)
		delete(t.pending, k)
	}
	if len(t.pending) == 0 {
		t.order = nil
		t.pending = map[useKey]useSum{} // the old one may have grown large
	}
	return uses, keys, dropped
}

// write writes up to limit of what is pending; what fails stays pending.
func (t *touch) write(limit int) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	for limit > 0 {
		uses, keys, dropped := t.take(min(limit, touchChunk))
		if dropped > 0 {
			t.v.Logger.Warn("too many tokens in use to note them all; some uses are not counted", "uses", dropped)
		}
		if len(uses) == 0 {
			return nil
		}
		limit -= len(uses)
		if err := t.v.Store.RecordUses(context.Background(), uses); err != nil {
			t.mu.Lock()
			for i, k := range keys {
				t.add(k, useSum{uses[i].At, uses[i].Count})
			}
			t.mu.Unlock()
			if time.Since(t.failing) >= touchSaid {
				t.v.Logger.Warn("writing last uses; they are kept and tried again every second", "tokens", len(uses), "error", err)
				t.failing = time.Now()
			}
			return err
		}
		t.failing = time.Time{}
	}
	return nil
}

// FlushUses writes everything that was noted until now. What fails is kept and tried again.
func (v *Verifier) FlushUses() error {
	v.touch.fold()
	return v.touch.write(touchPending)
}
