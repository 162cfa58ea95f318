package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func testErrorsUndo(t *testing.T, s *fixture) {
	w := makeWorld(t, s)
	before := dump(t, s, w)
	last, err := s.LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var nothing *Token
	for name, end := range map[string]func() error{
		"a refusal":       func() error { return counterfoil.Refuse(counterfoil.CodeLastOwner, "no") },
		"ErrStale":        func() error { return ErrStale },
		"ErrTaken":        func() error { return ErrTaken },
		"another error":   func() error { return errors.New("boom") },
		"a panic":         func() error { panic("boom") },
		"a runtime panic": func() error { nothing.Name = ""; return nil },
		"a damaged event": func() error { return nil },
	} {
		for _, lock := range []Lock{ForTokens, ForRules} {
			err := s.Update(t.Context(), w.org, lock, func(tx *Tx) error {
				e := counterfoil.Event{Type: "tokens", Action: "token_created"}
				if name == "a damaged event" {
					e.Metadata = []byte("{")
				}
				tx.Append(e)
				err := firstError(tx.InsertToken(newToken(tokenID())), tx.DeleteRole(w.role), tx.DeleteMember(w.member), tx.SaveReceipt(w.receipt, "x"))
				if err != nil {
					return err
				}
				return end()
			})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if after := dump(t, s, w); after != before {
			t.Errorf("%s left\n%s\nwas\n%s", name, after, before)
		}
	}
	s.write(t, w.org, func(tx *Tx) error {
		tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
		return nil
	})
	if n, err := s.LastEvent(t.Context()); err != nil || n != last+1 {
		t.Errorf("the next event is number %d (%v), want %d", n, err, last+1)
	}
}

// What fn passes over must not be committed by halves on one engine and refused by the other.
func testDoomed(t *testing.T, s *fixture) {
	w := makeWorld(t, s)
	before := dump(t, s, w)
	err := s.Update(t.Context(), w.org, ForRules, func(tx *Tx) error {
		tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
		if err := tx.InsertToken(newToken(tokenID())); err != nil {
			return err
		}
		if err := tx.InsertToken(newToken(w.token)); err != ErrTaken {
			return fmt.Errorf("inserting it again: %w", err)
		}
		return nil
	})
	if !isUnavailable(err) {
		t.Errorf("passing over ErrTaken: %v", err)
	}
	if after := dump(t, s, w); after != before {
		t.Errorf("it left\n%s\nwas\n%s", after, before)
	}
}

func testRefusalsPass(t *testing.T, s *fixture) {
	org := s.organization(t)
	refusal := counterfoil.Refuse(counterfoil.CodeInUse, "It is in use.")
	for _, want := range []error{refusal, fmt.Errorf("asking: %w", refusal), ErrTaken, ErrStale, ErrCursor} {
		fn := func(*Tx) error { return want }
		if err := s.Update(t.Context(), org, ForTokens, fn); err != want {
			t.Errorf("Update made %v of %v", err, want)
		}
		if err := s.View(t.Context(), org, fn); err != want {
			t.Errorf("View made %v of %v", err, want)
		}
	}
	cause := errors.New("boom")
	fn := func(*Tx) error { return cause }
	for name, err := range map[string]error{"Update": s.Update(t.Context(), org, ForTokens, fn), "View": s.View(t.Context(), org, fn)} {
		if !isUnavailable(err) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testCanceled(t *testing.T, s *fixture) {
	org := s.organization(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	fn := func(*Tx) error {
		ran = true
		return nil
	}
	if err := s.Update(ctx, org, ForTokens, fn); !isUnavailable(err) || !errors.Is(err, context.Canceled) || ran {
		t.Errorf("Update: %v, ran %v", err, ran)
	}
	if err := s.View(ctx, org, fn); !isUnavailable(err) || ran {
		t.Errorf("View: %v, ran %v", err, ran)
	}
	// One that has begun is carried through, so that its outcome is known.
	ctx, cancel = context.WithCancel(t.Context())
	token := newToken(tokenID())
	err := s.Update(ctx, org, ForTokens, func(tx *Tx) error {
		cancel()
		return tx.InsertToken(token)
	})
	if _, found, _ := s.LookUp(t.Context(), token.ID); err != nil || !found {
		t.Errorf("canceled while it ran: %v, found %v", err, found)
	}
}

func testConcurrentWriters(t *testing.T, s *fixture) {
	const writers, rounds = 16, 10
	shared := s.organization(t)
	counter := newToken(tokenID())
	s.write(t, shared, func(tx *Tx) error { return tx.InsertToken(counter) })
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for j := range rounds {
				lock := Lock(j % 2)
				fails := (i+j)%3 == 0
				err := s.Update(t.Context(), shared, lock, func(tx *Tx) error {
					tx.Append(counterfoil.Event{Type: "tokens", Action: "token_updated"})
					if err := tx.InsertToken(newToken(tokenID())); err != nil {
						return err
					}
					token, _, err := tx.TokenForUpdate(counter.ID)
					if err != nil {
						return err
					}
					token.Name = fmt.Sprint(i, j)
					if err := tx.UpdateToken(token); err != nil {
						return err
					}
					switch {
					case fails && j%2 == 0:
						panic("fails")
					case fails:
						return ErrStale
					}
					return nil
				})
				if (err != nil) != fails {
					t.Errorf("writer %d, round %d: %v", i, j, err)
				}
			}
		})
	}
	group.Wait()
	want := 0
	for i := range writers {
		for j := range rounds {
			if (i+j)%3 != 0 {
				want++
			}
		}
	}
	got := present(t, s, shared, func(tx *Tx) (Token, bool, error) { return tx.Token(counter.ID) })
	list := tokensOf(t, s, shared)
	events := read(t, s, shared, func(tx *Tx) ([]counterfoil.Event, error) { return eventsIn(tx, 10000) })
	if got.Version != int64(want)+1 || len(list) != want+1 || len(events) != want {
		t.Errorf("version %d, %d tokens, %d events after %d good writes", got.Version, len(list), len(events), want)
	}
}

// A transaction ForTokens finds the same rules at its end as at its start; on PostgreSQL the lock alone sees to it.
func testLocks(t *testing.T, s *fixture) {
	org := s.organization(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				err := s.Update(t.Context(), org, ForTokens, func(tx *Tx) error {
					one, _, err := tx.CurrentOrganization()
					if err != nil {
						return err
					}
					for range 3 {
						if two, _, err := tx.CurrentOrganization(); err != nil || one.Version != two.Version {
							return fmt.Errorf("version %d became %d: %w", one.Version, two.Version, err)
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range 20 {
				err := s.Update(t.Context(), org, ForRules, func(tx *Tx) error {
					return tx.UpdatePolicy(counterfoil.DefaultPolicy(counterfoil.KindPersonal))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if v := present(t, s, org, current).Version; v != 1+4*20 {
		t.Errorf("version %d after 80 changes", v)
	}
}

func testViewIsOneState(t *testing.T, s *fixture) {
	org := s.organization(t)
	read(t, s, org, func(tx *Tx) (_ struct{}, err error) {
		before, _, err := tx.CurrentOrganization()
		if err != nil {
			return struct{}{}, err
		}
		s.write(t, org, func(tx *Tx) error {
			return firstError(tx.UpdatePolicy(counterfoil.Policy{Kind: counterfoil.KindPersonal}), tx.InsertToken(newToken(tokenID())))
		})
		rules, _, err := tx.Rules()
		if err != nil {
			return struct{}{}, err
		}
		list, _, err := tx.Tokens(TokenFilter{Limit: 10})
		if rules.Organization.Version != before.Version || len(list) != 0 {
			t.Errorf("a view saw a change that was committed after it began: %+v, %d tokens", rules, len(list))
		}
		return struct{}{}, err
	})
	if v := present(t, s, org, current).Version; v != 2 {
		t.Errorf("the next view sees version %d", v)
	}
}
