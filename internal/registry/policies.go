package registry

import (
	"context"
	"maps"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// Policies returns the organization's policies in the order personal, organization, integration.
func (r *Registry) Policies(ctx context.Context, c Caller, org string) (list []counterfoil.Policy, err error) {
	err = r.view(ctx, c, org, OpReadPolicies, func(w *work) error {
		for _, kind := range counterfoil.PolicyKinds {
			if p, ok := w.rules.StoredPolicy(kind); ok {
				list = append(list, p.Policy)
			}
		}
		return nil
	})
	return list, err
}

// Policy returns the policy of one kind with its version.
func (r *Registry) Policy(ctx context.Context, c Caller, org string, kind counterfoil.Kind) (p store.Policy, err error) {
	err = r.view(ctx, c, org, OpReadPolicies, func(w *work) error {
		var ok bool
		if p, ok = w.rules.StoredPolicy(kind); !ok {
			return errNotFound
		}
		return nil
	})
	return p, err
}

// Guarded is an edit that may depend on the version that its caller has seen, and may be meant to lock the caller out.
type Guarded struct {
	Version      *int64 // If-Match; nil: whatever it is
	AllowLockOut bool
}

func (g Guarded) check(version int64) error {
	if g.Version != nil && *g.Version != version {
		return counterfoil.Refuse(counterfoil.CodeVersionMismatch, "This was changed since you read it. Read it again and repeat your edit.")
	}
	return nil
}

// SetPolicy sets the policy of a kind: over makes the new terms of the present ones. It holds at once, for every token of the kind (H6, H7); nothing is deleted.
func (r *Registry) SetPolicy(ctx context.Context, c Caller, org string, kind counterfoil.Kind, over func(counterfoil.PolicyTerms) counterfoil.PolicyTerms, g Guarded) (p store.Policy, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpWritePolicy, func(w *work) error {
		before, ok := w.rules.StoredPolicy(kind)
		if !ok {
			return errNotFound
		}
		if err := g.check(before.Version); err != nil {
			return err
		}
		next, err := w.policyOf(kind, over(before.PolicyTerms))
		if err != nil {
			return err
		}
		if err := w.lockOut(g, func(c *rules.Compiled) { *c.Rules.Policy(kind) = next }); err != nil {
			return err
		}
		diff := policyDiff(before.PolicyTerms, next.PolicyTerms)
		p = before
		if !diff.any() {
			return nil
		}
		if err := w.tx.UpdatePolicy(next); err != nil {
			return err
		}
		p = store.Policy{Policy: next, Version: before.Version + 1}
		w.record("policies", "policy_updated", counterfoil.Target{Kind: "policy", ID: string(kind), Name: string(kind)}, diff.metadata())
		return nil
	})
	return p, receipt, err
}

// policyOf checks the terms of a policy; a filter may be named by its id or name.
func (w *work) policyOf(kind counterfoil.Kind, terms counterfoil.PolicyTerms) (counterfoil.Policy, error) {
	var problems []counterfoil.Problem
	check := func(pointer string, seconds *int64) {
		if seconds != nil && (*seconds < 1 || *seconds > 3_155_760_000) {
			problems = append(problems, invalid(pointer, "a lifetime is 1 second to 100 years"))
		}
	}
	check("/max_lifetime_seconds", terms.MaxLifetimeSeconds)
	check("/default_lifetime_seconds", terms.DefaultLifetimeSeconds)
	if terms.MaxLifetimeSeconds != nil && terms.DefaultLifetimeSeconds != nil && *terms.DefaultLifetimeSeconds > *terms.MaxLifetimeSeconds {
		problems = append(problems, invalid("/default_lifetime_seconds", "the default lifetime is longer than the longest: shorten it as well"))
	}
	if terms.EnforcedIPFilter != nil {
		f, ok := w.rules.IPFilter(*terms.EnforcedIPFilter)
		if !ok {
			problems = append(problems, invalid("/enforced_ip_filter", "there is no such IP filter in this organization"))
		}
		terms.EnforcedIPFilter = &f.ID
	}
	return counterfoil.Policy{Kind: kind, PolicyTerms: terms}, counterfoil.Invalid(problems)
}

