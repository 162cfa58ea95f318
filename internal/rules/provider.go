package rules

import (
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// technicianAtHome is what a technician holds in the provider itself: enough to see the organizations that they are
// assigned to.
var technicianAtHome = counterfoil.NewPermissions(counterfoil.PermOrganizationsRead)

// notTechnicians is what an admin of a managed organization holds and a technician there does not: the organization itself,
// what it is billed by, and its integrations.
var notTechnicians = counterfoil.NewPermissions(counterfoil.PermOrganizationsWrite, counterfoil.PermUsageRead, counterfoil.PermProviderKeysWrite,
	counterfoil.PermExportsRead, counterfoil.PermExportsWrite, counterfoil.PermActivityWrite)

// Reach is where in a provider's managed organizations one of its members acts.
type Reach int

const (
	ReachNone     Reach = iota
	ReachAssigned       // a technician: in those that they are assigned to
	ReachAll            // an owner or admin
)

// Reach says where a member with these roles acts; ReachNone unless the rules are a provider's.
func (c *Compiled) Reach(roles []string) Reach {
	switch {
	case !c.Org.Provider:
		return ReachNone
	case slices.Contains(roles, counterfoil.RoleOwner) || slices.Contains(roles, counterfoil.RoleAdmin):
		return ReachAll
	case slices.Contains(roles, counterfoil.RoleTechnician):
		return ReachAssigned
	}
	return ReachNone
}

// Visiting is what a provider's person holds in an organization in which they act.
func Visiting(catalogue *counterfoil.Catalogue, reach Reach) counterfoil.Permissions {
	switch reach {
	case ReachAll:
		return catalogue.People()
	case ReachAssigned:
		return catalogue.People().Beyond(notTechnicians)
	}
	return nil
}

// Abroad is what a member of a provider holds in organizations that it manages and not in the provider itself. A personal
// token of theirs may carry it, and is good for it there alone.
func (c *Compiled) Abroad(m store.Member) counterfoil.Permissions {
	return Visiting(c.Catalogue, c.Reach(m.Roles)).Beyond(c.Holds(m.Roles))
}
