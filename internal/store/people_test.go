package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func testMemberFacts(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	var people [3]Member
	s.write(t, org, func(tx *Tx) (err error) {
		for i := range people {
			if people[i], err = tx.InsertMember(counterfoil.Member{Email: NewID("m") + "@example.com", Name: "M", Status: counterfoil.MemberActive}); err != nil {
				return err
			}
		}
		return nil
	})
	first, second, third := people[0], people[1], people[2]
	add := func(org, owner string, change func(*Token)) {
		t.Helper()
		s.write(t, org, func(tx *Tx) error {
			token := newToken(tokenID())
			token.Owner, token.RenewedAt = owner, tx.Now()
			change(&token)
			if err := tx.InsertToken(token); err != nil || token.RevokedAt == 0 {
				return err
			}
			token.Version = 1
			return tx.UpdateToken(token)
		})
	}
	now := s.Now()
	add(org, first.ID, func(*Token) {})
	add(org, first.ID, func(k *Token) { k.ExpiresAt = now.Plus(60) })
	add(org, first.ID, func(k *Token) { k.ExpiresAt = now.Plus(-60) })
	add(org, first.ID, func(k *Token) { k.Paused = true })
	add(org, first.ID, func(k *Token) { k.RevokedAt = now })
	add(org, first.ID, func(k *Token) { k.RenewedAt = now.Plus(-1000) }) // past the longest lifetime
	add(org, second.ID, func(*Token) {})
	add(other, first.ID, func(*Token) {})
	got := read(t, s, org, func(tx *Tx) (map[string]int64, error) {
		return tx.LiveTokens([]string{first.ID, third.ID}, map[counterfoil.Kind]int64{counterfoil.KindPersonal: 1000})
	})
	if want := (map[string]int64{first.ID: 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("live tokens %v, want %v", got, want)
	}

	user := counterfoil.EventUser{UUID: UUID(first.UserID)}
	happen := func(org, action string) {
		s.write(t, org, func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: "login", Action: action, User: user})
			return nil
		})
	}
	signedIn := func(user string) counterfoil.Instant {
		return read(t, s, org, func(tx *Tx) (counterfoil.Instant, error) {
			at, _, err := tx.LastSignIn(user)
			return at, err
		})
	}
	happen(other, "user_login_successful")
	happen(org, "user_login_failed")
	if at := signedIn(user.UUID); at != 0 {
		t.Errorf("signed in at %v, though not here", at.Time())
	}
	happen(org, "user_login_successful")
	want := s.Now()
	s.later(time.Hour)
	happen(org, "user_login_failed")
	happen(other, "user_login_successful")
	if at := signedIn(user.UUID); at != want {
		t.Errorf("last signed in at %v, want %v", at.Time(), want.Time())
	}
	if at := signedIn(UUID(second.UserID)); at != 0 {
		t.Errorf("somebody else signed in at %v", at.Time())
	}
}

// TestNoSignIn: that the log holds no sign-in of somebody is said where all was looked at that it holds about them.
func TestNoSignIn(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		org := s.organization(t)
		happen := func(action string, n int) {
			s.write(t, org, func(tx *Tx) error {
				for range n {
					tx.Append(counterfoil.Event{Type: "login", Action: action, User: counterfoil.EventUser{UUID: "somebody"}})
				}
				return nil
			})
		}
		expect := func(signedIn, want bool) {
			t.Helper()
			all := read(t, s, org, func(tx *Tx) (bool, error) {
				at, all, err := tx.LastSignIn("somebody")
				if (at != 0) != signedIn {
					t.Errorf("signed in at %v, want that it is told: %v", at.Time(), signedIn)
				}
				return all, err
			})
			if all != want {
				t.Errorf("all was looked at: %v, want %v", all, want)
			}
		}
		expect(false, true)
		happen("user_login_successful", 1)
		expect(true, true)
		s.later(time.Hour)
		announce(t, s, org, s.Now())
		removeAll(t, s, org) // what went is not in the log
		expect(false, true)
		happen("user_login_failed", lookBack-1)
		expect(false, true)
		happen("user_login_failed", 1)
		expect(false, false) // there may be more about them
	})
}
