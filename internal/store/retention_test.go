package store

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// removeAll removes what was announced of an organization's entries.
func removeAll(t *testing.T, s *fixture, org string) {
	t.Helper()
	for more, err := true, error(nil); more; {
		if more, err = s.RemoveAnnounced(t.Context(), org); err != nil {
			t.Fatal(err)
		}
	}
}

func announce(t *testing.T, s *fixture, org string, before counterfoil.Instant) (n int64) {
	t.Helper()
	s.write(t, org, func(tx *Tx) (err error) {
		if n, err = tx.Removable(before); err != nil {
			return err
		}
		return tx.AnnounceRemoval(before)
	})
	return n
}

// TestRetention: entries go in portions, the chain stays whole and says what went, and windows count what is left.
func TestRetention(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.Lease = MaxLease // thousands of entries at once may take a while; this is not about leases
		s := open(t, config)
		const old, young = blockSize + 1200, 700 // the first block goes, the second is cut
		write := func(org string, n int) {
			s.write(t, org, func(tx *Tx) error {
				for i := range n {
					tx.Append(counterfoil.Event{Type: "login", Action: fmt.Sprint("a", i), User: counterfoil.EventUser{UUID: "person", Email: "ada@example.com"}})
				}
				return nil
			})
		}
		write("org_a", old)
		write("org_b", 10)
		s.later(24 * time.Hour)
		cut := s.Now()
		write("org_a", young)
		write("org_a", blockSize)
		if err := s.CountBlocks(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.write(t, "org_a", func(tx *Tx) error {
			return tx.SetSplunkExport(SplunkExport{URL: "https://example.com", Revision: "before", ExportProgress: ExportProgress{After: 100, Missing: 3}})
		})
		if n := announce(t, s, "org_a", cut); n != old {
			t.Fatalf("%d entries are to go, want %d", n, old)
		}
		export := read(t, s, "org_a", func(tx *Tx) (SplunkExport, error) { e, _, err := tx.SplunkExport(); return e, err })
		if export.Missing != 3+old-100 || export.LastMissing != old || export.After != old || export.Revision == "before" {
			t.Errorf("an export that is behind: %+v", export)
		}
		expectChain(t, s, old+10+young+blockSize+1, 0)
		if more, err := s.RemoveAnnounced(t.Context(), "org_a"); err != nil || !more {
			t.Fatal(more, err)
		}
		expectChain(t, s, old+10+young+blockSize+1, 0) // half-way
		if n := announce(t, s, "org_a", cut); n != 0 {
			t.Errorf("what was announced is announced again: %d", n)
		}
		removeAll(t, s, "org_a")
		expectChain(t, s, old+10+young+blockSize+1, 0)

		for org, want := range map[string]int64{"org_a": young + blockSize + 1, "org_b": 10} {
			events, total, err := readWindow(t, s, org, Window{Until: math.MaxInt64, Limit: 1})
			if err != nil || total != want || len(events) != 1 {
				t.Errorf("the window of %s has %d entries, want %d (%v)", org, total, want, err)
			}
			_, total, err = readWindow(t, s, org, Window{From: cut, Until: math.MaxInt64, Limit: 1})
			if left := want - 10; err != nil || org == "org_b" && total != left || org == "org_a" && total != want {
				t.Errorf("the window of %s from the cut on has %d entries (%v)", org, total, err)
			}
		}
		list := read(t, s, "org_a", func(tx *Tx) (EventList, error) { return tx.FindEvents(EventFilter{Limit: 1}) })
		if list.Events[0].Number != old+10+1 {
			t.Errorf("the first entry that is kept is %d", list.Events[0].Number)
		}
		through := read(t, s, "org_a", func(tx *Tx) (int64, error) { return tx.RemovedThrough() })
		if through != old {
			t.Errorf("removed through %d, want %d", through, old)
		}
		leftovers := read(t, s, "", func(tx *Tx) (n int64, err error) {
			return n, tx.q.row("SELECT COUNT(*) FROM events WHERE organization = 'org_a' AND at < $1", int64(cut)).Scan(&n)
		})
		if leftovers != 0 {
			t.Errorf("%d old rows are left", leftovers)
		}
		entries := read(t, s, "", func(tx *Tx) ([]counterfoil.LogEntry, error) { return tx.Entries(old-1, 3) })
		if len(entries) != 3 || entries[0].Body != "" || len(entries[0].Digest) != 32 || entries[0].OrganizationID != "org_a" || entries[1].Body == "" || entries[2].Number != old+2 {
			t.Errorf("an export reads %+v", entries)
		}
		s.later(24 * time.Hour)
		if n := announce(t, s, "org_a", s.Now()); n != young+blockSize+1 {
			t.Errorf("later %d entries are to go", n)
		}
		removeAll(t, s, "org_a")
		appendOne(t, s, "org_a", "after")
		expectChain(t, s, old+10+young+blockSize+3, 0)
	})
}

