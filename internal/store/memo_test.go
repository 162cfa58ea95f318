package store

import (
	"testing"

	"github.com/counterfoil/counterfoil"
)

// Whatever an engine remembers of rows that it read, a transaction reads what it wrote, and after an undo what was there.
func testReadsOwnWrites(t *testing.T, s *fixture) {
	w := makeWorld(t, s)
	type state struct {
		token   string
		member  counterfoil.MemberStatus
		org     int64
		revoked bool
	}
	lookWith := func(tx *Tx, find func(string) (Token, bool, error)) (got state, err error) {
		token, _, err := find(w.token)
		if err != nil {
			return got, err
		}
		member, found, err := tx.Member(w.member)
		if err != nil || !found {
			return got, err
		}
		o, _, err := tx.CurrentOrganization()
		return state{token.Name, member.Status, o.Version, token.RevokedAt != 0}, err
	}
	look := func(tx *Tx) (state, error) { return lookWith(tx, tx.Credential) }
	truth := func() state {
		return read(t, s, w.org, func(tx *Tx) (state, error) { return lookWith(tx, tx.Token) })
	}
	steps := map[string]func(tx *Tx) error{
		"token": func(tx *Tx) error {
			token, _, err := tx.TokenForUpdate(w.token)
			token.Name += "!"
			return firstError(err, tx.UpdateToken(token))
		},
		"revocation": func(tx *Tx) error { return done1(tx.RevokeTokens("", "x", "y", "z")) },
		"member": func(tx *Tx) error {
			return tx.UpdateMember(counterfoil.Member{ID: w.member, Status: counterfoil.MemberSuspended})
		},
		"member gone":  func(tx *Tx) error { return tx.DeleteMember(w.member) },
		"organization": func(tx *Tx) error { return tx.UpdateOrganization(counterfoil.Organization{Name: "x"}) },
		"policy":       func(tx *Tx) error { return tx.UpdatePolicy(counterfoil.Policy{Kind: counterfoil.KindPersonal}) },
		"role":         func(tx *Tx) error { return tx.DeleteRole(w.role) },
		"filter":       func(tx *Tx) error { return tx.DeleteIPFilter(w.filter) },
		"deletion":     func(tx *Tx) error { return tx.DeleteOrganization() },
	}
	before := truth()
	for _, commits := range []bool{false, true} {
		for name, change := range steps {
			var first, second state
			err := s.Update(t.Context(), w.org, ForRules, func(tx *Tx) (err error) {
				if first, err = look(tx); err != nil {
					return err
				}
				if err := change(tx); err != nil {
					return err
				}
				if second, err = look(tx); err != nil || commits {
					return err
				}
				return ErrStale
			})
			if (err == nil) != commits {
				t.Fatal(name, err)
			}
			var after state
			s.write(t, w.org, func(tx *Tx) (err error) {
				after, err = look(tx)
				return err
			})
			stored := truth()
			if first != before || after != stored {
				t.Errorf("%s: read %+v, then its own %+v, afterwards %+v; stored before %+v, now %+v", name, first, second, after, before, stored)
			}
			if !commits && stored != before {
				t.Errorf("%s: undone, but %+v became %+v", name, before, stored)
			}
			if commits && stored != second {
				t.Errorf("%s: read its own %+v, committed %+v", name, second, stored)
			}
			before = stored
		}
	}
}
