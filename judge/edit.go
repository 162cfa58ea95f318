package judge

import (
	"slices"

	"github.com/counterfoil/counterfoil"
)

// Change is an edit of a token; nil leaves as it is.
type Change struct {
	Permissions *[]string
	ExpiresAt   *counterfoil.Instant // a zero Instant: no expiry
	IPFilter    *string              // an id; empty clears
}

// Edit decides whether a token may be changed so and returns the changed record, value and all else untouched. The
// subset rule holds as for Grant (P6, S7): every permission listed must be one that holds and the owner have now, and
// an edit that lets the token live longer, or replaces or clears its own filter, needs all that the token may do. A
// changed expiry counts from now and renews the token; the same expiry is no change. A revoked token is its caller's
// question.
//
// Every problem is reported at once; the record is then as it was.
func Edit(t *Record, c Change, holds counterfoil.Permissions, owner *Holder, rules *Rules, now counterfoil.Instant) (Record, []counterfoil.Problem) {
	switch {
	case t == nil:
		return Record{}, []counterfoil.Problem{invalid("", "there is no token to change")}
	case !t.Kind.Valid():
		return *t, []counterfoil.Problem{invalid("/kind", "the token is of no known kind")}
	case c == Change{}:
		return *t, nil
	}
	g := newGranting(t.Kind, holds, owner, rules, now)
	if g.personal() && !active(owner) {
		g.report(ownerProblem())
	}
	next := *t
	if c.Permissions != nil {
		next.Permissions = g.editPermissions(t, *c.Permissions)
	}
	settled := len(g.problems) == 0 // or else it is unknown what the token would come to hold
	if c.ExpiresAt != nil && *c.ExpiresAt != t.ExpiresAt && g.checkNewExpiry(*c.ExpiresAt) {
		next.ExpiresAt, next.RenewedAt = *c.ExpiresAt, now
		if settled && later(EffectiveExpiry(&next, g.rules), EffectiveExpiry(t, g.rules)) {
			g.checkWidening("/expires_at", &next)
		}
	}
	if c.IPFilter != nil && *c.IPFilter != t.IPFilter {
		g.checkFilter(*c.IPFilter)
		next.IPFilter = *c.IPFilter
		if settled && t.IPFilter != "" {
			g.checkWidening("/ip_filter", &next)
		}
	}
	if len(g.problems) > 0 {
		return *t, g.problems
	}
	return next, nil
}

// editPermissions returns the new set of the token.
func (g *granting) editPermissions(t *Record, names []string) counterfoil.Permissions {
	g.checkPermissions(names)
	set := counterfoil.NewPermissions(names...)
	if slices.Equal(set, t.Permissions) {
		return t.Permissions
	}
	if g.policy != nil && !g.policy.PermissionUpdatesAllowed {
		g.report(violation("/permissions", "the security policy does not allow the permissions of existing tokens to change"))
	}
	return set
}

// checkNewExpiry reports what is wrong with a changed expiry, zero for none, and whether nothing is.
func (g *granting) checkNewExpiry(at counterfoil.Instant) bool {
	if at != 0 {
		return g.expiryAt("/expires_at", at) != 0
	}
	if g.policy != nil && (g.policy.ExpiryRequired || g.policy.MaxLifetimeSeconds != nil) {
		g.report(violation("/expires_at", "the security policy requires an expiry"))
		return false
	}
	return true
}

// checkWidening reports that an edit would widen a token that may do more than its editor.
func (g *granting) checkWidening(pointer string, next *Record) {
	if more := Effective(next, g.owner, g.rules).Beyond(g.holds); len(more) > 0 {
		g.report(notHeld(pointer, "the token may do "+more[0]+", which you do not hold now, so that you cannot widen where or how long it is good"))
	}
}

// later reports whether one end of life is after another; zero is never.
func later(a, b counterfoil.Instant) bool { return b != 0 && (a == 0 || a > b) }
