package store

import (
	"github.com/counterfoil/counterfoil"
)

// Policy is a stored policy with its version.
type Policy struct {
	counterfoil.Policy
	Version int64
}

// IPFilter is a stored IP filter with its version.
type IPFilter struct {
	counterfoil.IPFilter
	Version int64
}

// Role is a stored role of the organization's own, with its version.
type Role struct {
	counterfoil.Role
	Version int64
}

// Policies returns the organization's policies. A kind that has none allows nothing.
func (tx *Tx) Policies() ([]Policy, error) {
	return collect(tx.q, func(r scanner) (p Policy, err error) {
		var allowed, required, custom, updates int64
		err = r.Scan(&p.Kind, &allowed, &p.MaxLifetimeSeconds, &p.DefaultLifetimeSeconds, &required, &p.EnforcedIPFilter, &custom, &updates, &p.Version)
		p.Allowed, p.ExpiryRequired, p.CustomIPFilterAllowed, p.PermissionUpdatesAllowed = allowed == 1, required != 0, custom == 1, updates == 1
		return p, err
	}, `SELECT kind, allowed, max_lifetime, default_lifetime, expiry_required, enforced_ip_filter, custom_ip_filter,
		permission_updates, version FROM policies WHERE organization = $1 ORDER BY kind`, tx.org)
}

// UpdatePolicy writes a policy. The transaction must hold ForRules.
func (tx *Tx) UpdatePolicy(p counterfoil.Policy) error {
	_, err := tx.q.exec(`UPDATE policies SET allowed=$1, max_lifetime=$2, default_lifetime=$3, expiry_required=$4,
		enforced_ip_filter=$5, custom_ip_filter=$6, permission_updates=$7, version=version+1 WHERE organization=$8 AND kind=$9`,
		flag(p.Allowed), p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds, flag(p.ExpiryRequired), p.EnforcedIPFilter,
		flag(p.CustomIPFilterAllowed), flag(p.PermissionUpdatesAllowed), tx.org, string(p.Kind))
	if err != nil {
		return err
	}
	return tx.touchRules()
}

func scanIPFilter(r scanner) (f IPFilter, err error) {
	var created, updated counterfoil.Instant
	err = r.Scan(&f.ID, &f.Name, &f.Rules, &created, &updated, &f.Version)
	f.CreatedAt, f.UpdatedAt = created.Time(), updated.Time()
	return f, err
}

// IPFilters returns the organization's IP filters in the order of their names.
func (tx *Tx) IPFilters() ([]IPFilter, error) {
	return collect(tx.q, scanIPFilter, "SELECT id, name, rules, created_at, updated_at, version FROM ip_filters WHERE organization = $1 ORDER BY name", tx.org)
}

// InsertIPFilter adds a filter. ErrTaken: the name is in use.
func (tx *Tx) InsertIPFilter(f counterfoil.IPFilter) error {
	_, err := tx.q.exec("INSERT INTO ip_filters (id, organization, name, rules, created_at, updated_at, version) VALUES ($1,$2,$3,$4,$5,$6,1)",
		f.ID, tx.org, f.Name, f.Rules, int64(tx.now), int64(tx.now))
	if err != nil {
		return err
	}
	return tx.touchRules()
}

// UpdateIPFilter writes a filter's name and rules. ErrTaken: the name is in use.
func (tx *Tx) UpdateIPFilter(f counterfoil.IPFilter) error {
	_, err := tx.q.exec("UPDATE ip_filters SET name=$1, rules=$2, updated_at=$3, version=version+1 WHERE organization=$4 AND id=$5",
		f.Name, f.Rules, int64(tx.now), tx.org, f.ID)
	if err != nil {
		return err
	}
	return tx.touchRules()
}

// DeleteIPFilter removes a filter.
func (tx *Tx) DeleteIPFilter(id string) error {
	_, err := tx.q.exec("DELETE FROM ip_filters WHERE organization=$1 AND id=$2", tx.org, id)
	if err != nil {
		return err
	}
	return tx.touchRules()
}

// IPFilterUsers counts, by the filter's id, the tokens that are not revoked and have a filter of their own.
func (tx *Tx) IPFilterUsers() (map[string]int64, error) {
	type users struct {
		filter string
		n      int64
	}
	list, err := collect(tx.q, func(r scanner) (u users, err error) {
		err = r.Scan(&u.filter, &u.n)
		return u, err
	}, "SELECT ip_filter, COUNT(*) FROM tokens WHERE organization=$1 AND ip_filter <> '' AND revoked_at=0 GROUP BY ip_filter", tx.org)
	by := map[string]int64{}
	for _, u := range list {
		by[u.filter] = u.n
	}
	return by, err
}

// Roles returns the roles of the organization's own in the order of their names.
func (tx *Tx) Roles() ([]Role, error) {
	return collect(tx.q, func(r scanner) (o Role, err error) {
		var permissions string
		err = r.Scan(&o.ID, &o.Name, &permissions, &o.Version)
		o.Permissions, o.Source = splitSet(permissions), "organization"
		return o, err
	}, "SELECT id, name, permissions, version FROM roles WHERE organization = $1 ORDER BY name", tx.org)
}

// InsertRole adds a role. ErrTaken: the name is in use.
func (tx *Tx) InsertRole(r counterfoil.Role) error {
	_, err := tx.q.exec("INSERT INTO roles (id, organization, name, permissions, created_at, version) VALUES ($1,$2,$3,$4,$5,1)",
		r.ID, tx.org, r.Name, joinSet(r.Permissions), int64(tx.now))
	if err != nil {
		return err
	}
	return tx.touchRules()
}

// UpdateRole writes a role's permissions; its name stays.
func (tx *Tx) UpdateRole(r counterfoil.Role) error {
	_, err := tx.q.exec("UPDATE roles SET permissions=$1, version=version+1 WHERE organization=$2 AND id=$3", joinSet(r.Permissions), tx.org, r.ID)
	if err != nil {
		return err
	}
	return tx.touchRules()
}

// DeleteRole removes a role.
func (tx *Tx) DeleteRole(id string) error {
	_, err := tx.q.exec("DELETE FROM roles WHERE organization=$1 AND id=$2", tx.org, id)
	if err != nil {
		return err
	}
	return tx.touchRules()
}
