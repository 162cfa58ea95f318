package store

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
)

// Organization is a stored organization. Version rises with every change of the organization, its policies, IP filters
// or roles, so that whoever compiled its rules knows when they are old.
type Organization struct {
	counterfoil.Organization
	Deleted bool
	Version int64
}

const organizationColumns = "id, slug, name, plan, license, status, data_center, created_at, deleted_at, version, provider, managed_by, trial_ends_at"

func scanOrganization(r scanner) (Organization, error) {
	var o Organization
	var created, deleted, trial counterfoil.Instant
	var manager string
	err := r.Scan(&o.ID, &o.Slug, &o.Name, &o.Plan, &o.License, &o.Status, &o.DataCenter, &created, &deleted, &o.Version, &o.Provider, &manager, &trial)
	o.CreatedAt, o.Deleted = created.Time(), deleted != 0
	if manager != "" {
		o.ManagedBy = &manager
	}
	if o.License == counterfoil.LicenseTrial {
		if trial == 0 {
			trial = created.Plus(counterfoil.TrialSeconds)
		}
		o.TrialEndsAt = trial.Ptr()
	}
	return o, err
}

// ResolveOrganization finds the id of an organization from its id or slug; deleted ones are not found. It crosses
// organizations: it is how a path names one.
func (s *Store) ResolveOrganization(ctx context.Context, idOrSlug string) (id string, found bool, err error) {
	err = s.engine.view(ctx, func(q querier) (err error) {
		id, found, err = find(q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
			"SELECT id FROM organizations WHERE (id = $1 OR slug = $2) AND deleted_at = 0", idOrSlug, idOrSlug)
		return err
	})
	return id, found, err
}

// ResolveManaged is ResolveOrganization among those that a provider manages.
func (s *Store) ResolveManaged(ctx context.Context, provider, idOrSlug string) (id string, found bool, err error) {
	err = s.engine.view(ctx, func(q querier) (err error) {
		id, found, err = find(q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
			"SELECT id FROM organizations WHERE (id = $1 OR slug = $2) AND deleted_at = 0 AND managed_by = $3", idOrSlug, idOrSlug, provider)
		return err
	})
	return id, found, err
}

// Organizations lists those that are not deleted, oldest first, after the given id. It crosses organizations: only the
// instance's own credentials may ask.
func (s *Store) Organizations(ctx context.Context, after string, limit int) (list []Organization, err error) {
	err = s.engine.view(ctx, func(q querier) (err error) {
		list, err = collect(q, scanOrganization, "SELECT "+organizationColumns+
			" FROM organizations WHERE deleted_at = 0 AND id > $1 ORDER BY id LIMIT $2", after, limit)
		return err
	})
	return list, err
}

// CurrentOrganization is the transaction's organization, deleted or not.
func (tx *Tx) CurrentOrganization() (Organization, bool, error) {
	return remembered(tx.memo.organizations(), tx.org, tx.currentOrganization)
}

func (tx *Tx) currentOrganization() (Organization, bool, error) {
	return find(tx.q, scanOrganization, "SELECT "+organizationColumns+" FROM organizations WHERE id = $1", tx.org)
}

// InsertOrganization adds the organization that the transaction is bound to, with the default policies. ErrTaken: the
// slug is in use, or the provider has an organization with the licence nfr already.
func (tx *Tx) InsertOrganization(o counterfoil.Organization) error {
	_, err := tx.insertOrganization(o, "")
	return err
}

// InsertOrganizationNumbered does the same under the first that is free of o.Slug, o.Slug-2, o.Slug-3 and so on, which
// becomes o.Slug, however many others do so at that moment. It crosses organizations: slugs are unique among all.
func (tx *Tx) InsertOrganizationNumbered(o *counterfoil.Organization) error {
	base := o.Slug
	for n := 2; ; n++ {
		var taken int64
		if err := tx.q.row("SELECT COUNT(*) FROM organizations WHERE slug = $1", o.Slug).Scan(&taken); err != nil {
			return err
		}
		if taken == 0 { // unless by a transaction that is still open: the insert waits for its end
			added, err := tx.insertOrganization(*o, " ON CONFLICT (slug) DO NOTHING")
			if err != nil || added {
				return err
			}
		}
		o.Slug = fmt.Sprintf("%s-%d", base, n)
	}
}

