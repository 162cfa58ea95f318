package verify

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// refusals notes refused checks of proven tokens, folded by token, code and address within a minute, so that a flood
// costs one row and one event a minute (P9). The first of each is explained with the judgement's trace on; all of them
// share its reference.
type refusals struct {
	v     *Verifier
	quit  chan struct{}
	done  chan struct{}
	mu    sync.Mutex
	open  map[refusalKey]*refusal
	write sync.Mutex // one flush at a time
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
	dirty  bool
}

const (
	refusalWindow = 60     // seconds
	maxRefusals   = 20_000 // open at once; further ones get no reference
)

func (n *refusals) start(v *Verifier) {
	n.v, n.open = v, map[refusalKey]*refusal{}
	n.quit, n.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(n.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-n.quit:
				n.flush(true)
				return
			case <-tick.C:
				n.flush(false)
			}
		}
	}()
}

func (n *refusals) stop() {
	close(n.quit)
	<-n.done
}

// note counts a refusal and returns its reference; empty when too many are open.
func (n *refusals) note(e *entry, under *rules.Compiled, holder *judge.Holder, a counterfoil.Attempt, code counterfoil.Code, now counterfoil.Instant) string {
	key := refusalKey{e.id, code, a.IP}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.open[key]; r != nil && now < r.closes {
		r.Count++
		r.LastAt, r.dirty = now, true
		return r.ID
	} else if r != nil {
		delete(n.open, key) // its window is over; flush may not have come by yet
		n.open[refusalKey{e.id, code + "\n" + counterfoil.Code(r.ID), a.IP}] = r
	}
	if len(n.open) >= maxRefusals {
		return ""
	}
	record := e.record()
	record.Revoked = record.Revoked || under.Org.Deleted
	var trace judge.Trace
	judge.Use(&record, holder, &under.Rules, &a, now, &trace)
	steps, err := json.Marshal(trace.Steps)
	if err != nil {
		steps = []byte("[]")
	}
	r := &refusal{name: e.name, closes: now.Plus(refusalWindow), dirty: true, Refusal: store.Refusal{
		ID: store.NewID("ref"), Organization: e.org.id, Token: tokenID(e.id), Code: code, Permissions: append([]string{}, a.Permissions...),
		FirstAt: now, LastAt: now, Count: 1, Trace: string(steps),
	}}
	if a.IP.IsValid() {
		r.IP = a.IP.String()
	}
	if a.Path != "" {
		r.Endpoint = a.Method + " " + a.Path
	}
	n.open[key] = r
	return r.ID
}

// FlushRefusals writes what was noted until now, so that every reference given out can be opened.
func (v *Verifier) FlushRefusals() { v.noted.flush(false) }

// flush writes new counts; a window that is over, or all of them, also leaves its event. What fails is tried again.
func (n *refusals) flush(all bool) {
	n.write.Lock()
	defer n.write.Unlock()
	now := n.v.Now()
	type item struct {
		key  refusalKey
		row  refusal
		over bool
	}
	var items []item
	n.mu.Lock()
	for k, r := range n.open {
		if over := all || now >= r.closes; over || r.dirty {
			items = append(items, item{k, *r, over})
			r.dirty = false
		}
	}
	n.mu.Unlock()
	for _, it := range items {
		err := n.save(it.row, it.over)
		n.mu.Lock()
		switch r := n.open[it.key]; {
		case err != nil && r != nil:
			r.dirty = true
		case err == nil && it.over:
			delete(n.open, it.key)
		}
		n.mu.Unlock()
		if err != nil {
			n.v.Logger.Warn("writing refused checks; they are kept and tried again", "error", err)
			return
		}
	}
}

func (n *refusals) save(r refusal, over bool) error {
	return n.v.Store.Update(context.Background(), r.Organization, store.ForTokens, func(tx *store.Tx) error {
		if err := tx.SaveRefusal(r.Refusal); err != nil {
			return err
		}
		if over {
			metadata, err := json.Marshal(map[string]any{"code": r.Code, "ip_address": r.IP, "count": r.Count, "reference": r.ID})
			if err != nil {
				return err
			}
			tx.Append(counterfoil.Event{
				Type: "tokens", Action: "token_refused", Actor: counterfoil.Actor{Kind: "token", ID: r.Token, TokenID: r.Token, IP: r.IP},
				Target: counterfoil.Target{Kind: "token", ID: r.Token, Name: r.name}, Initiator: "check", Metadata: metadata,
			})
		}
		return nil
	})
}
