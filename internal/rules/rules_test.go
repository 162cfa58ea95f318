package rules_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

func catalogue(t *testing.T, roles ...counterfoil.CatalogueRole) *counterfoil.Catalogue {
	t.Helper()
	c, problems := counterfoil.NewCatalogue([]counterfoil.Permission{
		{Name: "devices:read", Default: true}, {Name: "devices:write"}, {Name: "audit:read", Kinds: []counterfoil.Kind{counterfoil.KindOrganization}},
		{Name: "billing:read", Kinds: []counterfoil.Kind{}},
	}, roles)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

func stored() store.Rules {
	s := store.Rules{Organization: store.Organization{Organization: counterfoil.Organization{ID: "org_1", Status: counterfoil.OrgActive}, Version: 3}}
	for i, kind := range counterfoil.PolicyKinds {
		s.Policies = append(s.Policies, store.Policy{Policy: counterfoil.DefaultPolicy(kind), Version: int64(i + 1)})
	}
	return s
}

func TestRoles(t *testing.T) {
	c := catalogue(t, counterfoil.CatalogueRole{Name: "operator", Permissions: []string{"devices:write", "audit:read"}})
	s := stored()
	s.Roles = []store.Role{
		{Role: counterfoil.Role{ID: "rol_1", Name: "crew", Permissions: counterfoil.NewPermissions("devices:read", "billing:read", "gone:read")}},
		{Role: counterfoil.Role{ID: "rol_2", Name: "operator", Permissions: counterfoil.NewPermissions("devices:read")}}, // as the catalogue's, which counts
		{Role: counterfoil.Role{ID: "rol_3", Name: "owner", Permissions: counterfoil.NewPermissions()}},
	}
	compiled := rules.Compile(s, c)
	for _, row := range []struct {
		roles []string
		want  counterfoil.Permissions
	}{
		{nil, nil},
		{[]string{"nobody"}, nil},
		{[]string{"nobody", "nothing"}, nil},
		{[]string{"crew"}, counterfoil.NewPermissions("devices:read")}, // without what no person may hold and what does not exist
		{[]string{"operator"}, counterfoil.NewPermissions("devices:write", "audit:read")},
		{[]string{"crew", "operator", "nobody"}, counterfoil.NewPermissions("devices:read", "devices:write", "audit:read")},
		{[]string{counterfoil.RoleMember}, counterfoil.NewPermissions("devices:read")},
		{[]string{counterfoil.RoleOwner}, c.People()},
		{[]string{counterfoil.RoleAdmin}, c.People()},
	} {
		if got := compiled.Holds(row.roles); !slices.Equal(got, row.want) {
			t.Errorf("%v hold %v, want %v", row.roles, got, row.want)
		}
	}
	for name, want := range map[string]bool{"crew": true, "operator": true, "owner": true, "nobody": false, "": false} {
		if _, ok := compiled.Role(name); ok != want {
			t.Errorf("role %q: %t", name, ok)
		}
	}
	if c.People().Has("billing:read") || !c.People().Has("audit:read") {
		t.Fatal("the catalogue is not what this test takes it for")
	}
}

func TestHolder(t *testing.T) {
	compiled := rules.Compile(stored(), catalogue(t))
	for status, want := range map[counterfoil.MemberStatus]bool{
		counterfoil.MemberActive: true, counterfoil.MemberInvited: false, counterfoil.MemberSuspended: false, "": false, "fine": false,
	} {
		h := compiled.Holder(store.Member{Member: counterfoil.Member{Status: status, Roles: []string{counterfoil.RoleMember}}})
		if h.Active != want || !h.Permissions.Has("devices:read") {
			t.Errorf("a member who is %q: %+v", status, h)
		}
	}
	if h := compiled.Holder(store.Member{}); h.Active || len(h.Permissions) != 0 {
		t.Errorf("a member who is gone: %+v", h)
	}
}

// TestWhatCannotBeReadDenies compiles damaged rules (S10).
func TestWhatCannotBeReadDenies(t *testing.T) {
	s := stored()
	s.Policies = s.Policies[:2]
	s.Policies[1].Kind = "root"
	s.IPFilters = []store.IPFilter{
		{IPFilter: counterfoil.IPFilter{ID: "ipf_good", Name: "good", Rules: "allow 10.0.0.0/8"}},
		{IPFilter: counterfoil.IPFilter{ID: "ipf_bad", Name: "bad", Rules: "allow all\nallow everyone"}},
	}
	c := rules.Compile(s, catalogue(t))
	if !c.Policy(counterfoil.KindPersonal).Allowed || c.Policy(counterfoil.KindOrganization).Allowed || c.Policy(counterfoil.KindIntegration).Allowed {
		t.Errorf("policies: %+v", c.Rules)
	}
	ip := netip.MustParseAddr("10.1.2.3")
	for id, want := range map[string]bool{"ipf_good": true, "ipf_bad": false, "ipf_none": false} {
		if allowed, _, _ := c.Filters[id].Decide(ip); allowed != want {
			t.Errorf("filter %s allows: %t", id, allowed)
		}
	}
	for status, want := range map[counterfoil.OrgStatus]bool{counterfoil.OrgActive: true, counterfoil.OrgSuspended: false, "": false} {
		s.Organization.Status = status
		if got := rules.Compile(s, catalogue(t)).OrganizationActive; got != want {
			t.Errorf("an organization that is %q is active: %t", status, got)
		}
	}
	s.Organization.Status, s.Organization.Deleted = counterfoil.OrgActive, true
	if rules.Compile(s, catalogue(t)).OrganizationActive {
		t.Error("a deleted organization is active")
	}
	if system := rules.System(catalogue(t)); system.OrganizationActive || system.Personal.Allowed || system.Organization.Allowed || system.Integration.Allowed {
		t.Errorf("the instance's rules allow tokens of organizations: %+v", system.Rules)
	}
}

func TestFinding(t *testing.T) {
	s := stored()
	s.IPFilters = []store.IPFilter{{IPFilter: counterfoil.IPFilter{ID: "ipf_1", Name: "office"}}, {IPFilter: counterfoil.IPFilter{ID: "ipf_2", Name: "home"}}}
	c := rules.Compile(s, catalogue(t))
	for name, want := range map[string]string{"ipf_1": "ipf_1", "office": "ipf_1", "home": "ipf_2", "": "", "ipf_3": ""} {
		if f, ok := c.IPFilter(name); f.ID != want || ok != (want != "") {
			t.Errorf("filter %q is %q, %t", name, f.ID, ok)
		}
	}
	for i, kind := range counterfoil.PolicyKinds {
		if p, ok := c.StoredPolicy(kind); !ok || p.Kind != kind || p.Version != int64(i+1) {
			t.Errorf("policy %s is %+v, %t", kind, p, ok)
		}
	}
	if p, ok := c.StoredPolicy(counterfoil.KindSystem); ok {
		t.Errorf("there is a policy for system tokens: %+v", p)
	}
}

func TestRecord(t *testing.T) {
	got := rules.Record(&store.Token{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Permissions: counterfoil.NewPermissions("a:b"),
		IPFilter: "ipf_1", RevokedAt: 1, Paused: true, RenewedAt: 2, ExpiresAt: 3, PreviousUntil: 4})
	if got.Kind != counterfoil.KindIntegration || got.Integration != counterfoil.IntegrationSplunk || !got.Permissions.Has("a:b") || got.IPFilter != "ipf_1" ||
		!got.Revoked || !got.Paused || got.RenewedAt != 2 || got.ExpiresAt != 3 || got.PreviousUntil != 4 {
		t.Errorf("the record is %+v", got)
	}
	if rules.Record(&store.Token{}).Revoked {
		t.Error("a token that was never revoked is")
	}
}

func TestInForce(t *testing.T) {
	var f rules.InForce
	empty := f.Catalogue()
	if empty == nil || empty != f.Catalogue() || !empty.All().Has(counterfoil.PermTokensRead) {
		t.Error("without a catalogue there is not always the same one with the service's own permissions")
	}
	one, two := catalogue(t), catalogue(t)
	f.Set(one, "one")
	if f.Replace(empty, two, "two") || f.Catalogue() != one {
		t.Error("a catalogue was replaced that is not in force any more")
	}
	if !f.Replace(one, two, "two") || f.Catalogue() != two {
		t.Error("the catalogue in force was not replaced")
	}
}

// TestCache remembers what is committed, by version and catalogue, and nothing of what a transaction sees of itself.
func TestCache(t *testing.T) {
	s, err := store.Open(context.Background(), store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := &rules.Cache{InForce: &rules.InForce{}}
	c.InForce.Set(catalogue(t), "")
	org := store.NewID("org")
	write := func(fn func(*store.Tx) error) error {
		return s.Update(context.Background(), org, store.ForRules, fn)
	}
	committed := func(org string) (out *rules.Compiled) {
		t.Helper()
		err := s.View(context.Background(), org, func(tx *store.Tx) (err error) {
			out, err = c.Committed(tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if committed(org) != nil {
		t.Error("an organization that does not exist has rules")
	}
	if system := committed(""); system == nil || system.Org.ID != "" || system.Catalogue != c.InForce.Catalogue() {
		t.Errorf("the instance's rules are %+v", system)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write(func(tx *store.Tx) error {
		return tx.InsertOrganization(counterfoil.Organization{ID: org, Slug: "one", Name: "One", Status: counterfoil.OrgActive})
	}))
	first := committed(org)
	if first == nil || !first.Personal.Allowed || committed(org) != first {
		t.Fatal("the rules are not remembered")
	}
	if !c.Known(first) || !c.Has(org) || c.Has("org_none") || !c.Known(nil) || !c.Known(committed("")) || c.Known(rules.Compile(store.Rules{Organization: first.Org}, first.Catalogue)) {
		t.Error("the cache does not know what it remembers")
	}
	disallow := func(tx *store.Tx) error {
		p := counterfoil.DefaultPolicy(counterfoil.KindPersonal)
		p.Allowed = false
		return tx.UpdatePolicy(p)
	}
	undone := counterfoil.Refuse(counterfoil.CodeInUse, "undone")
	if err := write(func(tx *store.Tx) error {
		must(disallow(tx))
		within, err := c.Within(tx)
		must(err)
		if within.Personal.Allowed {
			t.Error("a transaction does not see its own rules")
		}
		return undone
	}); err != error(undone) {
		t.Fatal(err)
	}
	// The version that was undone comes again, with other content.
	must(write(func(tx *store.Tx) error {
		return tx.InsertIPFilter(counterfoil.IPFilter{ID: "ipf_1", Name: "office", Rules: "allow all"})
	}))
	second := committed(org)
	if second == first || !second.Personal.Allowed || second.Filters["ipf_1"] == nil {
		t.Error("the rules are those that were undone")
	}
	must(write(disallow))
	if third := committed(org); third.Personal.Allowed {
		t.Error("the rules are old")
	}
	c.InForce.Set(catalogue(t, counterfoil.CatalogueRole{Name: "operator", Permissions: []string{"devices:read"}}), "")
	if _, ok := committed(org).Role("operator"); !ok {
		t.Error("the catalogue is old")
	}
}
