package store

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func current(tx *Tx) (Organization, bool, error) { return tx.CurrentOrganization() }

func testOrganizations(t *testing.T, s *fixture) {
	if _, found := lookUp(t, s, NewID("org"), current); found {
		t.Error("an organization that was never made is there")
	}
	before, err := s.OrganizationCount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slug := UUID(NewID("org"))
	want := counterfoil.Organization{Slug: slug, Name: "Äcme \"x\"", Plan: "pro", License: counterfoil.LicenseNFR,
		Status: counterfoil.OrgActive, DataCenter: "eu-1"}
	want.ID = NewID("org")
	s.write(t, want.ID, func(tx *Tx) error { return tx.InsertOrganization(want) })
	want.CreatedAt = s.Now().Time()
	if got := present(t, s, want.ID, current); !reflect.DeepEqual(got, Organization{want, false, 1}) {
		t.Errorf("stored %+v", got)
	}
	rules := present(t, s, want.ID, func(tx *Tx) (Rules, bool, error) { return tx.Rules() })
	if len(rules.Policies) != len(counterfoil.PolicyKinds) || len(rules.IPFilters)+len(rules.Roles) != 0 {
		t.Errorf("a new organization's rules: %+v", rules)
	}
	for _, p := range rules.Policies {
		if !reflect.DeepEqual(p.Policy, counterfoil.DefaultPolicy(p.Kind)) || p.Version != 1 {
			t.Errorf("policy %+v is not the default", p)
		}
	}
	edited := want
	edited.Name, edited.Plan, edited.License, edited.Status, edited.DataCenter = "N", "free", counterfoil.LicenseTrial, counterfoil.OrgSuspended, "us"
	end := s.Now().Plus(counterfoil.TrialSeconds).Time()
	edited.Slug, edited.ManagedBy, edited.TrialEndsAt = "ignored", &want.ID, &end
	s.write(t, want.ID, func(tx *Tx) error { return tx.UpdateOrganization(edited) })
	edited.Slug = slug
	if got := present(t, s, want.ID, current); !reflect.DeepEqual(got, Organization{edited, false, 2}) {
		t.Errorf("updated %+v", got)
	}
	resolves(t, s, slug, want.ID)
	resolves(t, s, want.ID, want.ID)
	resolves(t, s, "", "")
	s.write(t, want.ID, func(tx *Tx) error { return tx.DeleteOrganization() })
	resolves(t, s, slug, "")
	resolves(t, s, want.ID, "")
	if got := present(t, s, want.ID, current); !got.Deleted || got.Status != counterfoil.OrgSuspended || got.Version != 3 {
		t.Errorf("deleted %+v", got)
	}
	again := NewID("org")
	s.write(t, again, func(tx *Tx) error { return tx.InsertOrganization(want) }) // its slug is free
	resolves(t, s, slug, again)
	if n, err := s.OrganizationCount(t.Context()); err != nil || n != before+2 {
		t.Errorf("%d organizations ever, %v; want %d", n, err, before+2)
	}
	list, err := s.Organizations(t.Context(), want.ID, 100)
	if err != nil || len(list) != 1 || list[0].ID != again {
		t.Errorf("those after the deleted one: %+v, %v", list, err)
	}
	if list, err := s.Organizations(t.Context(), "", 1); err != nil || len(list) != 1 || list[0].ID >= want.ID {
		t.Errorf("the oldest one: %+v, %v", list, err)
	}
}

func resolves(t *testing.T, s *fixture, name, want string) {
	t.Helper()
	got, found, err := s.ResolveOrganization(t.Context(), name)
	if err != nil || got != want || found != (want != "") {
		t.Errorf("%q resolves to %q, %v, %v; want %q", name, got, found, err, want)
	}
}

func testRulesVersion(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	year, enforced := int64(31536000), "ipf_1"
	policy := counterfoil.Policy{Kind: counterfoil.KindPersonal, PolicyTerms: counterfoil.PolicyTerms{
		Allowed: true, MaxLifetimeSeconds: &year, ExpiryRequired: true, EnforcedIPFilter: &enforced, PermissionUpdatesAllowed: true}}
	filter := counterfoil.IPFilter{ID: NewID("ipf"), Name: "office", Rules: "allow 10.0.0.0/8\r\ndeny all # ✓"}
	role := counterfoil.Role{ID: NewID("rol"), Name: "reader", Permissions: counterfoil.NewPermissions("b:read", "a:read")}
	created := s.Now().Time()
	get := func() Rules {
		return present(t, s, org, func(tx *Tx) (Rules, bool, error) { return tx.Rules() })
	}
	for i, step := range []struct {
		name   string
		change func(tx *Tx) error
		holds  func(r Rules) bool
	}{
		{"policy", func(tx *Tx) error { return tx.UpdatePolicy(policy) }, func(r Rules) bool {
			for _, p := range r.Policies {
				if p.Kind == policy.Kind {
					return reflect.DeepEqual(p, Policy{policy, 2})
				}
			}
			return false
		}},
		{"filter made", func(tx *Tx) error { return tx.InsertIPFilter(filter) }, func(r Rules) bool {
			filter.CreatedAt, filter.UpdatedAt = created, created
			return reflect.DeepEqual(r.IPFilters, []IPFilter{{filter, 1}})
		}},
		{"filter changed", func(tx *Tx) error {
			filter.Name, filter.Rules = "home", ""
			return tx.UpdateIPFilter(filter)
		}, func(r Rules) bool {
			filter.UpdatedAt = s.Now().Time()
			return reflect.DeepEqual(r.IPFilters, []IPFilter{{filter, 2}})
		}},
		{"filter deleted", func(tx *Tx) error { return tx.DeleteIPFilter(filter.ID) }, func(r Rules) bool { return len(r.IPFilters) == 0 }},
		{"role made", func(tx *Tx) error { return tx.InsertRole(role) }, func(r Rules) bool {
			role.Source = "organization"
			return reflect.DeepEqual(r.Roles, []Role{{role, 1}})
		}},
		{"role changed", func(tx *Tx) error {
			role.Permissions = counterfoil.NewPermissions("c:read")
			return tx.UpdateRole(role)
		}, func(r Rules) bool { return reflect.DeepEqual(r.Roles, []Role{{role, 2}}) }},
		{"role deleted", func(tx *Tx) error { return tx.DeleteRole(role.ID) }, func(r Rules) bool { return len(r.Roles) == 0 }},
	} {
		if i == 2 {
			s.later(1e9)
		}
		s.write(t, org, step.change)
		r := get()
		if r.Organization.Version != int64(i)+2 {
			t.Errorf("%s: the organization's version is %d, want %d", step.name, r.Organization.Version, i+2)
		}
		if !step.holds(r) {
			t.Errorf("%s: %+v", step.name, r)
		}
	}
	if v := present(t, s, other, current).Version; v != 1 {
		t.Errorf("the other organization's version is %d", v)
	}
	s.write(t, org, func(tx *Tx) error {
		for _, name := range []string{"b", "B", "a", "ä"} {
			if err := tx.InsertIPFilter(counterfoil.IPFilter{ID: NewID("ipf"), Name: name}); err != nil {
				return err
			}
		}
		return nil
	})
	var order string
	for _, f := range get().IPFilters {
		order += f.Name
	}
	if order != "Babä" {
		t.Errorf("filters come in the order %s", order)
	}
}

