package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Every number comes once and in order, whatever commits when: to a reader that polls while many write, while one
// transaction that wrote its event early stays open until all others are done.
func TestLogHasNoHoles(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		const writers, rounds = 32, 12
		var total int64
		for i := range writers {
			for j := range rounds {
				total += int64(eventsOf(i, j))
			}
		}
		slow := openSlowly(t, s)
		stop := numberToo(t, s)
		follower := make(chan error, 1)
		go func() { follower <- followTo(t, s, total+slow.events) }()

		var group sync.WaitGroup
		for i := range writers {
			org := fmt.Sprint("org_", i)
			group.Go(func() {
				var ids []string
				for j := range rounds {
					made, err := appendEvents(t, s, org, eventsOf(i, j), (i+j)%5 == 0)
					if err != nil {
						t.Error(err)
						return
					}
					ids = append(ids, made...)
					// What a transaction wrote is numbered and readable when Update returns.
					var seen []string
					err = s.View(t.Context(), org, func(tx *Tx) error {
						events, err := eventsIn(tx, 1000)
						for _, e := range events {
							seen = append(seen, e.ID)
						}
						return err
					})
					if err != nil || !slices.Equal(seen, ids) {
						t.Errorf("%s wrote %v and reads %v (%v)", org, ids, seen, err)
						return
					}
				}
			})
		}
		group.Wait()
		if n, err := s.LastEvent(t.Context()); err != nil || n != total {
			t.Errorf("beside the open transaction %d events are numbered (%v), want %d", n, err, total)
		}
		slow.finish()
		stop()
		if err := <-follower; err != nil {
			t.Error(err)
		}
		if entries, bad, err := s.VerifyChain(t.Context()); entries != total+slow.events || bad != 0 || err != nil {
			t.Errorf("the chain has %d entries, the first bad one %d (%v); want %d, 0", entries, bad, err, total+slow.events)
		}
	})
}

func eventsOf(writer, round int) int { return (writer + round) % 3 }

// appendEvents makes one write with n events and, when asked, one beside it that fails.
func appendEvents(t *testing.T, s *fixture, org string, n int, failsToo bool) (ids []string, err error) {
	write := func(end error) error {
		return s.Update(t.Context(), org, ForTokens, func(tx *Tx) error {
			ids = ids[:0]
			for i := range n {
				tx.Append(counterfoil.Event{Type: "tokens", Action: fmt.Sprint("event ", i)})
			}
			for _, e := range tx.Appended() {
				ids = append(ids, e.ID)
			}
			return end
		})
	}
	if failsToo {
		if err := write(ErrStale); err != ErrStale {
			return nil, err
		}
	}
	return ids, write(nil)
}

// followTo reads the log as readers do, from a saved number on, until it has seen the entry last.
func followTo(t *testing.T, s *fixture, last int64) error {
	deadline := time.Now().Add(time.Minute)
	ids := map[string]bool{}
	for number := int64(0); number < last; {
		events, err := s.Follow(t.Context(), number, 7)
		if err != nil {
			return err
		}
		for _, e := range events {
			if number++; e.Number != number || ids[e.ID] {
				return fmt.Errorf("after entry %d comes %d, %s (seen before: %v)", number-1, e.Number, e.ID, ids[e.ID])
			}
			ids[e.ID] = true
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("entry %d did not come", number+1)
		}
	}
	return nil
}

type slowTransaction struct {
	events int64
	finish func()
}

// openSlowly opens a transaction whose event is in its table already, and leaves it open. SQLite has one writer: there
// is nothing to leave open.
func openSlowly(t *testing.T, s *fixture) slowTransaction {
	if s.Engine() == "sqlite" {
		return slowTransaction{finish: func() {}}
	}
	open, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.Update(t.Context(), "org_slow", ForTokens, func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: "tokens", Action: "second"})
			early := counterfoil.Event{ID: NewID("evt"), OrganizationID: tx.org, Type: "tokens", Action: "first", Timestamp: tx.now.Time()}
			err := insertUnnumbered(tx.q, &early)
			close(open)
			return errors.Join(err, busy(tx, release))
		})
	}()
	<-open
	return slowTransaction{events: 2, finish: func() {
		close(release)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}}
}