func (tx *Tx) insertOrganization(o counterfoil.Organization, onConflict string) (added bool, err error) {
	rows, err := tx.q.exec("INSERT INTO organizations ("+organizationColumns+", search) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,0,1,$9,$10,$11,$12)"+onConflict,
		tx.org, o.Slug, o.Name, o.Plan, string(o.License), string(o.Status), o.DataCenter, int64(tx.now), flag(o.Provider), manager(o), trialEnd(o), searchable(o.Name, o.Slug))
	if err != nil || rows == 0 {
		return false, err
	}
	return true, tx.startOrganization(o)
}

// startOrganization writes what every organization has from its first moment.
func (tx *Tx) startOrganization(o counterfoil.Organization) error {
	if err := tx.noteManager(o); err != nil {
		return err
	}
	for _, kind := range counterfoil.PolicyKinds {
		p := counterfoil.DefaultPolicy(kind)
		_, err := tx.q.exec(`INSERT INTO policies (organization, kind, allowed, max_lifetime, default_lifetime, expiry_required,
			enforced_ip_filter, custom_ip_filter, permission_updates, version) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,1)`,
			tx.org, string(kind), flag(p.Allowed), p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds, flag(p.ExpiryRequired),
			p.EnforcedIPFilter, flag(p.CustomIPFilterAllowed), flag(p.PermissionUpdatesAllowed))
		if err != nil {
			return err
		}
	}
	return nil
}

// manager is what is stored of who manages an organization; empty: nobody.
func manager(o counterfoil.Organization) string {
	if o.ManagedBy == nil {
		return ""
	}
	return *o.ManagedBy
}

// noteManager remembers for good that a provider has managed the transaction's organization: its usage stays in the
// provider's reports.
func (tx *Tx) noteManager(o counterfoil.Organization) error {
	if o.ManagedBy == nil {
		return nil
	}
	_, err := tx.q.exec("INSERT INTO provider_history (provider, organization) VALUES ($1,$2) ON CONFLICT DO NOTHING", *o.ManagedBy, tx.org)
	return err
}

func trialEnd(o counterfoil.Organization) int64 {
	if o.TrialEndsAt == nil {
		return 0
	}
	return int64(counterfoil.At(*o.TrialEndsAt))
}

// UpdateOrganization writes what of it may change. The transaction must hold ForRules. ErrTaken: its provider has an
// organization with the licence nfr already.
func (tx *Tx) UpdateOrganization(o counterfoil.Organization) error {
	tx.memo.forget()
	if err := tx.noteManager(o); err != nil {
		return err
	}
	_, err := tx.q.exec("UPDATE organizations SET name=$1, plan=$2, license=$3, status=$4, data_center=$5, managed_by=$6, trial_ends_at=$7, search=$8, version=version+1 WHERE id=$9",
		o.Name, o.Plan, string(o.License), string(o.Status), o.DataCenter, manager(o), trialEnd(o), searchable(o.Name, o.Slug), tx.org)
	return err
}

// DeleteOrganization marks the organization as deleted and frees its slug; its log stays.
func (tx *Tx) DeleteOrganization() error {
	tx.memo.forget()
	_, err := tx.q.exec("UPDATE organizations SET deleted_at=$1, slug=id, status=$2, version=version+1 WHERE id=$3",
		int64(tx.now), string(counterfoil.OrgSuspended), tx.org)
	return err
}

// touchRules raises the organization's version.
func (tx *Tx) touchRules() error {
	tx.memo.forget()
	_, err := tx.q.exec("UPDATE organizations SET version=version+1 WHERE id=$1", tx.org)
	return err
}

// OrganizationCount counts the organizations that ever were. It crosses organizations: it tells an empty instance.
func (s *Store) OrganizationCount(ctx context.Context) (n int64, err error) {
	err = s.engine.view(ctx, func(q querier) error { return q.row("SELECT COUNT(*) FROM organizations").Scan(&n) })
	return n, err
}
