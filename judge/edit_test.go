package judge_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// revision is everything that Edit is asked. The token is that of a good world; its editor holds everything.
type revision struct {
	*world
	c     judge.Change
	holds counterfoil.Permissions
}

func newRevision(t fataler, kind counterfoil.Kind) *revision {
	w := newWorld(t, kind)
	return &revision{world: w, holds: w.rules.Catalogue.All()}
}

func (r *revision) edit() (judge.Record, []counterfoil.Problem) {
	return judge.Edit(&r.t, r.c, r.holds, r.owner, &r.rules, now)
}

func (r *revision) set(names ...string) { r.c.Permissions = &names }

func TestEdit(t *testing.T) {
	read := counterfoil.NewPermissions("devices:read")
	cases := []struct {
		name string
		kind counterfoil.Kind
		do   func(*revision)
		want func(*judge.Record) // the change to the record
	}{
		{"nothing", personal, func(r *revision) { r.owner, r.holds, r.rules = nil, nil, judge.Rules{} }, func(*judge.Record) {}},
		{"P6 trim", personal, func(r *revision) { r.set("devices:read") }, func(t *judge.Record) { t.Permissions = read }},
		{"P6 trim by one who holds no more", personal, func(r *revision) { r.set("devices:read"); r.holds = read }, func(t *judge.Record) { t.Permissions = read }},
		{"P6 add", personal, func(r *revision) { r.set("alerts:read", "devices:read", "alerts:read") },
			func(t *judge.Record) { t.Permissions = counterfoil.NewPermissions("alerts:read", "devices:read") }},
		{"P6 to none", personal, func(r *revision) { r.set() }, func(t *judge.Record) { t.Permissions = nil }},
		{"P6 later: counted from now, and renewed", personal, func(r *revision) { r.c.ExpiresAt = ptr(now.Plus(365 * day)) },
			func(t *judge.Record) { t.ExpiresAt, t.RenewedAt = now.Plus(365*day), now }},
		{"P6 earlier", personal, func(r *revision) { r.c.ExpiresAt, r.holds = ptr(now.Plus(1)), nil },
			func(t *judge.Record) { t.ExpiresAt, t.RenewedAt = now.Plus(1), now }},
		{"P6 the same expiry renews nothing", personal, func(r *revision) { r.c.ExpiresAt, r.holds = ptr(r.t.ExpiresAt), nil }, func(*judge.Record) {}},
		{"P6 the same expiry, though it has passed", personal, func(r *revision) { r.t.ExpiresAt = now - 5; r.c.ExpiresAt = ptr(now - 5) }, func(*judge.Record) {}},
		{"P6 trim and extend what is left", personal, func(r *revision) {
			r.set("devices:read")
			r.c.ExpiresAt, r.holds = ptr(now.Plus(30*day)), read
		}, func(t *judge.Record) { t.Permissions, t.ExpiresAt, t.RenewedAt = read, now.Plus(30*day), now }},
		{"P7 extend what the owner lost in part", personal, func(r *revision) {
			r.owner.Permissions, r.holds, r.c.ExpiresAt = read, read, ptr(now.Plus(30*day))
		}, func(t *judge.Record) { t.ExpiresAt, t.RenewedAt = now.Plus(30*day), now }},
		{"H2 no expiry where the policy allows it", organization, func(r *revision) { r.c.ExpiresAt = ptr(counterfoil.Instant(0)) },
			func(t *judge.Record) { t.ExpiresAt, t.RenewedAt = 0, now }},
		{"H4 the same permissions while they may not change", organization, func(r *revision) {
			r.set("devices:write", "devices:read", "devices:read")
			r.policy().PermissionUpdatesAllowed = false
		}, func(*judge.Record) {}},
		{"H4 another filter", organization, func(r *revision) { r.c.IPFilter = ptr("ipf_other") }, func(t *judge.Record) { t.IPFilter = "ipf_other" }},
		{"H4 clear the filter where none may be", organization, func(r *revision) { r.c.IPFilter, r.policy().CustomIPFilterAllowed = ptr(""), false },
			func(t *judge.Record) { t.IPFilter = "" }},
		{"H4 the same filter where none may be", organization, func(r *revision) {
			r.c.IPFilter, r.policy().CustomIPFilterAllowed, r.holds = ptr("ipf_own"), false, nil
		}, func(*judge.Record) {}},
		{"H4 a first filter narrows", organization, func(r *revision) { r.t.IPFilter, r.c.IPFilter, r.holds = "", ptr("ipf_own"), nil },
			func(t *judge.Record) { t.IPFilter = "ipf_own" }},
		{"integration: expiry and filter", integration, func(r *revision) {
			r.set()
			r.c.ExpiresAt, r.c.IPFilter, r.policy().PermissionUpdatesAllowed = ptr(now.Plus(day)), ptr(""), false
		}, func(t *judge.Record) { t.ExpiresAt, t.RenewedAt, t.IPFilter = now.Plus(day), now, "" }},
		{"system: no policy", system, func(r *revision) {
			r.set("billing:read")
			r.c.ExpiresAt, r.rules = ptr(counterfoil.Instant(0)), judge.Rules{Catalogue: r.rules.Catalogue}
		}, func(t *judge.Record) {
			t.Permissions, t.ExpiresAt, t.RenewedAt = counterfoil.NewPermissions("billing:read"), 0, now
		}},
		{"a paused, revoked token stays so", organization, func(r *revision) { r.t.Paused, r.t.Revoked = true, true; r.c.IPFilter = ptr("") },
			func(t *judge.Record) { t.IPFilter = "" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRevision(t, c.kind)
			c.do(r)
			before := r.t
			want := r.t
			c.want(&want)
			got, problems := r.edit()
			if problems != nil {
				t.Fatal(problems)
			}
			if !slices.Equal(got.Permissions, want.Permissions) {
				t.Errorf("permissions %q, want %q", got.Permissions, want.Permissions)
			}
			got.Permissions, want.Permissions = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("record %+v, want %+v", got, want)
			}
			if !reflect.DeepEqual(r.t, before) {
				t.Errorf("the stored record became %+v", r.t)
			}
		})
	}
}

