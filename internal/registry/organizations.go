package registry

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Organizations lists every organization, oldest first.
func (r *Registry) Organizations(ctx context.Context, c Caller, cursor string, limit int) (page counterfoil.Page[counterfoil.Organization], err error) {
	page.Data = []counterfoil.Organization{}
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
		page.Data = append(page.Data, o.Organization)
	}
	return page, nil
}

// Organization shows one organization.
func (r *Registry) Organization(ctx context.Context, c Caller, org string) (o counterfoil.Organization, err error) {
	err = r.view(ctx, c, org, OpReadOrganization, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		o = w.rules.Org.Organization
		return nil
	})
	return o, err
}

// CreateOrganization makes an organization without members.
func (r *Registry) CreateOrganization(ctx context.Context, c Caller, draft counterfoil.OrganizationDraft) (counterfoil.Organization, error) {
	return create(r, ctx, c, "", OpCreateOrganization, func(w *work) (o counterfoil.Organization, _ string, err error) {
		o, err = w.createOrganization(draft)
		return o, "", err
	})
}

var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (w *work) createOrganization(draft counterfoil.OrganizationDraft) (counterfoil.Organization, error) {
	o := counterfoil.Organization{ID: store.NewID("org"), Slug: draft.Slug, Name: draft.Name, Plan: draft.Plan, License: draft.License,
		Status: counterfoil.OrgActive, DataCenter: draft.DataCenter, CreatedAt: w.tx.Now().Time()}
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
	problems := append(nameProblem("/name", o.Name), w.organizationProblems(o)...)
	if !slugForm.MatchString(o.Slug) || o.Slug == "current" || strings.HasPrefix(o.Slug, "org_") {
		problems = append(problems, invalid("/slug", "a slug is lower-case letters, digits and hyphens, at most 63, and not \"current\""))
	}
	if err := counterfoil.Invalid(problems); err != nil {
		return o, err
	}
	err := w.tx.In(o.ID, func(tx *store.Tx) error {
		if derived {
			if err := tx.FreeSlug(&o.Slug); err != nil {
				return err
			}
		}
		if err := tx.InsertOrganization(o); err != nil {
			return err
		}
		w.recordFor(tx, "organization", "organization_created", organizationTarget(o), map[string]any{"name": o.Name, "slug": o.Slug, "plan": o.Plan, "license": o.License})
		return nil
	})
	if errors.Is(err, store.ErrTaken) {
		return o, counterfoil.Refuse(counterfoil.CodeNameTaken, "An organization has this slug.")
	}
	return o, err
}

func organizationTarget(o counterfoil.Organization) counterfoil.Target {
	return counterfoil.Target{Kind: "organization", ID: o.ID, Name: o.Name}
}

// slugOf makes a slug of a name: "Acme, Inc." becomes "acme-inc".
func slugOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
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

// EditOrganization changes an organization. Its own credentials may change the name alone.
func (r *Registry) EditOrganization(ctx context.Context, c Caller, org string, edit counterfoil.OrganizationEdit) (o counterfoil.Organization, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpEditOrganization, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		before := w.rules.Org.Organization
		o = before
		if !w.system() && (edit.Plan != nil || edit.License != nil || edit.Status != nil || edit.DataCenter != nil) {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "An organization's own credentials may change its name alone.")
		}
		var problems []counterfoil.Problem
		var diff changed
		if edit.Name != nil && *edit.Name != o.Name {
			problems = nameProblem("/name", *edit.Name)
			diff.note("name", o.Name, *edit.Name)
			o.Name = *edit.Name
		}
		set(&o.Plan, edit.Plan, "plan", &diff)
		set(&o.License, edit.License, "license", &diff)
		set(&o.Status, edit.Status, "status", &diff)
		set(&o.DataCenter, edit.DataCenter, "data_center", &diff)
		if o.Status != counterfoil.OrgActive && o.Status != counterfoil.OrgSuspended {
			problems = append(problems, invalid("/status", "the status is active or suspended"))
		}
		if err := counterfoil.Invalid(append(problems, w.organizationProblems(o)...)); err != nil || !diff.any() {
			return err
		}
		if err := w.tx.UpdateOrganization(o); err != nil {
			return err
		}
		action := "organization_updated"
		if before.Status != o.Status {
			action = map[counterfoil.OrgStatus]string{counterfoil.OrgSuspended: "organization_suspended", counterfoil.OrgActive: "organization_reactivated"}[o.Status]
		}
		w.record("organization", action, organizationTarget(o), diff.metadata())
		return nil
	})
	return o, receipt, err
}

func set[T comparable](to *T, from *T, member string, diff *changed) {
	if from != nil && *from != *to {
		diff.note(member, *to, *from)
		*to = *from
	}
}

// DeleteOrganization ends an organization for good: nothing of it is found or honoured again; its log stays. Only an
// owner of it, or the instance, may.
func (r *Registry) DeleteOrganization(ctx context.Context, c Caller, org string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, org, OpDeleteOrganization, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		if !w.isOwner() {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only an owner deletes the organization.")
		}
		if err := w.tx.DeleteOrganization(); err != nil {
			return err
		}
		if _, err := w.tx.DeleteSplunkExport(); err != nil {
			return err
		}
		w.dead = append(w.dead, ledger.Entry{Organization: w.tx.Organization(), At: w.tx.Now().Time()})
		w.record("organization", "organization_deleted", organizationTarget(w.rules.Org.Organization), nil)
		return nil
	})
}