func policyDiff(a, b counterfoil.PolicyTerms) (d changed) {
	note := func(member string, before, after any, same bool) {
		if !same {
			d.note(member, before, after)
		}
	}
	note("allowed", a.Allowed, b.Allowed, a.Allowed == b.Allowed)
	note("max_lifetime_seconds", a.MaxLifetimeSeconds, b.MaxLifetimeSeconds, same(a.MaxLifetimeSeconds, b.MaxLifetimeSeconds))
	note("default_lifetime_seconds", a.DefaultLifetimeSeconds, b.DefaultLifetimeSeconds, same(a.DefaultLifetimeSeconds, b.DefaultLifetimeSeconds))
	note("expiry_required", a.ExpiryRequired, b.ExpiryRequired, a.ExpiryRequired == b.ExpiryRequired)
	note("enforced_ip_filter", a.EnforcedIPFilter, b.EnforcedIPFilter, same(a.EnforcedIPFilter, b.EnforcedIPFilter))
	note("custom_ip_filter_allowed", a.CustomIPFilterAllowed, b.CustomIPFilterAllowed, a.CustomIPFilterAllowed == b.CustomIPFilterAllowed)
	note("permission_updates_allowed", a.PermissionUpdatesAllowed, b.PermissionUpdatesAllowed, a.PermissionUpdatesAllowed == b.PermissionUpdatesAllowed)
	return d
}

func same[T comparable](a, b *T) bool { return a == b || (a != nil && b != nil && *a == *b) }

// lockOut refuses a change of the rules under which the caller's own credential could not have asked for it, unless the
// caller says that this is meant.
func (w *work) lockOut(g Guarded, change func(*rules.Compiled)) error {
	if g.AllowLockOut || w.system() || w.visitor != nil || w.caller.Organization != w.tx.Organization() {
		return nil
	}
	next := *w.rules
	next.Filters = maps.Clone(w.rules.Filters)
	change(&next)
	if w.caller.Session != "" {
		return w.lockOutPerson(&next)
	}
	t, found, err := w.tx.Token(w.caller.TokenID)
	if err != nil || !found {
		return err
	}
	record, attempt := rules.Record(&t), w.caller.Attempt
	attempt.Value, attempt.Permissions = w.match, nil
	var holder *judge.Holder
	if t.Owner != "" {
		holder = next.Holder(w.member)
	}
	if code := judge.Use(&record, holder, &next.Rules, &attempt, w.tx.Now(), nil); code != counterfoil.CodeOK {
		return counterfoil.Refuse(counterfoil.CodeWouldLockOut,
			"This rule would refuse the very credential that saves it ("+string(code)+"). Send \"allow_lock_out\": true to save it all the same.")
	}
	return nil
}

// PreviewPolicy says what a policy would refuse that is accepted now, judged against the recorded use of the last 30
// days (H7).
func (r *Registry) PreviewPolicy(ctx context.Context, c Caller, org string, kind counterfoil.Kind, over func(counterfoil.PolicyTerms) counterfoil.PolicyTerms) (preview counterfoil.PolicyPreview, err error) {
	_ = r.writeNotedUses() // the preview goes by what is written
	preview.Tokens = []counterfoil.RefusedToken{}
	err = r.view(ctx, c, org, OpPreviewPolicy, func(w *work) error {
		present, ok := w.rules.StoredPolicy(kind)
		if !ok {
			return errNotFound
		}
		next, err := w.policyOf(kind, over(present.PolicyTerms))
		if err != nil {
			return err
		}
		would := w.rules.Rules
		*would.Policy(kind) = next
		return w.preview(kind, "", &would, &preview)
	})
	return preview, err
}
