package consistency_test

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"
)

// longer is a pause that is longer than the lease.
func longer(r *rand.Rand) time.Duration { return lease + time.Duration(r.Int64N(int64(lease))) }

// faults, by name. Each is over when it returns; but for the database's, one node has it.
var faults = []struct {
	name string
	do   func(c *cluster, n int, r *rand.Rand)
}{
	{"kill", func(c *cluster, n int, _ *rand.Rand) {
		if err := c.nodes[n].running().Stop(syscall.SIGKILL, patience); err != nil {
			c.t.Error(err)
		}
		c.launch(n)
		c.await(n)
	}},
	{"stop", func(c *cluster, n int, r *rand.Rand) {
		p := c.nodes[n].running()
		_ = p.Signal(syscall.SIGSTOP)
		time.Sleep(longer(r)) // the pause is the fault
		_ = p.Signal(syscall.SIGCONT)
	}},
	{"silence", func(c *cluster, n int, r *rand.Rand) {
		release := c.nodes[n].proxy.hold()
		time.Sleep(longer(r))
		release()
	}},
	{"cut", func(c *cluster, n int, r *rand.Rand) {
		mend := c.nodes[n].proxy.breakAll()
		time.Sleep(time.Duration(r.Int64N(int64(2 * lease))))
		mend()
	}},
	{"delay", func(c *cluster, n int, r *rand.Rand) {
		c.nodes[n].proxy.jitter.Store(int64(60 * time.Millisecond))
		time.Sleep(longer(r))
		c.nodes[n].proxy.jitter.Store(0)
	}},
	{"link", func(c *cluster, n int, r *rand.Rand) { // where nodes live in rooms
		mend, err := c.nodes[n].room.cut()
		if err != nil {
			c.t.Error(err)
			return
		}
		time.Sleep(longer(r))
		mend()
	}},
	{"database", func(c *cluster, _ int, r *rand.Rand) {
		end := c.database.Stop
		if r.IntN(2) == 0 {
			end = c.database.Kill
		}
		if err := end(); err != nil {
			c.t.Error(err)
		}
		if err := c.database.Restart(); err != nil {
			c.t.Error(err)
		}
	}},
}

// disturbed brings faults about, one after the other, until its context ends. Only those that are named, if any are.
func (c *cluster) disturbed(seed uint64, only ...string) func(context.Context) map[string]int {
	return func(ctx context.Context) map[string]int {
		r, counts := rand.New(rand.NewPCG(seed, 0)), map[string]int{}
		for ctx.Err() == nil {
			f := faults[r.IntN(len(faults))]
			if len(only) > 0 && f.name != only[r.IntN(len(only))] || f.name == "link" && c.nodes[0].room == nil {
				continue
			}
			if of := faultsOfVerifiers[f.name]; of != nil && len(c.verifiers) > 0 && r.IntN(2) == 0 {
				of(c, c.verifiers[r.IntN(len(c.verifiers))], r)
				counts["verifier: "+f.name]++
			} else {
				f.do(c, r.IntN(nodes), r)
				counts[f.name]++
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(r.Int64N(int64(lease)))):
			}
		}
		return counts
	}
}
