package store

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// Neither a renewal of the lease nor a page for verifiers reads all that retention has ever removed.
func TestWhatWasRemovedIsNotReadAgain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MinLease})
	const removed = 50_000
	s.raw(t, "INSERT INTO removed_events (seq, organization, digest, hash) SELECT -n, 'org_01234567890123456789012345678901', decode(repeat('ab',32),'hex'), decode(repeat('cd',32),'hex') FROM generate_series(1, $1) n", removed)
	s.raw(t, "ANALYZE removed_events")
	number := logged(t, s, "the end")
	read := func() (rows int64) {
		time.Sleep(2500 * time.Millisecond) // until the counts are told
		return read(t, s, "", func(tx *Tx) (n int64, err error) {
			return n, tx.q.row("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'removed_events'").Scan(&n)
		})
	}
	before := read()
	time.Sleep(3 * time.Second)
	after := read()
	t.Logf("renewals read %d rows", after-before)
	if after-before > removed {
		t.Errorf("while nothing happened, renewals read %d rows of what was removed", after-before)
	}
	began := time.Now()
	for range 200 {
		if err := s.View(t.Context(), "", func(tx *Tx) error { _, err := tx.RemovedAfter(number); return err }); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	if last := read(); last-after > 20*removed {
		t.Errorf("200 pages read %d rows of what was removed, in %v", last-after, took)
	}
}
