package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func eventsIn(tx *Tx, limit int) ([]counterfoil.Event, error) {
	list, err := tx.FindEvents(EventFilter{Limit: limit})
	return list.Events, err
}

// model is an organization's log in memory, oldest first.
type model []counterfoil.Event

func (m model) passing(f EventFilter) (out model) {
	for _, e := range m {
		at := counterfoil.At(e.Timestamp)
		switch {
		case f.Type != "" && e.Type != f.Type, f.Action != "" && e.Action != f.Action,
			len(f.Users) > 0 && !slices.Contains(f.Users, e.User.UUID), f.Token != "" && eventToken(&e) != f.Token,
			f.From != 0 && at < f.From, f.Until != 0 && at >= f.Until, f.Match != nil && !f.Match(e.ID):
			continue
		}
		out = append(out, e)
	}
	return out
}

func numbers(events []counterfoil.Event) []int64 {
	out := make([]int64, len(events))
	for i := range events {
		out[i] = events[i].Number
	}
	return out
}

// grow writes n events of an organization among others', with a clock that jumps about, and returns the log as Follow
// reads it.
func grow(t *testing.T, s *fixture, org, other string, n int, r *rand.Rand) (m model) {
	t.Helper()
	began, err := s.LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for left := n; left > 0; {
		part := min(left, 1+r.IntN(400))
		left -= part
		s.later(time.Duration(r.IntN(4000)-500) * time.Millisecond)
		s.write(t, org, func(tx *Tx) error {
			for range part {
				e := counterfoil.Event{Type: fmt.Sprint("type", r.IntN(3)), Action: fmt.Sprint("action", r.IntN(2))}
				if r.IntN(3) > 0 {
					e.User.UUID = fmt.Sprint("user", r.IntN(5))
				}
				if r.IntN(4) == 0 {
					e.Target = counterfoil.Target{Kind: "token", ID: fmt.Sprint("tok_", r.IntN(3))}
				}
				tx.Append(e)
			}
			return tx.In(other, func(tx *Tx) error {
				tx.Append(counterfoil.Event{Type: "type0", Action: "action0", User: counterfoil.EventUser{UUID: "user0"}})
				return nil
			})
		})
	}
	for number := began; ; {
		events, err := s.Follow(t.Context(), number, 1000)
		if err != nil || len(events) == 0 {
			return m
		}
		for _, e := range events {
			number = e.Number
			if e.OrganizationID == org {
				m = append(m, e)
			}
		}
	}
}

// findEvents asks the log at each of three lengths for rounds lists and windows that are drawn at random.
func findEvents(t *testing.T, s *fixture, rounds int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	began := s.clock.Load()
	defer s.clock.Store(began)
	org, other := NewID("org"), NewID("org")
	var m model
	for _, n := range []int{300, 2*blockSize + 500, blockSize} { // none, some and more of it in blocks
		m = append(m, grow(t, s, org, other, n, r)...)
		if err := s.CountBlocks(t.Context()); err != nil {
			t.Fatal(err)
		}
		var counted int64
		s.write(t, org, func(tx *Tx) error {
			return tx.q.row("SELECT COALESCE(SUM(n), 0) FROM event_blocks WHERE organization = $1", org).Scan(&counted)
		})
		if want := int64(len(m) - len(m)%blockSize); counted != want {
			t.Fatalf("the blocks hold %d of %d entries, want %d", counted, len(m), want)
		}
		for range rounds {
			f := m.filter(r)
			findsLikeModel(t, s, org, m, f)
			windowLikeModel(t, s, org, m, f, r)
		}
	}
	if got, want := read(t, s, org, (*Tx).LastNumber), m[len(m)-1].Number; got != want {
		t.Errorf("the last number is %d, want %d", got, want)
	}
	oldBlocksAreTallied(t, s, org, other, m, rounds, r)
}

