package store

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// What this node has committed and answered makes a log that does not hold it another one, also where its follower had not read it
// when the database was put back: its ledger has to be replayed. Another entry of the same number takes nobody in.
func TestOwnWriteIsLostUnread(t *testing.T) {
	t.Parallel()
	for _, lost := range []struct{ name, by string }{
		{"a shorter log", "DELETE FROM events WHERE seq = $1"},
		{"another entry", "UPDATE events SET hash = 'another' WHERE seq = $1"},
	} {
		t.Run(lost.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
			number := logged(t, s, "in the backup")
			eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
			before, _ := s.Alive()
			var cut atomic.Bool
			cut.Store(true)
			defer s.Attach(func([]counterfoil.Event) error { // stands for a follower whose connection is lost just then
				if cut.Load() {
					return errors.New("the connection is lost")
				}
				return nil
			})()
			number = logged(t, s, "answered") // as a revocation is
			s.raw(t, lost.by, number)
			cut.Store(false)
			eventually(t, "a new epoch", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
		})
	}
}

// A node goes on in one epoch where the log holds what it has answered by, read or not, and where retention has taken it since.
func TestAnsweredIsThere(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MinLease})
	before, _ := s.Alive()
	follows := s.engine.(*postgresEngine).follower
	for range 3 {
		number := logged(t, s, "answered")
		hash := read(t, s, "", func(tx *Tx) (b []byte, err error) {
			return b, tx.q.row("SELECT hash FROM events WHERE seq = $1", number).Scan(&b)
		})
		follows.answered.note(head{number: number, hash: hash})
		eventually(t, "it was asked for", longest, func() bool { numbers, _ := follows.answered.all(); return len(numbers) == 0 })
		eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
		logged(t, s, "what the follower goes on from")
		eventually(t, "nothing is left", longest, func() bool { return s.Standing().Behind == 0 })
		s.raw(t, "INSERT INTO removed_events (seq, organization, digest, hash) SELECT seq, organization, hash, hash FROM events WHERE seq = $1", number)
		s.raw(t, "DELETE FROM events WHERE seq = $1", number)
		follows.answered.note(head{number: number, hash: hash})
		eventually(t, "it was asked for", longest, func() bool { numbers, _ := follows.answered.all(); return len(numbers) == 0 })
	}
	if after, alive := s.Alive(); after != before || !alive {
		t.Errorf("the epoch was %d and is %d; alive: %v", before, after, alive)
	}
}

// What a node has said of the log that was followed before does not keep it from saying how far it is in another one.
func TestSaysHowFarItIsInAnotherLog(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MaxLease})
	var floor atomic.Int64
	floor.Store(math.MaxInt64)
	s.Gate(floor.Load)
	first := logged(t, s, "in the backup")
	logged(t, s, "after it")
	number := logged(t, s, "after that")
	follows := s.engine.(*postgresEngine).follower
	eventually(t, "it has said so", longest, func() bool { return follows.claimed.Load() >= number })
	before, _ := s.Alive()
	s.raw(t, "DELETE FROM events WHERE seq > $1", first)
	eventually(t, "a new epoch", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
	floor.Store(first)
	number = logged(t, s, "after the restore")
	eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
	eventually(t, "it has said what it may", longest, func() bool { return follows.claimed.Load() > 0 })
	floor.Store(math.MaxInt64) // the verifiers have it
	if err := s.Applied(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := read(t, s, "", func(tx *Tx) (n int64, err error) { return n, tx.q.row("SELECT MAX(applied) FROM nodes").Scan(&n) })
	if said < number {
		t.Errorf("it says %d to the others, and is at %d", said, number)
	}
}
