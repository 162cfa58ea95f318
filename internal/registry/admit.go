package registry

import (
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// admissible is what can be said without the database.
func (r *Registry) admissible(c Caller, org string, op *Operation) error {
	switch {
	case c.operator:
		return nil
	case c.key() == "" || !c.Kind.Valid() && c.Kind != counterfoil.KindProvider:
		return counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This needs a token: send it as Authorization: Bearer <token>.")
	case c.Kind != counterfoil.KindSystem && (c.Organization == "" || org != c.Organization) && org != "":
		return errNotFound
	case !slices.Contains(op.Kinds, c.Kind):
		if c.Kind == counterfoil.KindIntegration {
			return counterfoil.Refuse(counterfoil.CodeWrongAudience, judge.Message(counterfoil.CodeWrongAudience))
		}
		if len(op.Kinds) == 1 {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This takes a system token with "+op.Permission+". A token of an organization is not enough, even with it.")
		}
		return errMissing
	}
	return nil
}

// admit judges the caller's credential by what holds inside the transaction, and finds the organization's rules.
func (r *Registry) admit(w *work, op *Operation) (err error) {
	if w.rules, err = r.Rules.Within(w.tx); err != nil {
		return err
	}
	if w.rules != nil && w.rules.Org.Deleted {
		return errNotFound
	}
	if w.caller.operator {
		w.holds = r.Rules.InForce.Catalogue().All()
		return nil
	}
	switch {
	case w.caller.Kind == counterfoil.KindProvider:
		return r.admitProvider(w, op)
	case w.caller.Provider != "":
		return r.admitVisitor(w, op)
	case w.caller.Session != "":
		return r.admitPerson(w, op)
	}
	permission := ""
	if !op.Own {
		permission = op.Permission
	}
	p, err := r.present(w, w.caller.Organization, w.rules, op, permission)
	if err != nil {
		return err
	}
	w.member, w.holds = p.member, judge.Effective(&p.record, p.holder, &p.under.Rules)
	return nil
}

// presented is a caller's token as it is now.
type presented struct {
	record judge.Record
	member store.Member // its owner; zero: it has none
	holder *judge.Holder
	under  *rules.Compiled // what it is judged by
}

// present judges the caller's token by what holds inside the transaction, which is bound to home, the organization that the
// token belongs to, and own are home's rules; permission, unless empty, is what it must hold there. A system token belongs
// to none.
func (r *Registry) present(w *work, home string, own *rules.Compiled, op *Operation, permission string) (p presented, err error) {
	if w.caller.itself { // several that only kept it still would wait for each other when they change it
		if _, _, err := w.tx.TokenForUpdate(w.caller.TokenID); err != nil {
			return p, err
		}
	}
	token, found, err := w.tx.Credential(w.caller.TokenID)
	if err != nil {
		return p, err
	}
	if !found || token.Organization != home {
		return p, counterfoil.Refuse(counterfoil.CodeInvalidToken, judge.Message(counterfoil.CodeInvalidToken))
	}
	p.under = own
	switch {
	case token.Kind == counterfoil.KindSystem:
		p.under = rules.System(r.Rules.InForce.Catalogue())
	case w.tx.Organization() == "": // an organization's credential asks the instance about itself
		return p, errMissing
	}
	if p.under == nil {
		return p, errNotFound
	}
	if token.Owner != "" {
		if p.member, _, err = w.tx.Member(token.Owner); err != nil {
			return p, err
		}
		p.holder = p.under.Holder(p.member)
	}
	p.record = rules.Record(&token)
	attempt := w.caller.Attempt
	attempt.Value, attempt.Permissions = w.caller.match(&token), nil
	w.match, w.snapshot = attempt.Value, token.Permissions
	if permission != "" {
		attempt.Permissions = []string{permission}
	}
	if code := judge.Use(&p.record, p.holder, &p.under.Rules, &attempt, w.tx.Now(), nil); code == counterfoil.CodeMissingPermission {
		return p, counterfoil.Refuse(code, judge.Missing(&p.record, p.holder, &p.under.Rules, &attempt))
	} else if code != counterfoil.CodeOK {
		return p, counterfoil.Refuse(code, judge.Message(code))
	}
	if w.match == counterfoil.MatchPrevious && w.changes && op != OpRevokeSelf {
		return p, counterfoil.Refuse(counterfoil.CodeMissingPermission, "This is the value before the last rotation: it still opens what the token opens, but managing anything takes the current one.")
	}
	return p, nil
}
