package rules_test

import (
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestTechnician: the role is built in for providers alone, and there it comes before any other of its name.
func TestTechnician(t *testing.T) {
	c := catalogue(t, counterfoil.CatalogueRole{Name: counterfoil.RoleTechnician, Permissions: []string{"devices:write"}})
	s := stored()
	technician := store.Member{Member: counterfoil.Member{Roles: []string{counterfoil.RoleTechnician}}}
	ordinary := rules.Compile(s, c)
	if got := ordinary.Holds(technician.Roles); !slices.Equal(got, counterfoil.NewPermissions("devices:write")) || len(ordinary.Abroad(technician)) != 0 {
		t.Errorf("of an organization that is no provider, the catalogue's role holds %v, and elsewhere %v", got, ordinary.Abroad(technician))
	}
	s.Organization.Provider = true
	s.Roles = []store.Role{{Role: counterfoil.Role{ID: "rol_1", Name: counterfoil.RoleTechnician, Permissions: counterfoil.NewPermissions("devices:read")}}}
	provider := rules.Compile(s, c)
	if got := provider.Holds(technician.Roles); !slices.Equal(got, counterfoil.NewPermissions(counterfoil.PermOrganizationsRead)) {
		t.Errorf("of a provider the role holds %v", got)
	}
	abroad := provider.Abroad(technician)
	for permission, want := range map[string]bool{"devices:write": true, "audit:read": true, "billing:read": false, counterfoil.PermMembersWrite: true, counterfoil.PermTokensWrite: true,
		counterfoil.PermOrganizationsWrite: false, counterfoil.PermExportsRead: false, counterfoil.PermUsageRead: false, counterfoil.PermProviderKeysWrite: false, counterfoil.PermOrganizationsRead: false} {
		if abroad.Has(permission) != want {
			t.Errorf("a technician holds %s elsewhere and not in the provider: %t", permission, !want)
		}
	}
	for _, test := range []struct {
		c     *rules.Compiled
		roles []string
		want  rules.Reach
	}{
		{provider, []string{"owner"}, rules.ReachAll}, {provider, []string{"member", "admin"}, rules.ReachAll}, {provider, []string{"technician", "admin"}, rules.ReachAll},
		{provider, []string{"technician", "member"}, rules.ReachAssigned}, {provider, []string{"member"}, rules.ReachNone}, {provider, nil, rules.ReachNone},
		{ordinary, []string{"owner"}, rules.ReachNone}, {ordinary, []string{"technician"}, rules.ReachNone},
	} {
		if got := test.c.Reach(test.roles); got != test.want {
			t.Errorf("%v of a provider (%t) reach %d, want %d", test.roles, test.c.Org.Provider, got, test.want)
		}
	}
	if admin := (store.Member{Member: counterfoil.Member{Roles: []string{"admin"}}}); len(provider.Abroad(admin)) != 0 || len(rules.Visiting(c, rules.ReachNone)) != 0 {
		t.Error("an admin holds more elsewhere than in the provider, or nobody's reach something")
	}
}
