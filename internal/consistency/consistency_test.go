package consistency_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// histories is how many the environment asks for, or else normal.
func histories(t *testing.T, normal int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("COUNTERFOIL_HISTORIES"), strconv.Itoa(normal)))
	if err != nil || n < 1 {
		t.Fatalf("COUNTERFOIL_HISTORIES is a number of histories, not %q", os.Getenv("COUNTERFOIL_HISTORIES"))
	}
	return n
}

// No check that began after an acknowledged change goes by what was before it, at any node or verifier, whatever fails; and
// strict checks are linearizable.
func TestNodesAreOne(t *testing.T) {
	c := newCluster(t, build(t, ""), lease)
	c.knowEachOther()
	c.embed(buildVerifier(t, ""), 2)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := c.run(t, seed, histories(t, 200), 14, func(h *history) bool {
		t.Errorf("not linearizable:\n%s", h)
		return false
	}, c.disturbed(seed))
	t.Logf("%d histories with %d operations, %d of them without an acknowledged revocation; faults: %v", r.judged, r.operations, r.lost, r.faults)
	if r.judged < r.asked*3/4 {
		t.Errorf("only %d of %d histories came to anything", r.judged, r.asked)
	}
	accepted, alone := 0, 0
	for _, v := range c.verifiers {
		_, more, ofThem := v.standing()
		accepted, alone = accepted+v.before[0]+more, alone+v.before[1]+ofThem
	}
	t.Logf("verifiers accepted %d checks, %d of them without asking anybody", accepted, alone)
	if alone < accepted/4 {
		t.Error("the verifiers asked about nearly all checks")
	}
}

// The checker finds what a build with a defect does.
func TestDefectsAreFound(t *testing.T) {
	for _, d := range []struct {
		tag       string
		verifiers int // it is they that have it
		faults    []string
	}{
		{"defect_eviction", 0, []string{"delay"}},
		{"defect_fencing", 0, []string{"stop", "silence"}},
		{"defect_generation", 0, []string{"delay"}},
		{"defect_lease", 2, []string{"stop", "silence"}},
	} {
		t.Run(d.tag, func(t *testing.T) {
			var c *cluster
			if d.verifiers == 0 {
				c = newCluster(t, build(t, d.tag), lease)
			} else {
				c = newCluster(t, build(t, ""), lease)
				c.embed(buildVerifier(t, d.tag), d.verifiers)
			}
			found := false
			seed := rand.Uint64()
			r := c.run(t, seed, 1000, 24, func(h *history) bool { found = true; return true }, c.disturbed(seed, d.faults...))
			if !found {
				t.Errorf("%d histories, and the defect was not found", r.judged)
			}
			t.Logf("found after %d histories; faults: %v", r.judged, r.faults)
		})
	}
}

type outcome struct {
	asked, judged, lost, operations int
	faults                          map[string]int // how many of each there were
	failed                          []failure
}

// run records histories, several at a time, and judges them, while disturb does something to the nodes until its context
// ends; it returns how often it did what. bad is told of histories that break a promise, and says whether that is enough.
func (c *cluster) run(t *testing.T, seed uint64, asked, together int, bad func(*history) (enough bool), disturb func(context.Context) map[string]int) outcome {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := outcome{asked: asked}
	var left atomic.Int64
	left.Store(int64(asked))
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range together {
		group.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				h, known := record(ctx, c, rand.New(rand.NewPCG(seed, uint64(left.Load())<<8|uint64(i))))
				if ctx.Err() != nil {
					return
				}
				result := linearizable(h.ops)
				mu.Lock()
				out.operations += len(h.ops)
				out.failed = append(out.failed, h.failed...)
				switch {
				case result == porcupine.Illegal:
					if bad(h) {
						cancel()
					}
				case result == porcupine.Unknown:
					t.Logf("a history of %d operations could not be judged in time", len(h.ops))
					out.lost++
				case !known:
					out.lost++
				}
				if result != porcupine.Unknown && known {
					out.judged++
				}
				mu.Unlock()
			}
		})
	}
	disturbing, stop := context.WithCancel(ctx)
	done := make(chan map[string]int, 1)
	go func() { done <- disturb(disturbing) }()
	group.Wait()
	stop()
	out.faults = <-done
	return out
}

// String shows the changes, and the checks around what is wrong: the last hundred operations by their beginning.
func (h *history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "token %s\n", h.token.Token.ID)
	for _, o := range h.ops[max(0, len(h.ops)-100):] {
		end := "unknown"
		if o.end != never {
			end = o.end.Round(time.Microsecond).String()
		}
		fmt.Fprintf(&b, "%-7s node %d  %v … %s  %s\n", o.what, o.node, o.call.Round(time.Microsecond), end, o.answer)
	}
	return b.String()
}
