package judge_test

import (
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

func TestEffective(t *testing.T) {
	cases := []struct {
		name string
		kind counterfoil.Kind
		do   func(*world)
		want []string
	}{
		{"P7 all three agree", personal, func(w *world) {}, []string{"devices:read", "devices:write"}},
		{"P7 the owner has lost one", personal, func(w *world) { w.owner.Permissions = counterfoil.NewPermissions("devices:read") }, []string{"devices:read"}},
		{"P7 the owner's gain is not the token's", personal, func(w *world) { w.t.Permissions = counterfoil.NewPermissions("devices:read") }, []string{"devices:read"}},
		{"P7 not for the kind", personal, func(w *world) {
			w.t.Permissions = counterfoil.NewPermissions("audit:read", "devices:read", "billing:read")
			w.owner.Permissions = w.t.Permissions
		}, []string{"devices:read"}},
		{"P10 an inactive owner", personal, func(w *world) { w.owner.Active = false }, nil},
		{"P10 no owner", personal, func(w *world) { w.owner = nil }, nil},
		{"organization", organization, func(w *world) { w.owner = &judge.Holder{} }, []string{"devices:read", "devices:write"}},
		{"integration", integration, func(w *world) { w.t.Permissions = counterfoil.NewPermissions("devices:read") }, nil},
		{"system", system, func(w *world) { w.t.Permissions = counterfoil.NewPermissions("billing:read", "gone:read") }, []string{"billing:read"}},
		{"S10 no catalogue", system, func(w *world) { w.rules.Catalogue = nil }, nil},
		{"S10 no known kind", system, func(w *world) { w.t.Kind = "x" }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.kind)
			c.do(w)
			if got := w.effective(); !slices.Equal(got, c.want) {
				t.Errorf("effective %q, want %q", got, c.want)
			}
		})
	}
	if got := judge.Effective(nil, nil, nil); len(got) != 0 {
		t.Errorf("no record may do %q", got)
	}
	if got := judge.Effective(&judge.Record{Kind: system, Permissions: names}, nil, nil); len(got) != 0 {
		t.Errorf("without rules a token may do %q", got)
	}
}

// H4, H7: the earlier of the token's own expiry and the longest lifetime.
func TestEffectiveExpiry(t *testing.T) {
	cases := []struct {
		name               string
		renewed, expires   counterfoil.Instant
		longest            *int64
		want               counterfoil.Instant
		before, at, system counterfoil.Status // a microsecond before, at the end, and at the end for a system token
	}{
		{"neither", now, 0, nil, 0, "active", "active", "active"},
		{"its own", now, now.Plus(5), nil, now.Plus(5), "active", "expired", "expired"},
		{"the policy's", now, 0, ptr(int64(5)), now.Plus(5), "active", "expired", "active"},
		{"its own is earlier", now, now.Plus(4), ptr(int64(5)), now.Plus(4), "active", "expired", "expired"},
		{"the policy's is earlier", now, now.Plus(6), ptr(int64(5)), now.Plus(5), "active", "expired", "active"},
		{"never renewed", 0, now.Plus(6), ptr(int64(5)), 1, "active", "expired", "active"},
		{"a limit of nothing", now, 0, ptr(int64(0)), 1, "active", "expired", "active"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, organization)
			w.t.RenewedAt, w.t.ExpiresAt, w.policy().MaxLifetimeSeconds = c.renewed, c.expires, c.longest
			end := judge.EffectiveExpiry(&w.t, &w.rules)
			if end != c.want {
				t.Fatalf("%s, want %s", end.Time(), c.want.Time())
			}
			if got := judge.Status(&w.t, &w.rules, end-1); got != c.before {
				t.Errorf("%s just before", got)
			}
			if got := judge.Status(&w.t, &w.rules, end); got != c.at {
				t.Errorf("%s at the end", got)
			}
			w.t.Kind = system
			if got := judge.Status(&w.t, &w.rules, end); got != c.system {
				t.Errorf("%s as a system token", got)
			}
		})
	}
}

// Revoked before expired before paused before active.
func TestStatusOrder(t *testing.T) {
	w := newWorld(t, organization)
	w.t.Revoked, w.t.Paused, w.t.ExpiresAt = true, true, now
	for _, step := range []struct {
		want counterfoil.Status
		next func()
	}{
		{"revoked", func() { w.t.Revoked = false }},
		{"expired", func() { w.t.ExpiresAt = now + 1 }},
		{"paused", func() { w.t.Paused = false }},
		{"active", func() {}},
	} {
		if got := judge.Status(&w.t, &w.rules, now); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
		step.next()
	}
	if got := judge.Status(nil, nil, now); got != counterfoil.StatusRevoked {
		t.Errorf("no record is %s", got)
	}
}
