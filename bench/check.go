//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/verify"
)

const (
	checkRounds = 25
	checkOps    = 50_000 // a round

	burstRounds = 200
	burstOps    = 500 // a burst: short, so that most fall between two writes of the noted uses
)

// floor is what no check can do without: the HMAC of the string, and finding the token among all of them.
type floor struct {
	keys    *secret.Keyring
	keyID   uint8
	digests map[[12]byte]secret.Digest
}

// check compares a warm check among many tokens with its floor, in one process and one goroutine.
func (b *bench) check() error {
	progress("making %d tokens", b.tokens)
	dir := filepath.Join(b.work, "check")
	w, core, err := newWorld(b.ctx, worldConfig(dir, ""), b.tokens)
	if err != nil {
		return err
	}
	defer core.Store.Close() // not the whole Core: it would write a million uses first, one by one
	keys, err := secret.LoadKeyring(filepath.Join(dir, "instance.key"))
	if err != nil {
		return err
	}
	progress("reading them into memory")
	before := heap()
	if err := warm(b.ctx, core, w); err != nil {
		return err
	}
	perToken := (heap() - before) / float64(b.tokens)
	b.report.add(row{what: "heap per cached token", value: fmt.Sprintf("%.0f B", perToken), ratio: perToken, unit: "B", gate: 256, wish: 128})

	f := floor{keys: keys, keyID: keys.Current(), digests: make(map[[12]byte]secret.Digest, b.tokens)}
	ids := make([][12]byte, b.tokens)
	for i, id := range w.ids {
		ids[i] = [12]byte([]byte(id[len("tok_"):]))
		f.digests[ids[i]], _ = keys.Digest(f.keyID, w.strings[i])
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(b.tokens)
	progress("%d rounds of %d checks", checkRounds, checkOps)
	at := 0
	part := func(n int) []int {
		at += n
		if at > len(order) {
			at = n
		}
		return order[at-n : at]
	}
	var floors, verifies, allocs []float64
	for range checkRounds {
		some := part(checkOps)
		n, err := timed(some, func() error { return f.run(w.strings, ids, some) })
		if err != nil {
			return err
		}
		v, err := timed(some, func() error { return verifyAll(b.ctx, core.Verifier, w.strings, some) })
		if err != nil {
			return err
		}
		floors, verifies = append(floors, n), append(verifies, v)
	}
	for range burstRounds {
		some := part(burstOps)
		n, err := allocated(some, func() error { return verifyAll(b.ctx, core.Verifier, w.strings, some) })
		if err != nil {
			return err
		}
		allocs = append(allocs, n)
	}
	b.report.add(row{what: fmt.Sprintf("verify, warm among %d", b.tokens), value: fmt.Sprintf("%.0f ns", median(verifies)),
		beside: fmt.Sprintf("HMAC + map read %.0f ns", median(floors)), ratio: median(ratios(verifies, floors)), unit: "×", gate: 2.5, wish: 2})
	n := median(allocs)
	b.report.add(row{what: "verify, allocations", value: fmt.Sprintf("%.3f", n), ratio: n, unit: "each", gate: 0, wish: 0})
	return nil
}

// warm brings every token into the cache and notes no use.
func warm(ctx context.Context, core *server.Core, w *world) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for k := range workers {
		g.Go(func() error {
			for i := k; i < len(w.strings); i += workers {
				r, err := core.Verifier.Find(ctx, w.strings[i])
				if err != nil {
					return err
				}
				if !r.Proven() {
					return errors.New("a token was not found")
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (f *floor) run(presented []string, ids [][12]byte, order []int) error {
	for _, n := range order {
		want := f.digests[ids[n]]
		if got, ok := f.keys.Digest(f.keyID, presented[n]); !ok || got != want {
			return errors.New("the floor gives way")
		}
	}
	return nil
}

var askedAlone = []string{asked}

func verifyAll(ctx context.Context, v *verify.Verifier, presented []string, order []int) error {
	attempt := counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: askedAlone, IP: netip.MustParseAddr("203.0.113.9")}
	for _, n := range order {
		q := verify.Request{Token: presented[n], Attempt: attempt}
		if r, err := v.Verify(ctx, &q); err != nil || !r.Active() {
			return fmt.Errorf("verdict %q, %w", r.Code, err)
		}
	}
	return nil
}

// timed returns the processor time of this thread, in nanoseconds for each operation: what others do on the machine, and
// our own writer of noted uses, do not count.
func timed(order []int, fn func() error) (float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	err := fn()
	return float64(threadTime()-began) / float64(len(order)), err
}

func threadTime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // cannot fail on Linux
	return t.Nano()
}

// allocated counts allocations for each operation, whoever made them.
func allocated(order []int, fn func() error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := fn()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(len(order)), err
}

// heap is what is in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
