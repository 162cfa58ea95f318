package registry

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// shown is an organization as it is at a moment: a trial that has ended is standard, whether that was noted or not.
func shown(o store.Organization, now counterfoil.Instant) counterfoil.Organization {
	face := o.Organization
	if face.TrialEndsAt != nil && counterfoil.At(*face.TrialEndsAt) <= now {
		face.License, face.TrialEndsAt = counterfoil.LicenseStandard, nil
	}
	return face
}

// beginTrial sets when a trial that begins now will end.
func (w *work) beginTrial(o *counterfoil.Organization) {
	if o.License == counterfoil.LicenseTrial {
		o.TrialEndsAt = w.tx.Now().Plus(counterfoil.TrialSeconds).Ptr()
	}
}

func createdMetadata(o counterfoil.Organization) map[string]any {
	m := map[string]any{"name": o.Name, "slug": o.Slug, "plan": o.Plan, "license": o.License}
	if o.ManagedBy != nil {
		m["managed_by"] = *o.ManagedBy
	}
	if o.TrialEndsAt != nil {
		m["trial_ends_at"] = *o.TrialEndsAt
	}
	if o.Provider {
		m["provider"] = true
	}
	return m
}

var errNFR = counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/license", Code: counterfoil.CodePolicyViolation, Detail: "the provider has its one NFR organization already"}})

// nfrProblem says that a provider has its one free organization already (M5).
func (w *work) nfrProblem(provider string, o counterfoil.Organization) (problems []counterfoil.Problem, err error) {
	if o.License != counterfoil.LicenseNFR {
		return nil, nil
	}
	err = w.tx.In(provider, func(tx *store.Tx) error {
		has, found, err := tx.NFROrganization()
		if found && has.ID != o.ID {
			problems = append(problems, counterfoil.Problem{Pointer: "/license", Code: counterfoil.CodePolicyViolation,
				Detail: fmt.Sprintf("the provider has its one NFR organization already: %s (%s)", has.Name, has.ID)})
		}
		return err
	})
	return problems, err
}

// mirror writes into the log of an organization's provider what was done to it; nothing where it has none.
func (w *work) mirror(o counterfoil.Organization, typ, action string, metadata map[string]any) error {
	if o.ManagedBy == nil {
		return nil
	}
	return w.tx.In(*o.ManagedBy, func(tx *store.Tx) error {
		w.recordFor(tx, typ, action, organizationTarget(o), metadata)
		return nil
	})
}

// managesNobody refuses to end a provider that still manages organizations.
func (w *work) managesNobody() error {
	if !w.rules.Org.Provider {
		return nil
	}
	managed, err := w.tx.Managed(store.ManagedFilter{Limit: 1})
	if err == nil && len(managed) > 0 {
		return counterfoil.Refuse(counterfoil.CodeInUse, "This provider still manages organizations. Move or delete them first.")
	}
	return err
}

// ManagedQuery selects what a provider manages.
type ManagedQuery struct {
	Text, Cursor string
	Status       counterfoil.OrgStatus
	AssignedTo   string // a member's id: those that they are assigned to; empty: all
	Limit        int
}

// ManagedOrganizations lists what a provider manages, oldest first; a technician sees what they are assigned to.
func (r *Registry) ManagedOrganizations(ctx context.Context, c Caller, provider string, q ManagedQuery) (counterfoil.Page[counterfoil.ManagedOrganization], error) {
	return r.managed(ctx, c, provider, OpListManaged, q)
}

func (r *Registry) managed(ctx context.Context, c Caller, provider string, op *Operation, q ManagedQuery) (page counterfoil.Page[counterfoil.ManagedOrganization], err error) {
	page.Data = []counterfoil.ManagedOrganization{}
	err = r.view(ctx, c, provider, op, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		if w.rules.Reach(w.member.Roles) == rules.ReachAssigned {
			if q.AssignedTo != "" && q.AssignedTo != w.member.ID {
				return nil
			}
			q.AssignedTo = w.member.ID
		}
		list, err := w.tx.Managed(store.ManagedFilter{Text: q.Text, Status: q.Status, Assigned: q.AssignedTo, After: q.Cursor, Limit: q.Limit + 1})
		if err != nil {
			return err
		}
		if len(list) > q.Limit {
			list = list[:q.Limit]
			page.NextCursor = &list[q.Limit-1].ID
		}
		for _, o := range list {
			m, err := w.managedFace(o)
			if err != nil {
				return err
			}
			page.Data = append(page.Data, m)
		}
		return nil
	})
	return page, err
}

