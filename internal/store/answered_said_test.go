package store

import (
	"context"
	"math"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// A change is numbered and answered between a turn's reading of the log and its renewal. A standby takes over just then that lacks it:
// the node notices, though it has not read it.
func TestAnsweredBeforeItIsRead(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MaxLease})
	logged(t, s, "replicated")
	f := s.engine.(*postgresEngine).follower
	f.quit() // the turns are taken here
	<-f.done
	ctx := context.Background()
	conn := must(f.join(ctx))
	must(f.catchUp(ctx, conn))
	began := f.now()
	number := logged(t, s, "answered, not replicated")
	if err := f.renew(ctx, conn, began); err != nil {
		t.Fatal(err)
	}
	s.raw(t, "DELETE FROM events WHERE seq = $1", number)
	f.drop(conn)
	before, _ := s.Alive()
	conn = must(f.join(ctx))
	defer f.drop(conn)
	for range 2 {
		if err := f.turn(ctx, conn, true); err != nil {
			t.Fatal(err)
		}
	}
	if after, alive := s.Alive(); after == before || !alive {
		t.Errorf("the log has lost an entry that was answered by: epoch %d, then %d, alive: %v", before, after, alive)
	}
}

// A renewal says less where somebody has just come who is fed, and stands at 0. Once he is further, so is what is said, before the next
// renewal.
func TestSaidAgain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MaxLease})
	var floor atomic.Int64
	floor.Store(math.MaxInt64)
	s.Gate(floor.Load)
	number := logged(t, s, "entry")
	said := func() (applied, renewals int64) {
		read(t, s, "", func(tx *Tx) (int64, error) {
			return 0, tx.q.row("SELECT MAX(applied), MAX(renewals) FROM nodes").Scan(&applied, &renewals)
		})
		return applied, renewals
	}
	eventually(t, "it is said", longest, func() bool { applied, _ := said(); return applied >= number })
	floor.Store(0)
	s.raw(t, "SELECT pg_notify($1, $2)", logChannel, beatPayload)
	var before int64
	eventually(t, "a renewal says less", longest, func() (less bool) {
		var applied int64
		applied, before = said()
		return applied < number
	})
	floor.Store(math.MaxInt64)
	eventually(t, "it is said again", longest, func() bool {
		if err := s.Applied(t.Context()); err != nil { // as at the end of a report
			t.Fatal(err)
		}
		applied, _ := said()
		return applied >= number
	})
	if _, after := said(); after != before {
		t.Errorf("it took another renewal: they were %d and are %d", before, after)
	}
}
