package registry

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Organizations lists every organization, oldest first; for a provider, those that it manages.
func (r *Registry) Organizations(ctx context.Context, c Caller, cursor string, limit int) (page counterfoil.Page[counterfoil.Organization], err error) {
	page.Data = []counterfoil.Organization{}
	if c.Kind != counterfoil.KindSystem {
		managed, err := r.managed(ctx, c, c.Organization, OpListOrganizations, ManagedQuery{Cursor: cursor, Limit: limit})
		for _, o := range managed.Data {
			page.Data = append(page.Data, o.Organization)
		}
		page.NextCursor = managed.NextCursor
		return page, err
	}
	if err := r.view(ctx, c, "", OpListOrganizations, func(*work) error { return nil }); err != nil {
		return page, err
	}
	list, err := r.Store.Organizations(ctx, cursor, limit+1)
	if err != nil {
		return page, err
	}
	if len(list) > limit {
		list = list[:limit]
		page.NextCursor = &list[limit-1].ID
	}
	for _, o := range list {
		page.Data = append(page.Data, shown(o, r.Store.Now()))
	}
	return page, nil
}

// Organization shows one organization.
func (r *Registry) Organization(ctx context.Context, c Caller, org string) (o counterfoil.Organization, err error) {
	err = r.view(ctx, c, org, OpReadOrganization, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		o = shown(w.rules.Org, w.tx.Now())
		return nil
	})
	return o, err
}

// CreateOrganization makes an organization without members; a provider's is managed by it.
func (r *Registry) CreateOrganization(ctx context.Context, c Caller, draft counterfoil.OrganizationDraft) (counterfoil.Organization, error) {
	if c.Kind != counterfoil.KindSystem {
		return r.createManaged(ctx, c, c.Organization, OpCreateOrganization, draft)
	}
	return create(r, ctx, c, "", OpCreateOrganization, func(w *work) (o counterfoil.Organization, _ string, err error) {
		o, err = w.createOrganization(draft, nil)
		return o, "", err
	})
}

var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// createOrganization makes an organization; provider manages it, if one is given.
func (w *work) createOrganization(draft counterfoil.OrganizationDraft, provider *store.Organization) (counterfoil.Organization, error) {
	o := counterfoil.Organization{ID: store.NewID("org"), Slug: draft.Slug, Name: draft.Name, Plan: draft.Plan, License: draft.License,
		Status: counterfoil.OrgActive, DataCenter: draft.DataCenter, CreatedAt: w.tx.Now().Time(), Provider: draft.Provider}
	if provider != nil {
		o.ManagedBy = &provider.ID
	}
	derived := o.Slug == ""
	if derived {
		o.Slug = slugOf(o.Name)
	}
	if o.License == "" {
		o.License = counterfoil.LicenseStandard
	}
	if o.DataCenter == "" {
		o.DataCenter = w.r.DataCenter
	}
	if o.Plan == "" && len(w.r.Plans) > 0 {
		o.Plan = w.r.Plans[0]
	}
	w.beginTrial(&o)
	problems := append(nameProblem("/name", o.Name), w.organizationProblems(o)...)
	if provider != nil {
		if o.Provider {
			problems = append(problems, invalid("/provider", "a provider is not managed by another; the operator makes providers"))
		}
		taken, err := w.nfrProblem(provider.ID, o)
		if err != nil {
			return o, err
		}
		problems = append(problems, taken...)
	}
	if !slugForm.MatchString(o.Slug) || o.Slug == "current" || strings.HasPrefix(o.Slug, "org_") {
		problems = append(problems, invalid("/slug", "a slug is lower-case letters, digits and hyphens, at most 63, and not \"current\""))
	}
	if err := counterfoil.Invalid(problems); err != nil {
		return o, err
	}
	err := w.tx.In(o.ID, func(tx *store.Tx) error {
		insert := func() error { return tx.InsertOrganization(o) }
		if derived {
			insert = func() error { return tx.InsertOrganizationNumbered(&o) }
		}
		if err := insert(); err != nil {
			return err
		}
		w.recordFor(tx, "organization", "organization_created", organizationTarget(o), createdMetadata(o))
		return nil
	})
	if err == nil && provider != nil {
		err = w.mirror(o, "organization", "organization_created", createdMetadata(o))
	}
	if errors.Is(err, store.ErrTaken) {
		return o, counterfoil.Refuse(counterfoil.CodeNameTaken, "An organization has this slug.")
	}
	return o, err
}

func organizationTarget(o counterfoil.Organization) counterfoil.Target {
	return counterfoil.Target{Kind: "organization", ID: o.ID, Name: o.Name}
}

// plainLatin writes Latin letters that Unicode takes apart into nothing simpler.
var plainLatin = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i")

// slugOf makes a slug of a name: "Acme, Inc." becomes "acme-inc", "Zürich" zurich, and what has no Latin letters organization.
func slugOf(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(plainLatin.Replace(strings.ToLower(name))) {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == 50 {
			break
		}
	}
	slug := strings.Trim(b.String(), "-")
	if slug == "" || slug == "current" {
		return "organization"
	}
	return slug
}

func (w *work) organizationProblems(o counterfoil.Organization) (problems []counterfoil.Problem) {
	if !slices.Contains(w.r.Plans, o.Plan) {
		problems = append(problems, invalid("/plan", "the plans are "+strings.Join(w.r.Plans, ", ")))
	}
	if !slices.Contains([]counterfoil.License{counterfoil.LicenseStandard, counterfoil.LicenseTrial, counterfoil.LicenseNFR}, o.License) {
		problems = append(problems, invalid("/license", "the licences are standard, trial and nfr"))
	}
	if o.DataCenter != w.r.DataCenter && w.r.DataCenters[o.DataCenter] == "" {
		problems = append(problems, invalid("/data_center", "this data centre is not known here"))
	}
	return problems
}

func set[T comparable](to *T, from *T, member string, diff *changed) {
	if from != nil && *from != *to {
		diff.note(member, *to, *from)
		*to = *from
	}
}

// DeleteOrganization ends an organization for good: nothing of it is found or honoured again; its log stays. Only an
// owner of it, its provider, or the instance, may.
func (r *Registry) DeleteOrganization(ctx context.Context, c Caller, org string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, org, OpDeleteOrganization, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		if !w.isOwner() && !w.manages() {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only an owner deletes the organization.")
		}
		if err := w.managesNobody(); err != nil {
			return err
		}
		return w.deleteOrganization()
	})
}

func (w *work) deleteOrganization() error {
	if err := w.tx.DeleteOrganization(); err != nil {
		return err
	}
	if _, err := w.tx.DeleteSplunkExport(); err != nil {
		return err
	}
	w.dead = append(w.dead, ledger.Entry{Organization: w.tx.Organization(), At: w.tx.Now().Time()})
	o := w.rules.Org.Organization
	if err := w.tx.Unassign(); err != nil {
		return err
	}
	w.recordFor(w.tx, "organization", "organization_deleted", organizationTarget(o), nil)
	return w.mirror(o, "organization", "organization_deleted", map[string]any{})
}