func TestEditProblems(t *testing.T) {
	read := counterfoil.NewPermissions("devices:read")
	cases := []struct {
		name   string
		kind   counterfoil.Kind
		do     func(*revision)
		want   []string
		detail string // within the first problem's
	}{
		{"P6 add what you do not hold", personal, func(r *revision) {
			r.set("devices:read", "alerts:read")
			r.holds = read
		}, []string{"/permissions/1 permission_not_held"}, "alerts:read"},
		{"P6 add what the owner does not hold", personal, func(r *revision) {
			r.set("devices:read", "alerts:read")
			r.owner.Permissions = read
		}, []string{"/permissions/1 permission_not_held"}, "alerts:read"},
		{"P6 keep what you do not hold any more", personal, func(r *revision) { r.set("devices:read", "devices:write"); r.holds = read },
			[]string{"/permissions/1 permission_not_held"}, "devices:write"},
		{"P6 what the kind may not hold", personal, func(r *revision) { r.set("audit:read") }, []string{"/permissions/0 permission_not_held"}, "audit:read"},
		{"P6 what does not exist", personal, func(r *revision) { r.set("gone:read") }, []string{"/permissions/0 validation_failed"}, "gone:read"},
		{"P3 more than a year from now", personal, func(r *revision) { r.c.ExpiresAt = ptr(now.Plus(365*day) + 1) }, []string{"/expires_at policy_violation"}, "365 days"},
		{"P3 none", personal, func(r *revision) { r.c.ExpiresAt = ptr(counterfoil.Instant(0)) }, []string{"/expires_at policy_violation"}, "requires"},
		{"H2 none beneath a longest lifetime", organization, func(r *revision) {
			r.c.ExpiresAt, r.policy().MaxLifetimeSeconds = ptr(counterfoil.Instant(0)), ptr(365*day)
		}, []string{"/expires_at policy_violation"}, "requires"},
		{"H2 none where one is required", organization, func(r *revision) { r.c.ExpiresAt, r.policy().ExpiryRequired = ptr(counterfoil.Instant(0)), true },
			[]string{"/expires_at policy_violation"}, "requires"},
		{"H2 the past", organization, func(r *revision) { r.c.ExpiresAt = ptr(now) }, []string{"/expires_at validation_failed"}, "future"},
		{"H2 before the epoch", organization, func(r *revision) { r.c.ExpiresAt = ptr(counterfoil.Instant(-1)) }, []string{"/expires_at validation_failed"}, "future"},
		{"H2 over 100 years", organization, func(r *revision) { r.c.ExpiresAt = ptr(now.Plus(3155760000) + 1) }, []string{"/expires_at validation_failed"}, "100 years"},
		{"H4 permissions may not change", organization, func(r *revision) {
			r.set("devices:read")
			r.policy().PermissionUpdatesAllowed = false
		}, []string{"/permissions policy_violation"}, "existing"},
		{"H5 a filter that does not exist", organization, func(r *revision) { r.c.IPFilter = ptr("ipf_gone") }, []string{"/ip_filter validation_failed"}, "ipf_gone"},
		{"H6 no filter of its own", organization, func(r *revision) { r.c.IPFilter, r.policy().CustomIPFilterAllowed = ptr("ipf_other"), false },
			[]string{"/ip_filter policy_violation"}, "own IP filter"},
		{"N6 an integration token's permissions", integration, func(r *revision) { r.set("devices:read") }, []string{"/permissions validation_failed"}, "no permissions"},
		{"P10 an owner who is not active", personal, func(r *revision) { r.owner.Active = false; r.set("devices:read") }, []string{"/owner validation_failed"}, "active"},
		{"S7 extend what may do more than you", organization, func(r *revision) { r.c.ExpiresAt, r.holds = ptr(now.Plus(21*day)), read },
			[]string{"/expires_at permission_not_held"}, "devices:write"},
		{"S7 take its expiry away", organization, func(r *revision) { r.c.ExpiresAt, r.holds = ptr(counterfoil.Instant(0)), read },
			[]string{"/expires_at permission_not_held"}, "devices:write"},
		{"S7 renew beneath a longest lifetime by an earlier expiry", organization, func(r *revision) {
			r.policy().MaxLifetimeSeconds, r.c.ExpiresAt, r.holds = ptr(11*day), ptr(now.Plus(5*day)), read
		}, []string{"/expires_at permission_not_held"}, "devices:write"},
		{"S7 clear the filter of what may do more than you", organization, func(r *revision) { r.c.IPFilter, r.holds = ptr(""), read },
			[]string{"/ip_filter permission_not_held"}, "devices:write"},
		{"S7 replace the filter of what may do more than you", organization, func(r *revision) { r.c.IPFilter, r.holds = ptr("ipf_other"), read },
			[]string{"/ip_filter permission_not_held"}, "devices:write"},
		{"S7 the rest is not judged by permissions that are refused", organization, func(r *revision) {
			r.set("devices:write")
			r.c.ExpiresAt, r.c.IPFilter, r.holds = ptr(now.Plus(21*day)), ptr(""), read
		}, []string{"/permissions/0 permission_not_held"}, "devices:write"},
		{"system: no filter", system, func(r *revision) { r.c.IPFilter = ptr("ipf_other") }, []string{"/ip_filter validation_failed"}, "system"},
		{"no kind", organization, func(r *revision) { r.t.Kind = "x"; r.set() }, []string{"/kind validation_failed"}, "kind"},
		{"everything at once", organization, func(r *revision) {
			r.set("gone:read", "alerts:read")
			r.c.ExpiresAt, r.c.IPFilter, r.policy().PermissionUpdatesAllowed = ptr(now), ptr("ipf_gone"), false
		}, []string{"/permissions/0 validation_failed", "/permissions/1 permission_not_held", "/permissions policy_violation",
			"/expires_at validation_failed", "/ip_filter validation_failed"}, ""},
		{"S10 no rules", organization, func(r *revision) {
			r.set("devices:read")
			r.c.IPFilter, r.rules = ptr("ipf_other"), judge.Rules{}
		}, []string{"/permissions/0 validation_failed", "/permissions policy_violation", "/ip_filter policy_violation"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRevision(t, c.kind)
			c.do(r)
			before := r.t
			got, problems := r.edit()
			if shown := show(problems); !slices.Equal(shown, c.want) {
				t.Fatalf("problems %q, want %q", shown, c.want)
			}
			if !strings.Contains(problems[0].Detail, c.detail) {
				t.Errorf("detail %q does not say %q", problems[0].Detail, c.detail)
			}
			if !reflect.DeepEqual(got, before) || !reflect.DeepEqual(r.t, before) {
				t.Errorf("beside problems the record became %+v, stored %+v", got, r.t)
			}
		})
	}
	if got, problems := judge.Edit(nil, judge.Change{}, nil, nil, nil, now); len(problems) != 1 || !reflect.DeepEqual(got, judge.Record{}) {
		t.Errorf("no token: %+v, %v", got, problems)
	}
}
