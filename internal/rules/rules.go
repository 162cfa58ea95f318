// Package rules compiles what an organization has stored, its policies, IP filters, roles and members, into what judge
// decides with, and remembers the result by the organization's version. It refuses to decide anything itself.
package rules

import (
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// Compiled is one organization's rules at one version, under one catalogue. It is immutable and shared.
type Compiled struct {
	judge.Rules
	Org       store.Organization
	Policies  []store.Policy
	IPFilters []store.IPFilter
	OwnRoles  []store.Role
	roles     map[string]counterfoil.Permissions
}

// System is what judge needs for a token of the instance: no organization, no policy.
func System(catalogue *counterfoil.Catalogue) *Compiled {
	return &Compiled{Rules: judge.Rules{Catalogue: catalogue}}
}

// Compile compiles stored rules. What it cannot read denies: a filter that does not parse lets no address in, a policy
// that is missing allows nothing (S10).
func Compile(s store.Rules, catalogue *counterfoil.Catalogue) *Compiled {
	c := &Compiled{
		Org: s.Organization, Policies: s.Policies, IPFilters: s.IPFilters, OwnRoles: s.Roles,
		roles: map[string]counterfoil.Permissions{
			counterfoil.RoleOwner:  catalogue.People(),
			counterfoil.RoleAdmin:  catalogue.People(),
			counterfoil.RoleMember: catalogue.Default(),
		},
	}
	if s.Organization.Provider {
		c.roles[counterfoil.RoleTechnician] = technicianAtHome
	}
	c.Catalogue = catalogue
	c.OrganizationActive = s.Organization.Status == counterfoil.OrgActive && !s.Organization.Deleted
	for _, p := range s.Policies {
		if at := c.Policy(p.Kind); at != nil {
			*at = p.Policy
		}
	}
	c.Filters = make(map[string]*counterfoil.IPRules, len(s.IPFilters))
	for _, f := range s.IPFilters {
		compiled, problems := counterfoil.ParseIPRules(f.Rules)
		if len(problems) > 0 {
			compiled = nil
		}
		c.Filters[f.ID] = compiled
	}
	for _, r := range catalogue.Roles() {
		if _, taken := c.roles[r.Name]; !taken {
			c.roles[r.Name] = counterfoil.NewPermissions(r.Permissions...)
		}
	}
	for _, r := range s.Roles {
		if _, taken := c.roles[r.Name]; !taken {
			c.roles[r.Name] = r.Permissions.Within(catalogue.People())
		}
	}
	return c
}

// Role returns what a role holds; false when there is no such role.
func (c *Compiled) Role(name string) (counterfoil.Permissions, bool) {
	p, ok := c.roles[name]
	return p, ok
}

// Holds returns the union of what the named roles hold; a role that does not exist holds nothing.
func (c *Compiled) Holds(roles []string) counterfoil.Permissions {
	if len(roles) == 1 {
		return c.roles[roles[0]]
	}
	var all counterfoil.Permissions
	for _, name := range roles {
		all = all.Union(c.roles[name])
	}
	return all
}

// Holder says what a member holds now.
func (c *Compiled) Holder(m store.Member) *judge.Holder {
	return &judge.Holder{Active: m.Status == counterfoil.MemberActive, Permissions: c.Holds(m.Roles)}
}

// StoredPolicy returns the stored policy of a kind with its version.
func (c *Compiled) StoredPolicy(kind counterfoil.Kind) (store.Policy, bool) {
	for _, p := range c.Policies {
		if p.Kind == kind {
			return p, true
		}
	}
	return store.Policy{}, false
}

// IPFilter finds a filter by id or name.
func (c *Compiled) IPFilter(idOrName string) (store.IPFilter, bool) {
	for _, f := range c.IPFilters {
		if f.ID == idOrName || f.Name == idOrName {
			return f, true
		}
	}
	return store.IPFilter{}, false
}

// Record is what judge needs to know of a stored token.
func Record(t *store.Token) judge.Record {
	return judge.Record{
		Kind: t.Kind, Integration: t.Integration, Permissions: t.Permissions, IPFilter: t.IPFilter,
		Revoked: t.RevokedAt != 0, Paused: t.Paused,
		RenewedAt: t.RenewedAt, ExpiresAt: t.ExpiresAt, PreviousUntil: t.PreviousUntil,
	}
}

// InForce holds the catalogue that is in force. The zero value holds an empty one.
type InForce struct {
	Changed func(before, after *counterfoil.Catalogue) // is told when one takes another's place; may be nil
	p       atomic.Pointer[inForce]
}

type inForce struct {
	catalogue *counterfoil.Catalogue
	text      string
}

// Catalogue returns the catalogue in force.
func (f *InForce) Catalogue() *counterfoil.Catalogue {
	c, _ := f.Get()
	return c
}

// Get returns the catalogue in force with the text it was read from; empty when none was.
func (f *InForce) Get() (c *counterfoil.Catalogue, text string) {
	if in := f.p.Load(); in != nil {
		return in.catalogue, in.text
	}
	c, _ = counterfoil.NewCatalogue(nil, nil)
	f.p.CompareAndSwap(nil, &inForce{catalogue: c})
	in := f.p.Load()
	return in.catalogue, in.text
}

// Set puts a catalogue in force, with the text it was read from.
func (f *InForce) Set(c *counterfoil.Catalogue, text string) { f.p.Store(&inForce{c, text}) }

// Replace puts a catalogue in force in place of the one that Catalogue returned; false: another was put in force since.
func (f *InForce) Replace(present, next *counterfoil.Catalogue, text string) bool {
	in := f.p.Load()
	if in == nil || in.catalogue != present || !f.p.CompareAndSwap(in, &inForce{next, text}) {
		return false
	}
	if in.text != "" && f.Changed != nil {
		f.Changed(present, next)
	}
	return true
}

// Cache remembers compiled rules by organization, version and catalogue. Only states that are committed are remembered:
// a version that was rolled back may come again with other content. So may one of a log in whose place another was put: what is
// remembered is gone by in the epoch alone in which the transaction began that read it.
type Cache struct {
	InForce *InForce
	mu      sync.RWMutex
	byOrg   map[string]remembered
}

type remembered struct {
	*Compiled
	epoch uint64
}

// maxCached bounds the organizations that are remembered; past it the memory starts afresh.
const maxCached = 10_000

// Committed returns the rules of the organization that a read transaction is bound to, and remembers them while its epoch lasts; nil
// when there is no such organization.
func (c *Cache) Committed(tx *store.Tx) (*Compiled, error) {
	compiled, err := c.Within(tx)
	if err != nil || compiled == nil {
		return compiled, err
	}
	epoch, ok := tx.Epoch()
	if !ok {
		return compiled, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byOrg == nil || len(c.byOrg) >= maxCached {
		c.byOrg = map[string]remembered{}
	}
	c.byOrg[tx.Organization()] = remembered{compiled, epoch}
	return compiled, nil
}

// Within returns the rules as a transaction sees them, which may be its own uncommitted ones; nil when there is no such
// organization. The empty organization has the instance's.
func (c *Cache) Within(tx *store.Tx) (*Compiled, error) {
	return c.Under(tx, c.InForce.Catalogue())
}

// Under is Within under a given catalogue.
func (c *Cache) Under(tx *store.Tx, catalogue *counterfoil.Catalogue) (*Compiled, error) {
	if tx.Organization() == "" {
		return System(catalogue), nil
	}
	org, found, err := tx.CurrentOrganization()
	if err != nil || !found {
		return nil, err
	}
	c.mu.RLock()
	known := c.byOrg[org.ID]
	c.mu.RUnlock()
	if known.Compiled != nil && known.Org.Version == org.Version && known.Catalogue == catalogue {
		if epoch, ok := tx.Epoch(); ok && epoch == known.epoch {
			return known.Compiled, nil
		}
	}
	stored, found, err := tx.Rules()
	if err != nil || !found {
		return nil, err
	}
	return Compile(stored, catalogue), nil
}

// Forget forgets everything.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byOrg = nil
}

// Known reports whether exactly these rules are remembered.
func (c *Cache) Known(r *Compiled) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return r == nil || r.Org.ID == "" || c.byOrg[r.Org.ID].Compiled == r
}

// Has reports whether the rules of an organization with this id are remembered; it may have been deleted since.
func (c *Cache) Has(org string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byOrg[org].Compiled != nil
}
