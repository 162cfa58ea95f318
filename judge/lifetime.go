package judge

import (
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
)

// longest is the longest expiry that anyone may ask for, in seconds: 100 Julian years.
const longest = 3_155_760_000

// expiry returns when an asked-for token is to expire, zero for never, and reports what is wrong with the asking.
func (g *granting) expiry(ask Ask) counterfoil.Instant {
	switch {
	case ask.ExpiresIn != nil && ask.ExpiresAt != nil:
		g.report(invalid("/expires_at", "give expires_in or expires_at, not both"))
		return 0
	case ask.ExpiresIn != nil:
		return g.expiryIn(*ask.ExpiresIn)
	case ask.ExpiresAt != nil:
		return g.expiryAt("/expires_at", *ask.ExpiresAt)
	}
	return g.expiryByPolicy()
}

func (g *granting) expiryIn(seconds int64) counterfoil.Instant {
	if seconds <= 0 {
		g.report(invalid("/expires_in", "the lifetime is at least one second"))
		return 0
	}
	return g.expiryAt("/expires_in", g.now.Plus(seconds))
}

// expiryAt holds a moment to the limits, which count from now; a moment that was none is in the past.
func (g *granting) expiryAt(pointer string, at counterfoil.Instant) counterfoil.Instant {
	switch {
	case at <= g.now:
		g.report(invalid(pointer, "the expiry must lie in the future"))
	case at > g.now.Plus(longest):
		g.report(invalid(pointer, "the expiry must lie within 100 years"))
	case g.policy != nil && g.policy.MaxLifetimeSeconds != nil && at > g.now.Plus(*g.policy.MaxLifetimeSeconds):
		most := *g.policy.MaxLifetimeSeconds
		g.report(violation(pointer, fmt.Sprintf("the security policy allows at most %s, now until %s",
			span(most), g.now.Plus(most).Time().Format(time.RFC3339))))
	default:
		return at
	}
	return 0
}

// expiryByPolicy returns the expiry of a token made without one: the default, or else the longest lifetime, or else
// none. Of a default beyond the longest lifetime the latter counts.
func (g *granting) expiryByPolicy() counterfoil.Instant {
	if g.policy == nil {
		return 0
	}
	life := g.policy.DefaultLifetimeSeconds
	if most := g.policy.MaxLifetimeSeconds; life == nil || most != nil && *most < *life {
		life = most
	}
	switch {
	case life != nil && *life > 0:
		return g.now.Plus(*life)
	case life != nil:
		g.report(violation("/expires_at", "the security policy's lifetime is not a positive number of seconds"))
	case g.policy.ExpiryRequired:
		g.report(violation("/expires_at", "the security policy requires an expiry"))
	}
	return 0
}

// span says seconds in words, in the largest unit that divides them.
func span(seconds int64) string {
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{24 * 60 * 60, "day"}, {60 * 60, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := seconds / unit.seconds; seconds%unit.seconds == 0 && n != 0 {
			if n != 1 {
				unit.name += "s"
			}
			return fmt.Sprintf("%d %s", n, unit.name)
		}
	}
	return "0 seconds"
}
