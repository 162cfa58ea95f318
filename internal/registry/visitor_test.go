package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// house is a provider with two customers and people who are signed in.
type house struct {
	*Registry
	provider, alpha, beta counterfoil.Organization
	dir                   string
	now                   time.Time
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	h.dir = t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Dir: h.dir, Now: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h.Registry = New(Config{Store: s, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {}, Plans: []string{"teams", "business"}, DataCenter: "local", URL: "https://x.example"})
	if h.provider, err = h.CreateOrganization(t.Context(), Operator(), counterfoil.OrganizationDraft{Name: "Provider", Provider: true}); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]*counterfoil.Organization{"Alpha": &h.alpha, "Beta": &h.beta} {
		m, err := h.CreateManaged(t.Context(), Operator(), h.provider.ID, counterfoil.ManagedDraft{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		*at = m.Organization
	}
	return h
}

// signIn makes an active member of the provider and a session of theirs, which an organization vouched for unless that is
// empty.
func (h *house) signIn(t *testing.T, role, vouched string) Caller {
	t.Helper()
	m, err := h.AddMember(t.Context(), Operator(), h.provider.ID, counterfoil.MemberDraft{Email: store.NewID("p") + "@provider.example", Name: role, Roles: []string{role}})
	if err != nil {
		t.Fatal(err)
	}
	active := counterfoil.MemberActive
	if _, _, err := h.EditMember(t.Context(), Operator(), h.provider.ID, m.ID, counterfoil.MemberEdit{Status: &active}); err != nil {
		t.Fatal(err)
	}
	return h.session(t, m, vouched)
}

func (h *house) session(t *testing.T, m counterfoil.Member, vouched string) Caller {
	t.Helper()
	id := store.NewID("ses")
	err := h.Store.Update(t.Context(), "", store.ForTokens, func(tx *store.Tx) error {
		return tx.InsertSession(store.Session{ID: id, User: m.UserID, Organization: vouched, EndsAt: tx.Now().Plus(24 * 3600)}, []byte(id))
	})
	if err != nil {
		t.Fatal(err)
	}
	return Caller{Kind: counterfoil.KindPersonal, Session: id, Member: m.ID, Organization: h.provider.ID}
}

func is(err error, code counterfoil.Code) bool {
	if code == counterfoil.CodeOK {
		return err == nil
	}
	return errors.Is(err, counterfoil.Refuse(code, ""))
}

// TestVisit: a person's session opens what their role in the provider gives them, and nothing that another organization
// vouched for.
func TestVisit(t *testing.T) {
	h := newHouse(t)
	owner, tech, member := h.signIn(t, counterfoil.RoleOwner, ""), h.signIn(t, counterfoil.RoleTechnician, ""), h.signIn(t, counterfoil.RoleMember, "")
	if _, _, err := h.SetAssignments(t.Context(), owner, h.provider.ID, tech.Member, counterfoil.Assignments{Organizations: []string{h.alpha.ID}}); err != nil {
		t.Fatal(err)
	}
	vouched, elsewhere, stolen := h.signIn(t, counterfoil.RoleAdmin, h.provider.ID), h.signIn(t, counterfoil.RoleAdmin, h.alpha.ID), tech
	stolen.Member = owner.Member
	const ok, none = counterfoil.CodeOK, counterfoil.CodeNotFound
	for _, test := range []struct {
		name  string
		c     Caller
		where string
		want  counterfoil.Code
	}{
		{"an owner", owner, h.beta.ID, ok},
		{"by the slug", owner, h.beta.Slug, ok},
		{"a technician", tech, h.alpha.ID, ok},
		{"a technician, not assigned", tech, h.beta.ID, none},
		{"a member", member, h.alpha.ID, none},
		{"by the provider's own sign-in", vouched, h.alpha.ID, ok},
		{"by the customer's sign-in", elsewhere, h.alpha.ID, none},
		{"somebody else's session", stolen, h.beta.ID, none},
		{"the provider itself", owner, h.provider.ID, none},
		{"nowhere", owner, "org_nowhere", none},
	} {
		v, err := h.Visit(t.Context(), test.c, test.where)
		if !is(err, test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if err == nil && (v.Provider.ID != h.provider.ID || v.Technician != (test.c.Member == tech.Member) || v.Holds.Has(counterfoil.PermExportsWrite) == v.Technician || !v.Holds.Has(counterfoil.PermMembersWrite)) {
			t.Errorf("%s: %+v", test.name, v)
		}
	}
	anonymous := tech
	anonymous.Session = ""
	if _, err := h.Visit(t.Context(), anonymous, h.alpha.ID); !is(err, counterfoil.CodeMissingCredentials) {
		t.Errorf("without a session: %v", err)
	}
	forged := member.In(h.alpha.ID)
	forged.Provider = h.alpha.ID
	if _, err := h.Member(t.Context(), forged, h.alpha.ID, "mem_x"); !is(err, none) {
		t.Errorf("from an organization that is no provider: %v", err)
	}
}

// TestVisitorActs: what a visitor does is judged in each transaction, asks for a fresh proof, and makes no link for whoever
// has joined.
func TestVisitorActs(t *testing.T) {
	h := newHouse(t)
	admin := h.signIn(t, counterfoil.RoleAdmin, "").In(h.alpha.ID)
	link, err := h.Invite(t.Context(), admin, h.alpha.ID, counterfoil.MemberDraft{Email: "ann@alpha.example", Name: "Ann", Roles: []string{counterfoil.RoleOwner}})
	if err != nil || link.URL == "" {
		t.Fatalf("the first owner's invitation: %+v, %v", link, err)
	}
	if _, err := h.LinkMember(t.Context(), admin, h.alpha.ID, link.Member.ID); err != nil {
		t.Errorf("the invitation again: %v", err)
	}
	active := counterfoil.MemberActive
	bob, err := h.AddMember(t.Context(), admin, h.alpha.ID, counterfoil.MemberDraft{Email: "bob@alpha.example", Name: "Bob", Roles: []string{counterfoil.RoleMember}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.EditMember(t.Context(), admin, h.alpha.ID, bob.ID, counterfoil.MemberEdit{Status: &active}); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() error{
		"a link":  func() error { _, err := h.LinkMember(t.Context(), admin, h.alpha.ID, bob.ID); return err },
		"a reset": func() error { _, err := h.ResetSignIn(t.Context(), admin, h.alpha.ID, bob.ID); return err },
	} {
		if err := make(); !is(err, counterfoil.CodeMissingPermission) {
			t.Errorf("%s for a member who has joined: %v", name, err)
		}
	}
	h.now = h.now.Add(StepUp*time.Second + time.Second)
	plan := "business"
	if _, _, err := h.EditOrganization(t.Context(), admin, h.alpha.ID, counterfoil.OrganizationEdit{Plan: &plan}); !errors.Is(err, ErrStepUp) {
		t.Errorf("without a fresh proof: %v", err)
	}
	if _, err := h.Member(t.Context(), admin, h.alpha.ID, bob.ID); err != nil {
		t.Errorf("a look needs none: %v", err)
	}
	suspended := counterfoil.MemberSuspended
	if _, _, err := h.EditMember(t.Context(), Operator(), h.provider.ID, admin.Member, counterfoil.MemberEdit{Status: &suspended}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Member(t.Context(), admin, h.alpha.ID, bob.ID); !is(err, counterfoil.CodeNotFound) {
		t.Errorf("suspended in the provider: %v", err)
	}
}