// oldBlocksAreTallied: a block without a tally is counted one by one, and gets one.
func oldBlocksAreTallied(t *testing.T, s *fixture, org, other string, m model, rounds int, r *rand.Rand) {
	t.Helper()
	s.raw(t, "DELETE FROM event_block_users WHERE first_seq < (SELECT MAX(first_seq) FROM event_blocks)")
	s.raw(t, "INSERT INTO event_block_users (organization, first_seq, last_seq, tally) SELECT organization, first_seq+1, last_seq, tally FROM event_block_users")
	for range rounds / 2 {
		windowLikeModel(t, s, org, m, m.filter(r), r)
	}
	for s.blocks.whole = false; !s.blocks.whole; {
		if err := s.CountBlocks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []string{org, other} {
		blocks, tallies := 0, 0
		s.write(t, o, func(tx *Tx) error {
			return tx.q.row("SELECT (SELECT COUNT(*) FROM event_blocks WHERE organization = $1), (SELECT COUNT(*) FROM event_block_users WHERE organization = $1)", o).Scan(&blocks, &tallies)
		})
		if blocks != tallies || o == org && blocks == 0 {
			t.Errorf("%d blocks have %d tallies", blocks, tallies)
		}
	}
	for range rounds / 2 {
		windowLikeModel(t, s, org, m, m.filter(r), r)
	}
}

func (m model) filter(r *rand.Rand) (f EventFilter) {
	f.Limit, f.Newest = 1+r.IntN(200), r.IntN(2) == 0
	if r.IntN(3) == 0 {
		f.Type = fmt.Sprint("type", r.IntN(4))
	}
	if r.IntN(6) == 0 {
		f.Action = "action1"
	}
	if r.IntN(3) == 0 {
		f.Users = []string{fmt.Sprint("user", r.IntN(6)), "user1", "nobody"}[:1+r.IntN(3)]
		for r.IntN(2) == 0 && len(f.Users) < 20 { // sometimes many
			f.Users = append(f.Users, fmt.Sprint("user", r.IntN(3)), "user2", "user 3", "user 4", "user 5", "user 6", "user 7")
		}
	}
	if r.IntN(4) == 0 {
		f.Token = fmt.Sprint("tok_", r.IntN(4))
	}
	if r.IntN(2) == 0 {
		f.From = counterfoil.At(m[r.IntN(len(m))].Timestamp)
	}
	if r.IntN(2) == 0 {
		f.Until = counterfoil.At(m[r.IntN(len(m))].Timestamp)
	}
	if r.IntN(5) == 0 {
		f.Match = func(text string) bool { return strings.Contains(text, "77") }
	}
	return f
}

// findsLikeModel pages through the log. Match is shown the id of an event alone, which is what the model shows it.
func findsLikeModel(t *testing.T, s *fixture, org string, m model, f EventFilter) {
	t.Helper()
	want := numbers(m.passing(f))
	if f.Newest {
		slices.Reverse(want)
	}
	if match := f.Match; match != nil {
		f.Match = func(body string) bool {
			_, id, _ := strings.Cut(body, `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			return match(id)
		}
	}
	var got []int64
	for f.After = 0; ; {
		list := read(t, s, org, func(tx *Tx) (EventList, error) { return tx.FindEvents(f) })
		got = append(got, numbers(list.Events)...)
		if !list.More {
			break
		}
		if list.Last == f.After {
			t.Fatalf("%+v: the list does not move on from %d", f, f.After)
		}
		f.After = list.Last
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v: found %d entries, want %d, or others", f, len(got), len(want))
	}
}

func windowLikeModel(t *testing.T, s *fixture, org string, m model, f EventFilter, r *rand.Rand) {
	t.Helper()
	f = EventFilter{From: f.From, Until: f.Until, Users: f.Users}
	if f.Until == 0 {
		f.Until = counterfoil.Instant(s.clock.Load()) + 1e9
	}
	want := numbers(m.passing(f))
	v := Window{From: f.From, Until: f.Until, Users: f.Users, Offset: r.Int64N(int64(len(want)) + 10), Limit: 1 + r.IntN(1000)}
	type answer struct {
		events []counterfoil.Event
		total  int64
	}
	got := read(t, s, org, func(tx *Tx) (a answer, err error) {
		a.events, a.total, err = tx.ReadWindow(v)
		return a, err
	})
	page := want[min(int(v.Offset), len(want)):min(int(v.Offset)+v.Limit, len(want))]
	if got.total != int64(len(want)) || !slices.Equal(numbers(got.events), page) {
		t.Errorf("%+v: %d entries of %d, want %d of %d, or others", v, len(got.events), got.total, len(page), len(want))
	}
}

func testSettled(t *testing.T, s *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	now := counterfoil.Instant(s.clock.Load())
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	first := true
	go func() {
		ended <- s.Update(context.Background(), "org_slow", ForTokens, func(*Tx) error {
			if first {
				first = false
				close(begun)
				<-end
			}
			return nil
		})
	}()
	<-begun
	s.clock.Add(1_000_000)
	defer s.clock.Add(-1_000_000)
	if err := s.Settled(ctx, now); err != nil { // the write began at now, not before
		t.Error(err)
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := s.Settled(short, now+1); !isUnavailable(err) {
		t.Errorf("a moment counts as settled while a write of before is open: %v", err)
	}
	settled := make(chan error, 1)
	go func() { settled <- s.Settled(ctx, now+1) }()
	close(end)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-settled; err != nil {
		t.Error(err)
	}
}

func testWatch(t *testing.T, s *fixture) {
	one, other := s.Watch("org_watched"), s.Watch("org_other")
	s.write(t, "org_watched", func(tx *Tx) error {
		tx.Append(counterfoil.Event{Type: "a", Action: "b"})
		return nil
	})
	select {
	case <-one:
	default:
		t.Error("the event was acknowledged, and its watcher does not know")
	}
	select {
	case <-other:
		t.Error("an organization's watcher heard of another one's event")
	default:
	}
}
