package verify

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// refusals notes refused checks of proven tokens, folded by token, code and address within a minute, so that a flood
// costs one row and one event a minute (P9). The first of each is explained with the judgement's trace on; all of them
// share its reference.
type refusals struct {
	v    *Verifier
	most int
	quit chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex // guards what follows, and the refusals
	open map[refusalKey]*refusal
	over []*refusal // their window is over; they wait to be written for the last time

	write sync.Mutex // held by the one who writes
}

type refusalKey struct {
	id   [12]byte
	code counterfoil.Code
	ip   netip.Addr
}

type refusal struct {
	store.Refusal
	name   string
	closes counterfoil.Instant
	dirty  bool // counted since it was last written
}

const (
	refusalWindow = 60 // seconds
	refusalEvery  = time.Second
	maxRefusals   = 20_000 // that may be open or wait; further ones get no reference
	refusalChunk  = 100    // rows a transaction
)

func (n *refusals) start(v *Verifier) {
	n.v, n.most, n.open, n.quit = v, maxRefusals, map[refusalKey]*refusal{}, make(chan struct{})
	n.done.Go(n.run)
}

func (n *refusals) stop() {
	close(n.quit)
	n.done.Wait()
	n.flush(true)
}

func (n *refusals) run() {
	tick := time.NewTicker(refusalEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.quit:
			return
		case <-tick.C:
			n.flush(false)
		}
	}
}

// note counts a refusal and returns its reference; empty when too many are open.
func (n *refusals) note(r *Result, q *Request, now counterfoil.Instant) string {
	key := refusalKey{r.id, r.Code, q.IP}
	if id, ok := n.count(key, now); ok {
		return id
	}
	first := n.explain(r, q, now)
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.countLocked(key, now); ok {
		return id
	}
	n.open[key] = first
	return first.ID
}

// count adds to the refusal that is open under key; false: there is none.
func (n *refusals) count(key refusalKey, now counterfoil.Instant) (reference string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.countLocked(key, now)
}

func (n *refusals) countLocked(key refusalKey, now counterfoil.Instant) (reference string, ok bool) {
	if r := n.open[key]; r != nil && now < r.closes {
		r.Count++
		r.LastAt, r.dirty = max(r.LastAt, now), true
		return r.ID, true
	} else if r != nil {
		delete(n.open, key)
		n.over = append(n.over, r)
	}
	return "", len(n.open)+len(n.over) >= n.most
}

// FlushRefusals writes what was noted until now, so that every reference given out can be opened.
func (v *Verifier) FlushRefusals() { v.noted.flush(false) }

// flush writes new counts; a window that is over, or all of them, also leaves its event. What fails is tried again.
func (n *refusals) flush(all bool) {
	n.write.Lock()
	defer n.write.Unlock()
	over, dirty := n.gather(all)
	for len(over) > 0 {
		chunk := over[:min(len(over), refusalChunk)]
		if !n.save(chunk, true) {
			break
		}
		over = over[len(chunk):]
	}
	if len(over) > 0 {
		n.mu.Lock()
		n.over = append(n.over, over...)
		n.mu.Unlock()
		return
	}
	for len(dirty) > 0 {
		rows := make([]*refusal, 0, refusalChunk)
		n.mu.Lock()
		for _, r := range dirty[:min(len(dirty), refusalChunk)] {
			row := *r
			r.dirty = false
			rows = append(rows, &row)
		}
		n.mu.Unlock()
		if !n.save(rows, false) {
			n.mu.Lock()
			for _, r := range dirty[:len(rows)] {
				r.dirty = true
			}
			n.mu.Unlock()
			return
		}
		dirty = dirty[len(rows):]
	}
}

// gather takes the refusals whose window is over, which nobody counts any more, and finds those that are open and dirty.
func (n *refusals) gather(all bool) (over, dirty []*refusal) {
	now := n.v.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, r := range n.open {
		switch {
		case all || now >= r.closes:
			delete(n.open, key)
			n.over = append(n.over, r)
		case r.dirty:
			dirty = append(dirty, r)
		}
	}
	over, n.over = n.over, nil
	return over, dirty
}

// save writes rows and, when they are over, their events. It crosses organizations: each row is written in its own.
func (n *refusals) save(rows []*refusal, over bool) bool {
	err := n.v.Store.Update(context.Background(), "", store.ForTokens, func(tx *store.Tx) error {
		for _, r := range rows {
			err := tx.In(r.Organization, func(tx *store.Tx) error { return r.save(tx, over) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.v.Logger.Warn("writing refused checks; they are kept and tried again", "refusals", len(rows), "error", err)
	}
	return err == nil
}

func (r *refusal) save(tx *store.Tx, over bool) error {
	if err := tx.SaveRefusal(r.Refusal); err != nil || !over {
		return err
	}
	metadata, err := json.Marshal(map[string]any{"code": r.Code, "ip_address": r.IP, "count": r.Count, "reference": r.ID})
	if err != nil {
		return err
	}
	tx.Append(counterfoil.Event{
		Type: "tokens", Action: "token_refused", Actor: counterfoil.Actor{Kind: "token", ID: r.Token, TokenID: r.Token, IP: r.IP},
		Target: counterfoil.Target{Kind: "token", ID: r.Token, Name: r.name}, Initiator: "check", Metadata: metadata,
	})
	return nil
}
