package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func TestPlace(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "": "", "elsewhere": "",
	} {
		if got := Place(ip); got != want {
			t.Errorf("%q is in %q, want %q", ip, got, want)
		}
	}
}

func testPlaces(t *testing.T, s *fixture) {
	org := s.organization(t)
	token := newToken(tokenID())
	s.write(t, org, func(tx *Tx) error { return tx.InsertToken(token) })
	use := func(ip string) {
		t.Helper()
		if err := s.RecordUses(t.Context(), []Use{{Token: token.ID, IP: ip, At: epoch, Count: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	untold := func() (out []string) {
		for _, p := range read(t, s, "", func(tx *Tx) ([]NewPlace, error) { return tx.NewPlaces(1000) }) {
			if p.Token == token.ID && p.Organization == org {
				out = append(out, p.Place)
			}
		}
		slices.Sort(out)
		return out
	}
	for _, ip := range []string{"", "10.1.1.1", "10.1.1.2", "10.1.2.1", "10.1.2.2"} {
		use(ip)
	}
	if got := untold(); !slices.Equal(got, []string{"10.1.2.0/24"}) {
		t.Errorf("the first place is where it is at home, the second is new: %v", got)
	}
	for i := range 2 {
		s.write(t, org, func(tx *Tx) error {
			claimed, err := tx.ClaimPlace(token.ID, "10.1.2.0/24")
			if claimed != (i == 0) {
				t.Errorf("claim %d: %v", i, claimed)
			}
			return err
		})
	}
	for i := range 30 {
		use(fmt.Sprintf("10.2.%d.1", i))
	}
	if got := untold(); len(got) != maxPlaces-2 {
		t.Errorf("of 32 places %d are told of, want %d", len(got), maxPlaces-2)
	}
}

func testEnding(t *testing.T, s *fixture) {
	org := s.organization(t)
	const day = 24 * time.Hour
	now := s.Now()
	token := func(name string, renewed, expires time.Duration, kind counterfoil.Kind) Token {
		made := newToken(tokenID())
		made.Name, made.Kind, made.RenewedAt, made.ExpiresAt = name, kind, now+counterfoil.Instant(renewed.Microseconds()), 0
		if expires != 0 {
			made.ExpiresAt = now + counterfoil.Instant(expires.Microseconds())
		}
		return made
	}
	year := int64(365 * 24 * 3600)
	list := []Token{
		token("soon ", 0, 5*day, counterfoil.KindOrganization), token("just ended ", -100*day, -day, counterfoil.KindOrganization),
		token("late", 0, 20*day, counterfoil.KindOrganization), token("never", 0, 0, counterfoil.KindOrganization),
		token("long ended", -100*day, -9*day, counterfoil.KindOrganization), token("revoked", 0, 5*day, counterfoil.KindOrganization),
		token("by the policy ", -360*day, 90*day, counterfoil.KindPersonal), token("not yet by the policy", -300*day, 0, counterfoil.KindPersonal),
	}
	s.write(t, org, func(tx *Tx) error {
		policy := counterfoil.DefaultPolicy(counterfoil.KindPersonal)
		policy.MaxLifetimeSeconds = &year
		if err := tx.UpdatePolicy(policy); err != nil {
			return err
		}
		for _, made := range list {
			if err := tx.InsertToken(made); err != nil {
				return err
			}
			if made.Name == "revoked" {
				made.Version, made.RevokedAt = 1, now
				if err := tx.UpdateToken(made); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var names []string
	for after := ""; ; {
		var found []Token
		var last string
		err := s.View(t.Context(), "", func(tx *Tx) (err error) {
			found, last, err = tx.Ending(after, 3, now.Plus(-3*24*3600), now.Plus(15*24*3600))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Organization == org {
				names = append(names, f.Name)
			}
		}
		if after = last; last == "" {
			break
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, ""); got != "by the policy just ended soon " {
		t.Errorf("found %q", got)
	}
	for i, ends := range []counterfoil.Instant{now, now, now + 1} {
		s.write(t, org, func(tx *Tx) error {
			told, err := tx.Noticed(list[0].ID, ends, 7)
			claimed, err2 := tx.ClaimNotice(list[0].ID, ends, 7)
			if claimed == told || claimed != (i != 1) {
				t.Errorf("claim %d: %v, told before: %v", i, claimed, told)
			}
			return firstError(err, err2)
		})
	}
	if err := s.PruneNotices(t.Context(), now+1); err != nil {
		t.Fatal(err)
	}
	kept := read(t, s, org, func(tx *Tx) (b [2]bool, err error) {
		if b[0], err = tx.Noticed(list[0].ID, now, 7); err != nil {
			return b, err
		}
		b[1], err = tx.Noticed(list[0].ID, now+1, 7)
		return b, err
	})
	if kept != [2]bool{false, true} {
		t.Errorf("after pruning, told: %v", kept)
	}
}

func testLetters(t *testing.T, s *fixture) {
	org, user := s.organization(t), NewID("usr")
	now := s.Now()
	s.write(t, org, func(tx *Tx) error {
		return firstError(tx.InsertLetter(Letter{User: user, Kind: "k", Subject: "one", Data: "{}", DueAt: now}),
			tx.InsertLetter(Letter{User: user, Kind: "k", Subject: "two", Data: "{}", DueAt: now.Plus(60)}))
	})
	waits := func() bool {
		return slices.Contains(read(t, s, "", func(tx *Tx) ([]string, error) { return tx.Awaiting(1000) }), user)
	}
	take := func() (out []Letter) {
		s.write(t, "", func(tx *Tx) (err error) {
			out, err = tx.TakeLetters(user, 10, tx.Now(), tx.Now().Plus(600))
			return err
		})
		return out
	}
	if !waits() {
		t.Error("nobody waits")
	}
	first := take()
	if len(first) != 1 || first[0].Subject != "one" || first[0].Organization != org || first[0].Attempts != 1 {
		t.Fatalf("taken: %+v", first)
	}
	if again := take(); len(again) != 0 || waits() {
		t.Errorf("what was taken is taken again: %+v", again)
	}
	s.later(601 * time.Second)
	second := take()
	if len(second) != 2 || second[0].Subject != "one" || second[0].Attempts != 2 || second[1].Attempts != 1 {
		t.Errorf("later: %+v", second)
	}
	s.write(t, "", func(tx *Tx) error {
		return firstError(tx.DeleteLetter(second[0].ID), tx.PostponeLetter(second[1].ID, tx.Now(), 5))
	})
	if third := take(); len(third) != 1 || third[0].Subject != "two" || third[0].Attempts != 6 {
		t.Errorf("at last: %+v", third)
	}
}