func testTaken(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	person := counterfoil.Member{Email: "Taken" + org + "@example.com", Name: "P"}
	filter := func(name string) func(*Tx) error {
		return func(tx *Tx) error { return tx.InsertIPFilter(counterfoil.IPFilter{ID: NewID("ipf"), Name: name}) }
	}
	role := func(name string) func(*Tx) error {
		return func(tx *Tx) error { return tx.InsertRole(counterfoil.Role{ID: NewID("rol"), Name: name}) }
	}
	token := newToken(tokenID())
	slug := UUID(NewID("org"))
	second := counterfoil.IPFilter{ID: NewID("ipf"), Name: "second"}
	for _, step := range []struct {
		name, org string
		change    func(*Tx) error
		want      error
	}{
		{"a slug", NewID("org"), func(tx *Tx) error { return tx.InsertOrganization(counterfoil.Organization{Slug: slug}) }, nil},
		{"that slug", NewID("org"), func(tx *Tx) error { return tx.InsertOrganization(counterfoil.Organization{Slug: slug}) }, ErrTaken},
		{"an organization once more", org, func(tx *Tx) error { return tx.InsertOrganization(counterfoil.Organization{Slug: slug + "x"}) }, ErrTaken},
		{"a filter", org, filter("office"), nil},
		{"its name", org, filter("office"), ErrTaken},
		{"its name in capitals", org, filter("Office"), nil},
		{"its name elsewhere", other, filter("office"), nil},
		{"a second filter", org, func(tx *Tx) error { return tx.InsertIPFilter(second) }, nil},
		{"renamed to the first", org, func(tx *Tx) error {
			second.Name = "office"
			return tx.UpdateIPFilter(second)
		}, ErrTaken},
		{"a role", org, role("reader"), nil},
		{"its name", org, role("reader"), ErrTaken},
		{"its name elsewhere", other, role("reader"), nil},
		{"a member", org, func(tx *Tx) error { return done1(tx.InsertMember(person)) }, nil},
		{"that person", org, func(tx *Tx) error { return done1(tx.InsertMember(person)) }, ErrTaken},
		{"that person elsewhere", other, func(tx *Tx) error { return done1(tx.InsertMember(person)) }, nil},
		{"a token", org, func(tx *Tx) error { return tx.InsertToken(token) }, nil},
		{"its id", org, func(tx *Tx) error { return tx.InsertToken(token) }, ErrTaken},
		{"its id elsewhere", other, func(tx *Tx) error { return tx.InsertToken(token) }, ErrTaken},
		{"an answer", org, func(tx *Tx) error { return tx.KeepAnswer(org, "k", Answer{}) }, nil},
		{"its key", org, func(tx *Tx) error { return tx.KeepAnswer(org, "k", Answer{}) }, ErrTaken},
	} {
		version := func() int64 {
			o, _ := lookUp(t, s, step.org, current)
			return o.Version
		}
		before := version()
		if err := s.Update(t.Context(), step.org, ForRules, step.change); err != step.want {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
		if step.want != nil && version() != before {
			t.Errorf("%s: the refused change raised the organization's version", step.name)
		}
	}
}

func done1[T any](_ T, err error) error { return err }

func testNumberedSlugs(t *testing.T, s *fixture) {
	const writers = 8
	base := UUID(NewID("org"))
	var slugs [writers]string
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			if err := s.Update(t.Context(), NewID("org"), ForRules, func(tx *Tx) error {
				o := counterfoil.Organization{Slug: base}
				err := tx.InsertOrganizationNumbered(&o)
				slugs[i] = o.Slug
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	slices.Sort(slugs[:])
	want := []string{base}
	for n := 2; n <= writers; n++ {
		want = append(want, fmt.Sprintf("%s-%d", base, n))
	}
	if !slices.Equal(slugs[:], want) {
		t.Errorf("slugs %q, want %q", slugs, want)
	}
}
