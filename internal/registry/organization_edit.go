package registry

import (
	"context"
	"errors"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// EditOrganization changes an organization. Its own credentials may change the name alone.
func (r *Registry) EditOrganization(ctx context.Context, c Caller, org string, edit counterfoil.OrganizationEdit) (o counterfoil.Organization, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpEditOrganization, func(w *work) (err error) {
		o, err = w.editOrganization(edit)
		return err
	})
	return o, receipt, err
}

func (w *work) editOrganization(edit counterfoil.OrganizationEdit) (o counterfoil.Organization, err error) {
	if w.rules == nil {
		return o, errNotFound
	}
	before := shown(w.rules.Org, w.tx.Now())
	o = before
	if !w.system() && !w.manages() && (edit.Plan != nil || edit.License != nil || edit.Status != nil || edit.DataCenter != nil) ||
		!w.system() && edit.ManagedBy != nil {
		return o, counterfoil.Refuse(counterfoil.CodeMissingPermission, "An organization's own credentials may change its name alone, and its provider's not who manages it.")
	}
	var problems []counterfoil.Problem
	var diff changed
	if edit.Name != nil && *edit.Name != o.Name {
		problems = nameProblem("/name", *edit.Name)
		set(&o.Name, edit.Name, "name", &diff)
	}
	set(&o.Plan, edit.Plan, "plan", &diff)
	set(&o.License, edit.License, "license", &diff)
	set(&o.Status, edit.Status, "status", &diff)
	set(&o.DataCenter, edit.DataCenter, "data_center", &diff)
	if o.Status != counterfoil.OrgActive && o.Status != counterfoil.OrgSuspended {
		problems = append(problems, invalid("/status", "the status is active or suspended"))
	}
	more, err := w.editManagement(before, &o, edit, &diff)
	if err != nil {
		return o, err
	}
	if err := counterfoil.Invalid(append(append(problems, w.organizationProblems(o)...), more...)); err != nil || !diff.any() {
		return o, err
	}
	if err := w.tx.UpdateOrganization(o); errors.Is(err, store.ErrTaken) {
		return o, errNFR
	} else if err != nil {
		return o, err
	}
	return o, w.recordEdit(before, o, diff)
}

// editManagement changes who manages an organization, and what follows from its licence.
func (w *work) editManagement(before counterfoil.Organization, o *counterfoil.Organization, edit counterfoil.OrganizationEdit, diff *changed) (problems []counterfoil.Problem, err error) {
	if edit.ManagedBy != nil {
		problems, err = w.move(before, o, *edit.ManagedBy, diff)
		if err != nil {
			return nil, err
		}
	}
	if o.License != before.License {
		o.TrialEndsAt = nil
		w.beginTrial(o)
		if o.License == counterfoil.LicenseTrial && !w.system() {
			problems = append(problems, invalid("/license", "a trial is for a new organization: this one has had its own, or has been standard"))
		}
		if o.TrialEndsAt != nil {
			diff.note("trial_ends_at", before.TrialEndsAt, o.TrialEndsAt)
		}
	}
	if o.License == counterfoil.LicenseNFR && (before.License != o.License || edit.ManagedBy != nil) && o.ManagedBy != nil {
		taken, err := w.nfrProblem(*o.ManagedBy, *o)
		return append(problems, taken...), err
	}
	return problems, nil
}

// move gives an organization to another provider, or to none.
func (w *work) move(before counterfoil.Organization, o *counterfoil.Organization, to string, diff *changed) ([]counterfoil.Problem, error) {
	from := ""
	if before.ManagedBy != nil {
		from = *before.ManagedBy
	}
	if to == from {
		return nil, nil
	}
	o.ManagedBy = nil
	if to != "" {
		var next store.Organization
		err := w.tx.In(to, func(tx *store.Tx) (err error) {
			next, _, err = tx.CurrentOrganization()
			return err
		})
		if err != nil {
			return nil, err
		}
		if !next.Provider || next.Deleted || o.Provider {
			return []counterfoil.Problem{invalid("/managed_by", "give the id of a provider, for an organization that is none itself")}, nil
		}
		o.ManagedBy = &to
	}
	diff.note("managed_by", before.ManagedBy, o.ManagedBy)
	return nil, w.tx.Unassign()
}

// recordEdit writes the events of an edit: in the organization's log, and in that of the provider before and after.
func (w *work) recordEdit(before, o counterfoil.Organization, diff changed) error {
	action := "organization_updated"
	if before.Status != o.Status {
		action = map[counterfoil.OrgStatus]string{counterfoil.OrgSuspended: "organization_suspended", counterfoil.OrgActive: "organization_reactivated"}[o.Status]
	}
	w.recordFor(w.tx, "organization", action, organizationTarget(o), diff.metadata())
	_, moved := diff.after["managed_by"]
	if moved {
		w.recordFor(w.tx, "provider", "organization_moved", organizationTarget(o), map[string]any{"before": map[string]any{"managed_by": before.ManagedBy}, "after": map[string]any{"managed_by": o.ManagedBy}})
		if err := w.mirror(before, "provider", "organization_moved", diff.metadata()); err != nil {
			return err
		}
		return w.mirror(o, "provider", "organization_moved", diff.metadata())
	}
	if before.License != o.License || before.Plan != o.Plan {
		return w.mirror(o, "provider", "license_changed", diff.metadata())
	}
	return w.mirror(o, "organization", action, diff.metadata())
}
