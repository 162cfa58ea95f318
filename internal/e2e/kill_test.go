package e2e_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/store"
)

// The server is killed at random moments while clients write. Whatever was acknowledged is there afterwards, a token
// whose revocation was acknowledged is never honoured again, and the log has an event for each and is whole.
// COUNTERFOIL_SOAK is how many kills SQLite gets; PostgreSQL gets a tenth.
func TestKill(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		testKill(t, "", soak(t, 50), 300*time.Millisecond)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		testKill(t, postgrestest.NewDatabase(t), max(1, soak(t, 50)/10), time.Second)
	})
}

const (
	killClients = 12
	mostWrites  = 60 // of a client between two kills: each is checked after the next start
)

// testKill kills the server again and again, each time after longest at most.
func testKill(t *testing.T, databaseURL string, kills int, longest time.Duration) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	in := setUp(t, t.TempDir(), databaseURL)
	writers := make([]*writer, killClients)
	for i := range writers {
		writers[i] = &writer{t: t, in: in, name: string(rune('a' + i)), random: rand.New(rand.NewPCG(seed, uint64(i+1)))}
	}
	acknowledged := func() (all tally) {
		for _, w := range writers {
			all.add(w.acknowledged)
		}
		return all
	}
	killed := 0
	for ; killed < kills || killed < 4*kills && !acknowledged().everyKind(); killed++ { // a busy machine acknowledges little
		in.start()
		run(t, in, writers, time.Duration(random.Int64N(int64(longest))))
		if t.Failed() {
			return
		}
	}
	checkLog(t, in, writers) // as the last kill left it
	in.start()
	for _, w := range writers {
		w.recall(t.Context(), w.tokens)
	}
	total := acknowledged()
	if !total.everyKind() {
		t.Error("not every kind of write was acknowledged: the test tests nothing")
	}
	t.Logf("%d kills; acknowledged: %+v, in all %d; unknown outcome: %d", killed, total, total.sum(), total.unknown)
}

// run lets the writers check what the last kill left, then write until the server is killed after a while.
func run(t *testing.T, in *instance, writers []*writer, while time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var checked, done sync.WaitGroup
	for _, w := range writers {
		checked.Add(1)
		done.Go(func() {
			w.recall(ctx, w.touched)
			w.recall(ctx, w.some(20))
			w.touched = nil
			checked.Done()
			for n := 0; n < mostWrites && w.write(ctx); n++ {
			}
		})
	}
	checked.Wait()
	time.Sleep(while) // the moment of the kill is what is random here
	in.dying.Store(true)
	in.stop(syscall.SIGKILL)
	done.Wait()
	in.dying.Store(false)
}

// checkLog opens the database as the kill left it: the chain of hashes is whole, and the log has as many events of each
// token as were acknowledged, and no more than were asked for.
func checkLog(t *testing.T, in *instance, writers []*writer) {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, store.Config{Dir: in.dir, DatabaseURL: in.databaseURL})
	if err != nil {
		t.Fatalf("opening what the kill left: %v", err)
	}
	defer s.Close()
	entries, bad, err := s.VerifyChain(ctx)
	last, lastErr := s.LastEvent(ctx)
	if err != nil || lastErr != nil || bad != 0 || entries != last {
		t.Errorf("the log has %d good entries, the first bad one is %d (%v); the last is number %d (%v)", entries, bad, err, last, lastErr)
	}
	logged := map[string]map[string]int{} // token → action → count
	for after := int64(0); ; {
		events, err := s.Follow(ctx, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if after++; e.Number != after {
				t.Fatalf("the log goes from %d to %d", after-1, e.Number)
			}
			if logged[e.Target.ID] == nil {
				logged[e.Target.ID] = map[string]int{}
			}
			logged[e.Target.ID][e.Action]++
		}
	}
	for _, w := range writers {
		for _, m := range w.tokens {
			for action, n := range m.acknowledged {
				if got, most := logged[m.id][action], n+m.unknown[action]; got < n || got > most {
					t.Errorf("%s: %d events %s; %d were acknowledged, %d asked for", m.id, got, action, n, most)
				}
			}
		}
	}
}

// tally counts writes.
type tally struct{ creates, edits, rotations, revocations, unknown int }

func (t tally) everyKind() bool { return min(t.creates, t.edits, t.rotations, t.revocations) > 0 }

func (t *tally) add(o tally) {
	t.creates += o.creates
	t.edits += o.edits
	t.rotations += o.rotations
	t.revocations += o.revocations
	t.unknown += o.unknown
}

func (t *tally) sum() int { return t.creates + t.edits + t.rotations + t.revocations }
