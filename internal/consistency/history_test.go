package consistency_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
)

// history is what everybody does with one token, and saw.
type history struct {
	*cluster
	random   *rand.Rand
	together int // how many ask for each change at once
	token    counterfoil.Created

	mu     sync.Mutex
	ops    []operation
	failed []failure
}

// failure is an operation that got no answer, or that of a failing system.
type failure struct {
	operation
	err error
}

func (h *history) note(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
}

func (h *history) fail(o operation, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, failure{o, err})
}

// record makes a token, has everybody check it at every node and verifier, pauses and resumes it, revokes it, and goes on checking it
// for longer than a lease. In every other history two do each of that at once. False: faults did not let it come to anything.
func record(ctx context.Context, c *cluster, r *rand.Rand) (*history, bool) {
	h := &history{cluster: c, random: r, together: 1 + r.IntN(2)}
	if !h.create(ctx) {
		return h, false
	}
	checking, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	cold := r.IntN(3) == 0 // nobody has the record in memory when it is revoked
	readers := func() {
		for n := range h.doors() {
			group.Go(func() { h.check(checking, n, "check") })
		}
		group.Go(func() { h.check(checking, -1, "strict") })
	}
	readers()
	if !cold {
		for range r.IntN(3) {
			if !h.change(ctx, "pause") || !h.change(ctx, "resume") {
				break
			}
		}
	}
	known := h.change(ctx, "revoke")
	for range 20 { // again until it is acknowledged
		if known || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		known = h.change(ctx, "revoke")
	}
	select {
	case <-time.After(lease * 3 / 2):
	case <-ctx.Done():
	}
	stop()
	group.Wait()
	return h, known
}

func (h *history) create(ctx context.Context) bool {
	for range 20 {
		o := operation{node: h.random.IntN(nodes), what: "create", call: h.now()}
		made, err := h.nodes[o.node].api.CreateToken(ctx, h.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "h", Permissions: []string{"devices:read"}})
		if err == nil {
			h.token = made
			return true
		}
		o.end = h.now()
		h.fail(o, err)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// change reports whether the change was acknowledged, to one at least of those who ask for it.
func (h *history) change(ctx context.Context, what string) bool {
	var group sync.WaitGroup
	var known atomic.Bool
	for range h.together {
		n := h.random.IntN(nodes)
		group.Go(func() {
			if h.changeAt(ctx, n, what) {
				known.Store(true)
			}
		})
	}
	group.Wait()
	return known.Load()
}

// changeAt asks one node, and once more what it then says of the token.
func (h *history) changeAt(ctx context.Context, n int, what string) bool {
	api, id := h.nodes[n].api, h.token.Token.ID
	o := operation{node: n, what: what, call: h.now()}
	var err error
	switch what {
	case "revoke":
		_, err = api.RevokeToken(ctx, h.Organization.ID, id, "")
	default:
		stop := what == "pause"
		_, err = api.EditToken(ctx, h.Organization.ID, id, counterfoil.Edit{Paused: &stop})
	}
	if o.end = h.now(); err != nil {
		h.fail(o, err)
		o.end = never
	}
	h.note(o)
	if err == nil && ctx.Err() == nil {
		h.checkOnce(ctx, n, "check")
	}
	return err == nil
}

// check asks again and again.
func (h *history) check(ctx context.Context, n int, what string) {
	for i := 0; ctx.Err() == nil; i++ {
		at := n
		if at < 0 {
			at = i % nodes
		}
		h.checkOnce(ctx, at, what)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// checkOnce asks once. What gets no answer says nothing of the token.
func (h *history) checkOnce(ctx context.Context, n int, what string) {
	q := counterfoil.Question{Token: h.token.Secret, Permissions: []string{"devices:read"}}
	if what == "strict" {
		q.Consistency = counterfoil.ConsistencyStrict
	}
	o := operation{node: n, what: what, call: h.now()}
	v, err := h.door(n).Verify(ctx, q)
	o.end, o.answer = h.now(), v.Code
	switch {
	case err == nil:
		h.note(o)
	case ctx.Err() == nil:
		h.fail(o, err)
	}
}

// pause is between two checks of one reader: a history must stay short enough to be judged.
const pause = 50 * time.Millisecond
