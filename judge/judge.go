// Package judge holds the two decisions of the service: Use says whether a token may be used, Grant and Edit whether it
// may be made or changed so. They are the same on a server and inside a client's process. The package is pure: it reads
// no clock, store or environment, keeps no state, and trusts nothing that is missing. A nil or zero argument denies.
package judge

import "github.com/counterfoil/counterfoil"

// Record is what the judgement must know of a stored token. It holds neither the value nor a digest of it: the caller
// compares, and says the result in Attempt.Value.
type Record struct {
	Kind        counterfoil.Kind
	Integration counterfoil.Integration // for KindIntegration only
	Permissions counterfoil.Permissions // the snapshot (P7)
	IPFilter    string                  // the id of its own filter; empty: none
	Revoked     bool
	Paused      bool

	RenewedAt     counterfoil.Instant // the longest lifetime counts from here
	ExpiresAt     counterfoil.Instant // zero: no expiry of its own
	PreviousUntil counterfoil.Instant // until when the previous value is good; zero: there is none
}

// Holder is the owner of a personal token as they are now. Tokens of other kinds have none, and one given is ignored.
type Holder struct {
	Active      bool
	Permissions counterfoil.Permissions
}

// Rules is everything that stands above an organization's tokens. The zero Rules refuse them all. For a system token
// the catalogue counts, and Filters if the token has a filter; the organization and its policies do not.
type Rules struct {
	OrganizationActive bool

	Personal, Organization, Integration counterfoil.Policy

	// Filters holds the organization's IP filters by id. A missing or nil one denies every address.
	Filters map[string]*counterfoil.IPRules

	// Catalogue says what exists and which kinds may hold it. Nil: nothing exists, and no token may be used.
	Catalogue *counterfoil.Catalogue
}

// Policy returns the policy for a kind, and nil where none governs it: system tokens and unknown kinds.
func (r *Rules) Policy(kind counterfoil.Kind) *counterfoil.Policy {
	if r == nil {
		return nil
	}
	switch kind {
	case counterfoil.KindPersonal:
		return &r.Personal
	case counterfoil.KindOrganization:
		return &r.Organization
	case counterfoil.KindIntegration:
		return &r.Integration
	}
	return nil
}

// allowedFor returns what tokens of a kind may hold at most.
func (r *Rules) allowedFor(kind counterfoil.Kind) counterfoil.Permissions {
	switch {
	case r == nil || r.Catalogue == nil || !kind.Valid():
		return nil
	case kind == counterfoil.KindSystem:
		return r.Catalogue.All()
	}
	return r.Catalogue.ForKind(kind)
}

// Effective returns what the token may do now (P7): its snapshot, of a personal token only what its active owner holds
// too, and only what its kind may hold. An integration token opens its own reader without a permission, so its set is
// empty. Expiry, addresses and the rest are the business of Use.
func Effective(t *Record, owner *Holder, rules *Rules) counterfoil.Permissions {
	if t == nil {
		return nil
	}
	rights := t.Permissions.Within(rules.allowedFor(t.Kind))
	if t.Kind == counterfoil.KindPersonal {
		rights = rights.Within(held(owner))
	}
	return rights
}

// held returns what an owner holds; one who is missing or inactive holds nothing (P10).
func held(owner *Holder) counterfoil.Permissions {
	if owner == nil || !owner.Active {
		return nil
	}
	return owner.Permissions
}

// EffectiveExpiry returns the earlier of the token's own expiry and the end of the policy's longest lifetime (H7); zero
// when it has neither.
func EffectiveExpiry(t *Record, rules *Rules) counterfoil.Instant {
	if t == nil {
		return longDead
	}
	end := lifetimeEnd(t, rules.Policy(t.Kind))
	if end == 0 || t.ExpiresAt != 0 && t.ExpiresAt < end {
		return t.ExpiresAt
	}
	return end
}

// longDead is the end of what never should have lived; the zero Instant would mean that it never ends.
const longDead counterfoil.Instant = 1

// lifetimeEnd returns when the policy's longest lifetime ends for the token; zero: it has none. A limit that is not
// positive, or a token without a time of renewal, is damage and ends it at once.
func lifetimeEnd(t *Record, policy *counterfoil.Policy) counterfoil.Instant {
	switch {
	case policy == nil || policy.MaxLifetimeSeconds == nil:
		return 0
	case *policy.MaxLifetimeSeconds <= 0 || t.RenewedAt <= 0:
		return longDead
	}
	return t.RenewedAt.Plus(*policy.MaxLifetimeSeconds)
}

// Status returns what a list shows of a token: revoked before expired before paused before active. Expired is what its
// own expiry or the policy's longest lifetime has ended.
func Status(t *Record, rules *Rules, now counterfoil.Instant) counterfoil.Status {
	if t == nil || t.Revoked {
		return counterfoil.StatusRevoked
	}
	if end := EffectiveExpiry(t, rules); end != 0 && now >= end {
		return counterfoil.StatusExpired
	}
	if t.Paused {
		return counterfoil.StatusPaused
	}
	return counterfoil.StatusActive
}
