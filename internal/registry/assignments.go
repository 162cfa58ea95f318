package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil"
)

// Assignments lists the organizations in which a provider's technician acts.
func (r *Registry) Assignments(ctx context.Context, c Caller, provider, member string) (a counterfoil.Assignments, err error) {
	err = r.view(ctx, c, provider, OpReadAssignments, func(w *work) (err error) {
		if err := w.requireProvider(); err != nil {
			return err
		}
		_, found, err := w.tx.Member(member)
		if err == nil && !found {
			err = errNotFound
		}
		if err != nil {
			return err
		}
		a.Organizations, err = w.assignments(member)
		return err
	})
	return a, err
}

// SetAssignments says in which organizations a provider's technician acts, in place of those before. Where they are taken
// away it has a receipt. They count while the member holds the role technician.
func (r *Registry) SetAssignments(ctx context.Context, c Caller, provider, member string, next counterfoil.Assignments) (a counterfoil.Assignments, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, provider, OpAssign, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		m, err := w.memberToChange(member)
		if err != nil {
			return err
		}
		if problems := w.assignProblems([]string{counterfoil.RoleAdmin}); len(problems) > 0 {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Organizations are assigned by owners and admins of the provider.")
		}
		known, err := w.tx.ManagedIDs()
		if err != nil {
			return err
		}
		var problems []counterfoil.Problem
		for i, id := range next.Organizations {
			if _, managed := slices.BinarySearch(known, id); !managed {
				problems = append(problems, invalid(fmt.Sprintf("/organizations/%d", i), "this is the id of no organization that the provider manages"))
			}
		}
		if err := counterfoil.Invalid(problems); err != nil {
			return err
		}
		before, err := w.assignments(member)
		if err != nil {
			return err
		}
		a.Organizations = counterfoil.NewPermissions(next.Organizations...)
		if a.Organizations == nil {
			a.Organizations = []string{}
		}
		if slices.Equal(before, a.Organizations) {
			return nil
		}
		if err := w.tx.Assign(member, a.Organizations); err != nil {
			return err
		}
		w.record("provider", "assignments_updated", memberTarget(m), map[string]any{"before": before, "after": a.Organizations})
		return nil
	})
	return a, receipt, err
}

func (w *work) assignments(member string) ([]string, error) {
	list, err := w.tx.Assignments(member)
	if list == nil {
		list = []string{}
	}
	return list, err
}