func readWindow(t *testing.T, s *fixture, org string, w Window) (events []counterfoil.Event, total int64, err error) {
	t.Helper()
	err = s.View(t.Context(), org, func(tx *Tx) (err error) {
		events, total, err = tx.ReadWindow(w)
		return err
	})
	return events, total, err
}

// TestRetentionTampering: nothing of an entry can be made away with as if the retention had done it.
// TestBlocksMeasuredBeforeARemoval: blocks that were measured before entries were removed, or that somebody else has written
// meanwhile, are not written as they were.
func TestBlocksMeasuredBeforeARemoval(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.Lease = MaxLease // as in TestRetention
		s := open(t, config)
		write := func(n int) {
			s.write(t, "org_a", func(tx *Tx) error {
				for range n {
					tx.Append(counterfoil.Event{Type: "login", Action: "in", User: counterfoil.EventUser{UUID: "person"}})
				}
				return nil
			})
		}
		write(1000)
		s.later(24 * time.Hour)
		cut := s.Now()
		write(2 * blockSize)
		full, _, err := s.measureBlocks(t.Context(), "org_a")
		if err != nil || len(full) != 2 {
			t.Fatal(len(full), err)
		}
		announce(t, s, "org_a", cut)
		removeAll(t, s, "org_a")
		if err := s.writeBlocks(t.Context(), "org_a", full); err != nil {
			t.Fatal(err)
		}
		const left = 2*blockSize + 1 // and the word of the removal
		var users int64 = 2 * blockSize
		if _, total, err := readWindow(t, s, "org_a", Window{Until: math.MaxInt64, Limit: 1}); err != nil || total != left {
			t.Errorf("after the removal %d entries, want %d (%v)", total, left, err)
		}
		again, _, err := s.measureBlocks(t.Context(), "org_a")
		if err != nil || len(again) == 0 {
			t.Fatal(len(again), err)
		}
		for range 2 { // the second time they are there
			if err := s.writeBlocks(t.Context(), "org_a", again); err != nil {
				t.Fatal(err)
			}
		}
		if _, total, err := readWindow(t, s, "org_a", Window{Until: math.MaxInt64, Limit: 1, Users: []string{"person"}}); err != nil || total != users {
			t.Errorf("counted anew, %d entries of the person, want %d (%v)", total, users, err)
		}
	})
}

func TestRetentionTampering(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		for i := range 6 {
			appendOne(t, s, []string{"org_a", "org_b"}[i%2], fmt.Sprint("a", i))
		}
		s.later(time.Hour)
		appendOne(t, s, "org_a", "young")
		announce(t, s, "org_a", s.Now()) // entries 1, 3, 5; the announcement is entry 8
		removeAll(t, s, "org_a")
		expectChain(t, s, 8, 0)
		// An entry of org_b is taken away, with its right digest: nothing accounts for it.
		const take = "INSERT INTO removed_events (seq, organization, digest, hash) SELECT seq, $2, $3, hash FROM events WHERE seq = $1"
		var body string
		read(t, s, "", func(tx *Tx) (_ struct{}, err error) {
			return struct{}{}, tx.q.row("SELECT body FROM events WHERE seq = 4").Scan(&body)
		})
		digest := digestOf(body)
		for _, org := range []string{"org_b", "org_a"} { // or is said to be org_a's: that is one more than the log says
			s.raw(t, take, 4, org, digest)
			s.raw(t, "CREATE TABLE kept AS SELECT * FROM events WHERE seq = 4")
			s.raw(t, "DELETE FROM events WHERE seq = 4")
			if entries, bad, err := s.VerifyChain(t.Context()); entries != 8 || bad == 0 || err != nil {
				t.Errorf("an entry that was taken away as %s's is not missed: %d, %d, %v", org, entries, bad, err)
			}
			s.raw(t, "DELETE FROM removed_events WHERE seq = 4")
			restore(t, s)
			expectChain(t, s, 8, 0)
		}
		s.raw(t, "UPDATE removed_events SET digest = $1 WHERE seq = 3", digest)
		expectChain(t, s, 2, 3)
		// The product cannot say that something was removed.
		s.write(t, "org_b", func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: removedType, Action: removedAction, Actor: counterfoil.Actor{Kind: "product"}, Metadata: []byte(`{"total":9,"through":9}`)})
			return nil
		})
		s.raw(t, take, 4, "org_b", digest)
		s.raw(t, "DELETE FROM events WHERE seq = 4")
		if _, bad, _ := s.VerifyChain(t.Context()); bad == 0 {
			t.Error("the product's word is taken for the retention's")
		}
	})
}

// restore puts back the row that was kept.
func restore(t *testing.T, s *fixture) {
	t.Helper()
	columns := "seq, id, organization, type, action, at, user_uuid, token, body, hash"
	s.raw(t, "INSERT INTO events ("+columns+") SELECT "+columns+" FROM kept")
	s.raw(t, "DROP TABLE kept")
}
