package verifiers

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// log is a log that stays the same.
func log(epoch uint64) func() (uint64, bool) { return func() (uint64, bool) { return epoch, true } }

// No credential but the one that a verifier reports with speaks for it while it trusts what it remembers.
func TestOneCredential(t *testing.T) {
	s := New(time.Minute, 0, log(1))
	r, err := s.Report("ver_a", "tok_a")
	if err != nil {
		t.Fatal(err)
	}
	r.Applied(5, 1)
	if _, err := s.Report("ver_a", "tok_b"); !errors.Is(err, ErrTaken) {
		t.Errorf("another credential reports, while it is answered: %v", err)
	}
	r.End(time.Minute)
	if _, err := s.Report("ver_a", "tok_b"); !errors.Is(err, ErrTaken) {
		t.Errorf("another credential reports: %v", err)
	}
	if err := s.Leave("ver_a", "tok_b"); !errors.Is(err, ErrTaken) || s.Floor() != 5 {
		t.Errorf("another credential signs it off: %v, and the floor is %d", err, s.Floor())
	}
	if err := s.Leave("ver_a", "tok_a"); err != nil || s.Count() != 0 {
		t.Errorf("it signs off: %v, %d are left", err, s.Count())
	}
	if _, err := s.Report("ver_a", "tok_b"); err != nil {
		t.Errorf("the id is free, and not to be had: %v", err)
	}
}

// A report that is answered after its verifier has left, and come again, ends nothing of the next one.
func TestLeftAndCameAgain(t *testing.T) {
	s := New(time.Minute, 0, log(1))
	before, _ := s.Report("ver_a", "tok_a")
	_ = s.Leave("ver_a", "tok_a")
	after, _ := s.Report("ver_a", "tok_a")
	after.Applied(6, 1)
	before.Applied(5, 1)
	before.End(time.Minute)
	if s.Floor() != 6 {
		t.Error("one whose report is being answered is not waited for")
	}
	after.End(0)
	if s.Count() != 0 {
		t.Error("one that was granted nothing is waited for")
	}
}

// One credential does not take every place.
func TestPlacesOfOneCredential(t *testing.T) {
	s := New(time.Minute, 0, log(1))
	join := func(i int, by string) error {
		r, err := s.Report(fmt.Sprint("ver_", i), by)
		if err == nil {
			r.End(time.Minute)
		}
		return err
	}
	for i := range MostOfOne {
		if err := join(i, "tok_a"); err != nil {
			t.Fatalf("the verifier %d: %v", i, err)
		}
	}
	if err := join(MostOfOne, "tok_a"); !errors.Is(err, ErrFull) {
		t.Errorf("one more of the same credential: %v", err)
	}
	if err := join(0, "tok_a"); err != nil {
		t.Errorf("one that is known reports again: %v", err)
	}
	for i := MostOfOne; i < Most; i++ {
		if err := join(i, fmt.Sprint("tok_", i%9)); err != nil {
			t.Fatalf("the verifier %d, of another: %v", i, err)
		}
	}
	if err := join(Most, "tok_z"); !errors.Is(err, ErrMany) {
		t.Errorf("more than there is room for: %v", err)
	}
	if err := s.Leave("ver_0", "tok_a"); err != nil {
		t.Fatal(err)
	}
	if err := join(Most, "tok_a"); err != nil {
		t.Errorf("a place that was given up: %v", err)
	}
}

// What a report brings is done once, also where it is sent again while the first one is under way; what failed is done again.
func TestOnce(t *testing.T) {
	s := New(time.Minute, 0, log(1))
	if _, err := s.Report("ver_a", "tok_a"); err != nil {
		t.Fatal(err)
	}
	done, fails := 0, errors.New("the database is away")
	do := func(err error) func() error {
		return func() error {
			if time.Sleep(time.Millisecond); err == nil {
				done++ // by one at a time
			}
			return err
		}
	}
	if err := s.Once("ver_a", "one", do(fails)); !errors.Is(err, fails) {
		t.Error(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := s.Once("ver_a", "one", do(nil)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if done != 1 {
		t.Errorf("it was done %d times", done)
	}
	for i, key := range []string{"two", "", "", "three"} {
		if err := s.Once("ver_a", key, do(nil)); err != nil || done != 2+i {
			t.Errorf("%q: %v, done %d times", key, err, done)
		}
	}
	if err := s.Once("ver_gone", "one", do(nil)); err != nil || done != 6 {
		t.Errorf("of one that has left: %v, done %d times", err, done)
	}
}

// What was applied of another log counts for nothing, and the lease that was granted by it is waited for.
func TestAnotherLog(t *testing.T) {
	var epoch atomic.Uint64
	s := New(time.Minute, 0, func() (uint64, bool) { return epoch.Load(), true })
	report := func(epoch uint64, lease time.Duration) {
		t.Helper()
		r, err := s.Report("ver_a", "tok_a")
		if err != nil {
			t.Fatal(err)
		}
		r.Applied(1000, epoch)
		r.End(lease)
	}
	report(0, 300*time.Millisecond)
	began := time.Now()
	if out := s.Await(t.Context(), 901); len(out) != 1 || out[0].Fenced || s.Floor() != 1000 {
		t.Errorf("of the log that it follows: %+v, and the floor is %d", out, s.Floor())
	}
	epoch.Store(1)
	report(0, 0) // was begun before that
	if s.Floor() != 0 {
		t.Errorf("of the log before the floor is %d", s.Floor())
	}
	if out := s.Await(t.Context(), 901); len(out) != 1 || !out[0].Fenced || time.Since(began) < 200*time.Millisecond {
		t.Errorf("of the log before: %+v, after %v", out, time.Since(began))
	}
	report(1, time.Minute)
	if out := s.Await(t.Context(), 901); len(out) != 1 || out[0].Fenced {
		t.Errorf("of this one: %+v", out)
	}
}
