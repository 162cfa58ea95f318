package verifiers

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// No credential but the one that a verifier reports with speaks for it while it trusts what it remembers.
func TestOneCredential(t *testing.T) {
	s := New(time.Minute, 0)
	end, err := s.Report("ver_a", "tok_a", 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Report("ver_a", "tok_b", 1000); !errors.Is(err, ErrTaken) {
		t.Errorf("another credential reports, while it is answered: %v", err)
	}
	end(time.Minute)
	if _, err := s.Report("ver_a", "tok_b", 1000); !errors.Is(err, ErrTaken) {
		t.Errorf("another credential reports: %v", err)
	}
	if err := s.Leave("ver_a", "tok_b"); !errors.Is(err, ErrTaken) || s.Floor() != 5 {
		t.Errorf("another credential signs it off: %v, and the floor is %d", err, s.Floor())
	}
	if err := s.Leave("ver_a", "tok_a"); err != nil || s.Count() != 0 {
		t.Errorf("it signs off: %v, %d are left", err, s.Count())
	}
	if _, err := s.Report("ver_a", "tok_b", 7); err != nil {
		t.Errorf("the id is free, and not to be had: %v", err)
	}
}

// A report that is answered after its verifier has left, and come again, ends nothing of the next one.
func TestLeftAndCameAgain(t *testing.T) {
	s := New(time.Minute, 0)
	before, _ := s.Report("ver_a", "tok_a", 5)
	_ = s.Leave("ver_a", "tok_a")
	after, _ := s.Report("ver_a", "tok_a", 6)
	before(time.Minute)
	if s.Floor() != 6 {
		t.Error("one whose report is being answered is not waited for")
	}
	after(0)
	if s.Count() != 0 {
		t.Error("one that was granted nothing is waited for")
	}
}

// One credential does not take every place.
func TestPlacesOfOneCredential(t *testing.T) {
	s := New(time.Minute, 0)
	join := func(i int, by string) error {
		end, err := s.Report(fmt.Sprint("ver_", i), by, 5)
		if err == nil {
			end(time.Minute)
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
	s := New(time.Minute, 0)
	if _, err := s.Report("ver_a", "tok_a", 5); err != nil {
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