// ManagedOrganization finds one that a provider manages by its id or slug; a technician, one that they are assigned to.
func (r *Registry) ManagedOrganization(ctx context.Context, c Caller, provider, name string) (m counterfoil.ManagedOrganization, err error) {
	id, found, err := r.Store.ResolveManaged(ctx, provider, name)
	if err == nil && !found {
		err = errNotFound
	}
	if err != nil {
		return m, err
	}
	err = r.view(ctx, c, provider, OpListManaged, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		var o store.Organization
		err := w.tx.In(id, func(tx *store.Tx) (err error) {
			o, _, err = tx.CurrentOrganization()
			return err
		})
		if err != nil {
			return err
		}
		sees := true
		if w.rules.Reach(w.member.Roles) == rules.ReachAssigned {
			if sees, err = w.tx.Assigned(w.member.ID, id); err != nil {
				return err
			}
		}
		if !sees || manager(o) != provider || o.Deleted {
			return errNotFound
		}
		m, err = w.managedFace(o)
		return err
	})
	return m, err
}

func (w *work) managedFace(o store.Organization) (m counterfoil.ManagedOrganization, err error) {
	m.Organization = shown(o, w.tx.Now())
	err = w.tx.In(o.ID, func(tx *store.Tx) (err error) {
		m.Seats, err = tx.Seats()
		return err
	})
	return m, err
}

// CreateManaged makes an organization that a provider manages, without members.
func (r *Registry) CreateManaged(ctx context.Context, c Caller, provider string, draft counterfoil.ManagedDraft) (m counterfoil.ManagedOrganization, err error) {
	m.Organization, err = r.createManaged(ctx, c, provider, OpCreateManaged, counterfoil.OrganizationDraft{
		Name: draft.Name, Slug: draft.Slug, Plan: draft.Plan, License: draft.License, DataCenter: draft.DataCenter})
	return m, err
}

func (r *Registry) createManaged(ctx context.Context, c Caller, provider string, op *Operation, draft counterfoil.OrganizationDraft) (counterfoil.Organization, error) {
	return create(r, ctx, c, provider, op, func(w *work) (o counterfoil.Organization, _ string, err error) {
		if err := w.requireProvider(); err != nil {
			return o, "", err
		}
		o, err = w.createOrganization(draft, &w.rules.Org)
		return o, "", err
	})
}

// convertTogether is how many trials a transaction converts.
const convertTogether = 100

// ConvertTrials makes trials that have ended standard, and writes the events. It decides nothing: from its end on, a trial
// is shown and billed as standard, whether that was noted or not. The server calls it about once a second.
func (r *Registry) ConvertTrials(ctx context.Context) error {
	var ended []store.Organization
	err := r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		ended, err = tx.EndedTrials(convertTogether)
		return err
	})
	for _, o := range ended {
		if err == nil {
			err = r.convertTrial(ctx, o.ID)
		}
	}
	return err
}

func (r *Registry) convertTrial(ctx context.Context, org string) error {
	_, err := r.do(ctx, Operator(), org, opConvertTrial, func(w *work) error {
		before := w.rules.Org.Organization
		o := shown(w.rules.Org, w.tx.Now())
		if o.License == before.License {
			return nil
		}
		if err := w.tx.UpdateOrganization(o); err != nil {
			return err
		}
		metadata := map[string]any{"before": map[string]any{"license": before.License}, "after": map[string]any{"license": o.License}, "trial_ended_at": before.TrialEndsAt}
		w.record("provider", "trial_converted", organizationTarget(o), metadata)
		return w.mirror(o, "provider", "trial_converted", metadata)
	})
	return err
}
