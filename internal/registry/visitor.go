package registry

import (
	"context"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// visitor is a provider's person who acts in an organization that it manages (M8): an owner or admin of the provider in any,
// as an admin; a technician in those that they are assigned to. They are no member there, own nothing, and sign in with what
// they have: their session, or a personal token of the provider's.
type visitor struct {
	store.Member // in the provider
	reach        rules.Reach
	holds        counterfoil.Permissions // what their place gives them here, whatever their credential
	founds       bool                    // may act on owners: the organization has no active one yet
}

// admitVisitor judges a provider's person: their credential by what holds in the provider, their place by what holds here.
func (r *Registry) admitVisitor(w *work, op *Operation) error {
	if w.rules == nil {
		return errNotFound
	}
	if err := w.tx.Hold(w.caller.Provider); err != nil {
		return err
	}
	var p presented
	var home *rules.Compiled
	assigned := false
	err := w.tx.In(w.caller.Provider, func(tx *store.Tx) (err error) {
		if home, err = r.Rules.Within(tx); err != nil {
			return err
		}
		if home == nil || home.Org.Deleted {
			return errNotFound
		}
		if w.caller.Session != "" {
			p.member, err = w.session(home)
		} else {
			p, err = r.present(w, home.Org.ID, home, op, "")
		}
		if err == nil {
			assigned, err = tx.Assigned(p.member.ID, w.rules.Org.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	v := visitor{Member: p.member, reach: home.Reach(p.member.Roles)}
	if manager(w.rules.Org) != home.Org.ID || v.reach == rules.ReachNone || v.reach == rules.ReachAssigned && !assigned {
		return errNotFound
	}
	v.holds = rules.Visiting(w.rules.Catalogue, v.reach)
	if v.reach == rules.ReachAll {
		owners, err := w.tx.OtherOwners("")
		if err != nil {
			return err
		}
		v.founds = owners == 0
	}
	w.visitor, w.provider, w.holds = &v, &home.Org, v.holds
	if w.caller.Session == "" {
		w.holds = judge.Effective(&p.record, &judge.Holder{Active: true, Permissions: v.holds}, &home.Rules)
	}
	if op.Permission != "" && !op.Own && !w.holds.Has(op.Permission) {
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This needs the permission "+op.Permission+", which you do not hold in this organization.")
	}
	if w.caller.Session == "" {
		return nil
	}
	return w.stepUp(op)
}

// resolveVisit finds an organization in which a provider's person acts.
func (r *Registry) resolveVisit(ctx context.Context, c Caller, name string) (string, error) {
	home := c.Organization
	if c.Provider != "" {
		home = c.Provider
	}
	id, found, err := r.Store.ResolveManaged(ctx, home, name)
	if err == nil && !found {
		err = errNotFound
	}
	if err != nil {
		return "", err
	}
	return id, r.view(ctx, c.In(id), id, OpReadRights, func(*work) error { return nil })
}

// Visit is a provider's person in an organization that it manages.
type Visit struct {
	Caller       // as which they act there
	Organization counterfoil.Organization
	Provider     counterfoil.Organization // on whose behalf
	Holds        counterfoil.Permissions  // what they may do there, for faces that show only what can be done
	Technician   bool
	Founds       bool // may act on owners there: the organization has no active one yet
}

// Visit lets a person of a provider into an organization that it manages, by its id or slug; c is the person in the provider.
// Each operation judges afresh whether they may.
func (r *Registry) Visit(ctx context.Context, c Caller, name string) (v Visit, err error) {
	id, err := r.resolveVisit(ctx, c, name)
	if err != nil {
		return v, err
	}
	v.Caller = c.In(id)
	err = r.view(ctx, v.Caller, id, OpReadRights, func(w *work) error {
		now := w.tx.Now()
		v.Organization, v.Provider = shown(w.rules.Org, now), shown(*w.provider, now)
		v.Holds, v.Technician = w.holds, w.visitor.reach == rules.ReachAssigned
		v.Founds = w.visitor.founds
		return nil
	})
	return v, err
}