// busy keeps a transaction at work until done is closed: one that says nothing for long is ended.
func busy(tx *Tx, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		case <-time.After(leastHold / 10):
			if _, err := tx.q.exec("SELECT 1"); err != nil {
				return err
			}
		}
	}
}

// numberToo is a second process's sequencer, at work as well.
func numberToo(t *testing.T, s *fixture) (stop func()) {
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return func() {}
	}
	second, quit, ended := startSequencer(e.reads, e.bounds, func(head) {}), make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-quit:
				ended <- nil
				return
			default:
			}
			if _, err := second.wait(t.Context()); err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() {
		close(quit)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		second.stop()
	}
}

func TestEventsAreKept(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		occurred := epoch.Time().Add(-time.Hour)
		want := counterfoil.Event{Type: "login", Action: "user_login_failed", OccurredAt: &occurred,
			Actor:  counterfoil.Actor{Kind: "token", ID: "tok_1", TokenID: "tok_1", IP: "192.0.2.1", UserAgent: "<script>\u2028\"&"},
			Target: counterfoil.Target{Kind: "member", ID: "mem_1", Name: "Ärger\x00\x1b 雪"}, User: counterfoil.EventUser{UUID: "u", Email: "e"},
			Initiator: "cron", Metadata: []byte(`{"a":"<&>","b":[1.50,null]}`)}
		s.write(t, "org_1", func(tx *Tx) error {
			tx.Append(want)
			tx.Append(counterfoil.Event{ID: "forged", Number: 99, OrganizationID: "org_2", Hash: []byte("x"), Timestamp: occurred})
			return nil
		})
		got, err := s.Follow(t.Context(), 0, 10)
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		want.Number, want.ID, want.OrganizationID, want.Timestamp, want.Hash = 1, got[0].ID, "org_1", epoch.Time(), got[0].Hash
		if !sameEvent(got[0], want) {
			t.Errorf("stored %+v\nwant   %+v", got[0], want)
		}
		if e := got[1]; e.Number != 2 || e.ID == "forged" || e.OrganizationID != "org_1" || !e.Timestamp.Equal(epoch.Time()) || string(e.Metadata) != "{}" {
			t.Errorf("what the log fills in was taken from the caller: %+v", e)
		}
		for number, n := range map[int64]int{0: 2, 1: 1, 2: 0, 99: 0, -1: 2} {
			if list, err := s.Follow(t.Context(), number, 10); err != nil || len(list) != n {
				t.Errorf("after %d: %d entries, %v", number, len(list), err)
			}
		}
	})
}

func sameEvent(a, b counterfoil.Event) bool {
	x, errX := eventBody(&a)
	y, errY := eventBody(&b)
	return errX == nil && errY == nil && x == y && a.Number == b.Number && string(a.Hash) == string(b.Hash)
}

// TestFollowActions: what has one of some actions is shown, from one entry to another, whosever it is.
func TestFollowActions(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		for i, action := range []string{"a", "b", "c", "a", "b", "c"} {
			s.write(t, fmt.Sprint("org_", i), func(tx *Tx) error {
				tx.Append(counterfoil.Event{Type: "t", Action: action})
				return nil
			})
		}
		var got []string
		see := func(events []counterfoil.Event) error {
			for _, e := range events {
				got = append(got, fmt.Sprint(e.Number, e.Action, e.OrganizationID))
			}
			return nil
		}
		if err := s.FollowActions(t.Context(), 1, 5, []string{"a", "b"}, see); err != nil {
			t.Fatal(err)
		}
		if want := []string{"2borg_1", "4aorg_3", "5borg_4"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		failed := errors.New("enough")
		if err := s.FollowActions(t.Context(), 0, 6, []string{"a"}, func([]counterfoil.Event) error { return failed }); err != failed {
			t.Error(err)
		}
	})
}
