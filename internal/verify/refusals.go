package verify

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// refusals notes refused checks of proven tokens. Those of a token, with one code and from one address, within a minute are
// a fold, which leaves one event, so that a flood costs one a minute (P9). Within it each thing that was asked for and is
// missing has a row and a reference of its own; the first check of a row is explained with the judgement's trace on.
type refusals struct {
	v    *Verifier
	most int
	seed maphash.Seed
	quit chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex // guards what follows, and the folds
	rows int        // in open and over
	open map[refusalKey]*fold
	over []*fold // their window is over; they wait to be written for the last time

	write sync.Mutex // held by the one who writes
}

type refusalKey struct {
	id   [12]byte
	code counterfoil.Code
	ip   netip.Addr
}

type fold struct {
	rows   map[uint64]*refusal // by what was asked for
	first  *refusal
	name   string // the token's
	count  int64  // of all rows, and of what got no row
	closes counterfoil.Instant
}

type refusal struct {
	store.Refusal
	dirty bool // counted since it was last written
}

const (
	refusalWindow = 60 // seconds
	refusalEvery  = time.Second
	maxRefusals   = 20_000 // rows that may be open or wait; further refusals get no reference
	maxAsked      = 20     // rows a fold; further refusals get no reference, but are counted
	refusalChunk  = 100    // rows a transaction
)

func (n *refusals) start(v *Verifier) {
	n.v, n.most, n.seed, n.open, n.quit = v, maxRefusals, maphash.MakeSeed(), map[refusalKey]*fold{}, make(chan struct{})
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
	key, asked := refusalKey{r.id, r.Code, q.IP}, n.asked(r, q)
	n.mu.Lock()
	id, ok := n.count(key, asked, now)
	n.mu.Unlock()
	if ok {
		return id
	}
	first := n.explain(r, q, now)
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.count(key, asked, now); ok {
		return id
	}
	f := n.open[key]
	if f == nil {
		f = &fold{rows: map[uint64]*refusal{}, first: first, name: r.entry.name, closes: now.Plus(refusalWindow)}
		n.open[key] = f
	}
	f.rows[asked] = first
	f.count++
	n.rows++
	return first.ID
}

// asked tells apart what was asked for, where that is why it was refused: the permissions by name, and those that open the
// endpoint, or the endpoint that the catalogue does not list.
func (n *refusals) asked(r *Result, q *Request) uint64 {
	if r.Code != counterfoil.CodeMissingPermission {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(n.seed)
	part := func(text string) {
		_, _ = h.WriteString(text) // it never fails
		_ = h.WriteByte(0)
	}
	for _, name := range q.Permissions {
		part(name)
	}
	if q.Path == "" {
		return h.Sum64()
	}
	part("endpoint")
	openers, listed := r.rules.Catalogue.Opens(q.Method, q.Path)
	for _, name := range openers {
		part(name)
	}
	if !listed {
		path, _, _ := strings.Cut(q.Path, "?")
		part(q.Method)
		part(path)
	}
	return h.Sum64()
}

// count adds to the row that is open under key for what was asked; false: there is none, and there may be one. Hold mu.
func (n *refusals) count(key refusalKey, asked uint64, now counterfoil.Instant) (reference string, ok bool) {
	f := n.open[key]
	if f != nil && now >= f.closes {
		delete(n.open, key)
		n.over = append(n.over, f)
		f = nil
	}
	if f == nil {
		return "", n.rows >= n.most
	}
	if r := f.rows[asked]; r != nil {
		f.count++
		r.Count++
		r.LastAt, r.dirty = max(r.LastAt, now), true
		return r.ID, true
	}
	if len(f.rows) >= maxAsked || n.rows >= n.most {
		f.count++
		return "", true
	}
	return "", false
}

// FlushRefusals writes what was noted until now, so that every reference given out can be opened.
func (v *Verifier) FlushRefusals() { v.noted.flush(false) }

// flush writes new counts; a window that is over, or all of them, also leaves its event. What fails is tried again.
func (n *refusals) flush(all bool) {
	n.write.Lock()
	defer n.write.Unlock()
	over, dirty := n.gather(all)
	for len(over) > 0 {
		end, rows := 0, 0
		for ; end < len(over) && rows < refusalChunk; end++ {
			rows += len(over[end].rows)
		}
		if !n.save(nil, over[:end]) {
			break
		}
		over = over[end:]
		n.mu.Lock()
		n.rows -= rows
		n.mu.Unlock()
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
		if !n.save(rows, nil) {
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

// gather takes the folds whose window is over, which nobody counts any more, and finds the rows that are open and dirty.
func (n *refusals) gather(all bool) (over []*fold, dirty []*refusal) {
	now := n.v.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, f := range n.open {
		if all || now >= f.closes {
			delete(n.open, key)
			n.over = append(n.over, f)
			continue
		}
		for _, r := range f.rows {
			if r.dirty {
				dirty = append(dirty, r)
			}
		}
	}
	over, n.over = n.over, nil
	return over, dirty
}

// save writes rows, and folds that are over with their events. It crosses organizations: each is written in its own.
func (n *refusals) save(rows []*refusal, over []*fold) bool {
	err := n.v.Store.Update(context.Background(), "", store.ForTokens, func(tx *store.Tx) error {
		for _, r := range rows {
			if err := tx.In(r.Organization, func(tx *store.Tx) error { return tx.SaveRefusal(r.Refusal) }); err != nil {
				return err
			}
		}
		for _, f := range over {
			if err := tx.In(f.first.Organization, f.save); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.v.Logger.Warn("writing refused checks; they are kept and tried again", "refusals", len(rows)+len(over), "error", err)
	}
	return err == nil
}

// save writes the rows for the last time, and the event, whose reference is the first of theirs.
func (f *fold) save(tx *store.Tx) error {
	for _, r := range f.rows {
		if err := tx.SaveRefusal(r.Refusal); err != nil {
			return err
		}
	}
	r := f.first
	metadata, err := json.Marshal(map[string]any{"code": r.Code, "ip_address": r.IP, "count": f.count, "reference": r.ID})
	if err != nil {
		return err
	}
	tx.Append(counterfoil.Event{
		Type: "tokens", Action: "token_refused", Actor: counterfoil.Actor{Kind: "token", ID: r.Token, TokenID: r.Token, IP: r.IP},
		Target: counterfoil.Target{Kind: "token", ID: r.Token, Name: f.name}, Initiator: "check", Metadata: metadata,
	})
	return nil
}
