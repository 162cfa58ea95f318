package store

import (
	"reflect"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func testMemberNames(t *testing.T, s *fixture) {
	for _, name := range []string{"Ada L.", "Countess of Lovelace"} {
		s.write(t, s.organization(t), func(tx *Tx) error {
			m, err := tx.InsertMember(counterfoil.Member{Email: "ADA@example.com", Name: name, Status: counterfoil.MemberInvited})
			if err == nil && (m.Name != name || m.Email != "ada@example.com") {
				t.Errorf("made %q <%s>, want %q: a name is its organization's own", m.Name, m.Email, name)
			}
			return err
		})
	}
}

func testMembers(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	insert := func(org string, m counterfoil.Member) (made Member) {
		t.Helper()
		s.write(t, org, func(tx *Tx) (err error) {
			made, err = tx.InsertMember(m)
			return err
		})
		return made
	}
	email, external := strings.ToLower("Ann"+org+"@Example.COM"), "hr-7"
	ann := insert(org, counterfoil.Member{Email: "Ann" + org + "@Example.COM", Name: "Ann Ärmel", Roles: []string{"owner", "member"},
		Status: counterfoil.MemberInvited, ExternalID: &external})
	want := Member{counterfoil.Member{ID: ann.ID, UserID: ann.UserID, Email: email, Name: "Ann Ärmel", Roles: []string{"owner", "member"},
		Status: counterfoil.MemberInvited, ExternalID: &external, CreatedAt: s.Now().Time()}, 1}
	if !reflect.DeepEqual(ann, want) || ann.ID == "" || ann.UserID == "" {
		t.Errorf("inserted %+v, want %+v", ann, want)
	}
	there := insert(other, counterfoil.Member{Email: "ANN" + org + "@example.com", Name: "Someone", Roles: []string{"member"}, Status: counterfoil.MemberActive})
	if there.UserID != ann.UserID || there.ID == ann.ID {
		t.Errorf("the same e-mail is user %s here and %s there; members %s and %s", ann.UserID, there.UserID, ann.ID, there.ID)
	}
	bob := insert(org, counterfoil.Member{Email: "bob%" + org + "@example.com", Name: "Bob_1", Status: counterfoil.MemberActive})
	if len(bob.Roles) != 0 || bob.ExternalID != nil {
		t.Errorf("a member of no roles: %+v", bob)
	}

	ann.Roles, ann.Status = []string{"admin"}, counterfoil.MemberSuspended
	s.write(t, org, func(tx *Tx) error { return tx.UpdateMember(ann.Member) })
	ann.Version = 2
	if got := present(t, s, org, func(tx *Tx) (Member, bool, error) { return tx.Member(ann.ID) }); !reflect.DeepEqual(got, ann) {
		t.Errorf("updated %+v, want %+v", got, ann)
	}
	if got := present(t, s, other, func(tx *Tx) (Member, bool, error) { return tx.Member(there.ID) }); !reflect.DeepEqual(got, there) {
		t.Errorf("the same person elsewhere changed too: %+v", got)
	}

	for _, c := range []struct {
		text, after string
		limit       int
		want        string
	}{
		{"", "", 10, ann.ID + bob.ID}, {"", "", 1, ann.ID}, {"", ann.ID, 10, bob.ID}, {"", bob.ID, 10, ""},
		{"ANN", "", 10, ann.ID}, {"ÄRM", "", 10, ann.ID}, {"ärm", "", 10, ann.ID}, {"%", "", 10, bob.ID}, {"b_1", "", 10, bob.ID}, {"someone", "", 10, ""},
	} {
		list := read(t, s, org, func(tx *Tx) ([]Member, error) { return tx.Members(c.text, c.after, c.limit) })
		var got string
		for _, m := range list {
			got += m.ID
		}
		if got != c.want {
			t.Errorf("members with %q after %q: %s, want %s", c.text, c.after, got, c.want)
		}
	}

	s.write(t, org, func(tx *Tx) error { return tx.DeleteMember(ann.ID) })
	if _, found := lookUp(t, s, org, func(tx *Tx) (Member, bool, error) { return tx.Member(ann.ID) }); found {
		t.Error("a deleted member is found")
	}
	if back := insert(org, counterfoil.Member{Email: email}); back.UserID != ann.UserID || back.ID == ann.ID {
		t.Errorf("added again the person is user %s, was %s", back.UserID, ann.UserID)
	}
}

func testHolders(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	add := func(org, name string, status counterfoil.MemberStatus, roles ...string) (id string) {
		s.write(t, org, func(tx *Tx) error {
			m, err := tx.InsertMember(counterfoil.Member{Email: name + org + "@example.com", Name: name, Roles: roles, Status: status})
			id = m.ID
			return err
		})
		return id
	}
	first := add(org, "a", counterfoil.MemberActive, "owner")
	second := add(org, "b", counterfoil.MemberActive, "admin", "owner", "a_b")
	add(org, "c", counterfoil.MemberActive, "co-owner", "owners", "owner-2", "axb", "own")
	add(org, "d", counterfoil.MemberInvited, "owner")
	add(org, "e", counterfoil.MemberSuspended, "member", "owner")
	add(org, "f", counterfoil.MemberActive)
	add(other, "g", counterfoil.MemberActive, "owner", "a_b")
	others := func(except string) int64 {
		return read(t, s, org, func(tx *Tx) (int64, error) { return tx.OtherOwners(except) })
	}
	for except, want := range map[string]int64{first: 1, second: 1, "": 2, "mem_x": 2} {
		if got := others(except); got != want {
			t.Errorf("active owners but %q: %d, want %d", except, got, want)
		}
	}
	s.write(t, org, func(tx *Tx) error {
		return tx.UpdateMember(counterfoil.Member{ID: second, Roles: []string{"admin"}, Status: counterfoil.MemberActive})
	})
	if got := others(first); got != 0 {
		t.Errorf("the last owner has %d others", got)
	}
	for role, want := range map[string]int64{
		"owner": 3, "owners": 1, "owner-2": 1, "own": 1, "co-owner": 1, "admin": 1, "member": 1, "a_b": 0, "axb": 1, "wner": 0, "%": 0, "_wner": 0, "Owner": 0,
	} {
		if got := read(t, s, org, func(tx *Tx) (int64, error) { return tx.RoleHolders(role) }); got != want {
			t.Errorf("%d hold %q, want %d", got, role, want)
		}
	}
	counts := read(t, s, org, func(tx *Tx) (map[string]int64, error) { return tx.RoleCounts() })
	if want := (map[string]int64{"owner": 3, "owners": 1, "owner-2": 1, "own": 1, "co-owner": 1, "admin": 1, "member": 1, "axb": 1}); !reflect.DeepEqual(counts, want) {
		t.Errorf("roles have %v members, want %v", counts, want)
	}
	names := ""
	for _, m := range read(t, s, org, func(tx *Tx) ([]Member, error) { return tx.MembersWith("owner", 2) }) {
		names += m.Name
	}
	if names != "ad" {
		t.Errorf("the first two owners are %q, want a and d", names)
	}
	filter := NewID("ipf")
	s.write(t, org, func(tx *Tx) error {
		var tokens []Token
		for range 3 {
			token := newToken(tokenID())
			token.IPFilter = filter
			tokens = append(tokens, token)
			if err := tx.InsertToken(token); err != nil {
				return err
			}
		}
		tokens[0].Version, tokens[0].RevokedAt = 1, tx.Now()
		return firstError(tx.UpdateToken(tokens[0]), tx.InsertToken(newToken(tokenID())))
	})
	for id, want := range map[string]int64{filter: 2, "": 0, NewID("ipf"): 0} {
		if got := read(t, s, org, func(tx *Tx) (map[string]int64, error) { return tx.IPFilterUsers() }); got[id] != want {
			t.Errorf("%v use filter %q, want %d", got, id, want)
		}
	}
}
