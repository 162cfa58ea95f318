package judge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
	"pgregory.net/rapid"
)

// wish is everything that Grant is asked.
type wish struct {
	ask   judge.Ask
	holds counterfoil.Permissions
	owner *judge.Holder
	rules *judge.Rules
}

// newWish makes a wish that is granted: two permissions that asker and owner hold, under the default policy.
func newWish(t fataler, kind counterfoil.Kind) *wish {
	w := newWorld(t, kind)
	all := w.rules.Catalogue.All()
	wish := &wish{ask: judge.Ask{Kind: kind, Name: "nightly backup", Permissions: []string{"devices:write", "devices:read"}}, holds: all, rules: &w.rules}
	switch kind {
	case personal:
		wish.owner = &judge.Holder{Active: true, Permissions: all}
	case integration:
		wish.ask.Permissions, wish.ask.Integration = nil, counterfoil.IntegrationSplunk
	}
	return wish
}

func (w *wish) policy() *counterfoil.Policy { return w.rules.Policy(w.ask.Kind) }

func (w *wish) grant() (judge.Terms, []counterfoil.Problem) {
	return judge.Grant(w.ask, w.holds, w.owner, w.rules, now)
}

// show writes problems as "pointer code", in order.
func show(problems []counterfoil.Problem) []string {
	out := []string{}
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%s %s", p.Pointer, p.Code))
	}
	return out
}

func TestGrantTerms(t *testing.T) {
	all := []string{"devices:read", "devices:write"}
	cases := []struct {
		name        string
		kind        counterfoil.Kind
		do          func(*wish)
		permissions []string
		expiresAt   counterfoil.Instant
	}{
		{"P2 a subset", personal, func(w *wish) { w.ask.Permissions = []string{"alerts:read"} }, []string{"alerts:read"}, now.Plus(90 * day)},
		{"P2 none at all", personal, func(w *wish) { w.ask.Permissions = nil }, nil, now.Plus(90 * day)},
		{"P2 the same twice", personal, func(w *wish) { w.ask.Permissions = append(all, all...) }, all, now.Plus(90 * day)},
		{"P3 90 days by default", personal, func(w *wish) {}, all, now.Plus(90 * day)},
		{"P3 a year from today", personal, func(w *wish) { w.ask.ExpiresAt = ptr(now.Plus(365 * day)) }, all, now.Plus(365 * day)},
		{"P3 a second", personal, func(w *wish) { w.ask.ExpiresIn = ptr(int64(1)) }, all, now.Plus(1)},
		{"H2 no expiry where the policy allows it", organization, func(w *wish) {}, all, 0},
		{"H2 seconds from creation", organization, func(w *wish) { w.ask.ExpiresIn = ptr(36500 * day) }, all, now.Plus(36500 * day)},
		{"H2 its own filter", organization, func(w *wish) { w.ask.IPFilter = "ipf_own" }, all, 0},
		{"H6 no default: the longest lifetime", organization, func(w *wish) { w.policy().MaxLifetimeSeconds = ptr(day) }, all, now.Plus(day)},
		{"H6 a default alone", organization, func(w *wish) { w.policy().DefaultLifetimeSeconds = ptr(day) }, all, now.Plus(day)},
		{"H6 a default beyond the longest lifetime", organization, func(w *wish) {
			w.policy().DefaultLifetimeSeconds, w.policy().MaxLifetimeSeconds = ptr(2*day), ptr(day)
		}, all, now.Plus(day)},
		{"H6 a required expiry that the policy supplies", organization, func(w *wish) {
			w.policy().ExpiryRequired, w.policy().MaxLifetimeSeconds = true, ptr(day)
		}, all, now.Plus(day)},
		{"H6 a longest lifetime past the end of time", organization, func(w *wish) {
			w.policy().MaxLifetimeSeconds, w.ask.ExpiresIn = ptr(int64(1<<63-1)), ptr(day)
		}, all, now.Plus(day)},
		{"N4 an integration token: 365 days", integration, func(w *wish) {}, nil, now.Plus(365 * day)},
		{"system: no policy", system, func(w *wish) { w.rules = &judge.Rules{Catalogue: w.rules.Catalogue} }, all, 0},
		{"system: what no other kind may hold", system, func(w *wish) { w.ask.Permissions = []string{"billing:read"} }, []string{"billing:read"}, 0},
		{"organization: an owner does not matter", organization, func(w *wish) { w.owner = &judge.Holder{} }, all, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWish(t, c.kind)
			c.do(w)
			terms, problems := w.grant()
			if problems != nil {
				t.Fatal(problems)
			}
			if !slices.Equal(terms.Permissions, c.permissions) || terms.ExpiresAt != c.expiresAt {
				t.Errorf("terms %q until %s, want %q until %s", terms.Permissions, terms.ExpiresAt.Time(), c.permissions, c.expiresAt.Time())
			}
		})
	}
}

func TestGrantProblems(t *testing.T) {
	without := func(name string) func(*wish) {
		return func(w *wish) { w.holds = w.holds.Beyond(counterfoil.NewPermissions(name)) }
	}
	cases := []struct {
		name   string
		kind   counterfoil.Kind
		do     func(*wish)
		want   []string
		detail string // within the first problem's
	}{
		{"P2 one that you do not hold", personal, without("devices:read"), []string{"/permissions/1 permission_not_held"}, "devices:read"},
		{"P2 one that the owner does not hold", personal, func(w *wish) { w.owner.Permissions = counterfoil.NewPermissions("devices:read") },
			[]string{"/permissions/0 permission_not_held"}, "devices:write"},
		{"P2 one that does not exist", personal, func(w *wish) { w.ask.Permissions = []string{"devices:read", "devices:*"} },
			[]string{"/permissions/1 validation_failed"}, "devices:*"},
		{"P2 one that the kind may not hold", personal, func(w *wish) { w.ask.Permissions = []string{"audit:read"} },
			[]string{"/permissions/0 permission_not_held"}, "audit:read"},
		{"P2 what only a system token may hold", organization, func(w *wish) { w.ask.Permissions = []string{"billing:read"} },
			[]string{"/permissions/0 permission_not_held"}, "billing:read"},
		{"P2 each one, and each time", personal, func(w *wish) {
			w.holds, w.ask.Permissions = nil, []string{"devices:read", "no", "devices:read", ""}
		}, []string{"/permissions/0 permission_not_held", "/permissions/1 validation_failed", "/permissions/2 permission_not_held", "/permissions/3 validation_failed"}, ""},
		{"S7 a narrow credential of a wide owner", personal, func(w *wish) { w.holds = counterfoil.NewPermissions("devices:read") },
			[]string{"/permissions/0 permission_not_held"}, "devices:write"},
		{"S7 an organization token from a narrow credential", organization, without("devices:write"), []string{"/permissions/0 permission_not_held"}, "devices:write"},
		{"S7 a system token from a narrow credential", system, without("devices:write"), []string{"/permissions/0 permission_not_held"}, "devices:write"},
		{"P3 more than a year", personal, func(w *wish) { w.ask.ExpiresAt = ptr(now.Plus(365*day) + 1) },
			[]string{"/expires_at policy_violation"}, "at most 365 days, now until 2027-03-01T12:00:00Z"},
		{"P3 more than a year in seconds", personal, func(w *wish) { w.ask.ExpiresIn = ptr(365*day + 1) }, []string{"/expires_in policy_violation"}, "365 days"},
		{"P3 none", personal, func(w *wish) { w.ask.ExpiresAt = ptr(counterfoil.Instant(0)) }, []string{"/expires_at validation_failed"}, "future"},
		{"P3 now", personal, func(w *wish) { w.ask.ExpiresAt = ptr(now) }, []string{"/expires_at validation_failed"}, "future"},
		{"P3 in no time", personal, func(w *wish) { w.ask.ExpiresIn = ptr(int64(0)) }, []string{"/expires_in validation_failed"}, "one second"},
		{"P3 in less than no time", personal, func(w *wish) { w.ask.ExpiresIn = ptr(int64(-1 << 63)) }, []string{"/expires_in validation_failed"}, "one second"},
		{"P3 both", personal, func(w *wish) { w.ask.ExpiresIn, w.ask.ExpiresAt = ptr(int64(60)), ptr(now.Plus(60)) }, []string{"/expires_at validation_failed"}, "not both"},
		{"P10 a suspended or invited owner", personal, func(w *wish) { w.owner.Active = false }, []string{"/owner validation_failed"}, "active member"},
		{"P10 no owner", personal, func(w *wish) { w.owner = nil }, []string{"/owner validation_failed"}, "active member"},
		{"H2 no name", organization, func(w *wish) { w.ask.Name = " \t" }, []string{"/name validation_failed"}, "name"},
		{"H2 too long a name", organization, func(w *wish) { w.ask.Name = strings.Repeat("é", 101) }, []string{"/name validation_failed"}, "100"},
		{"H2 over 100 years", organization, func(w *wish) { w.ask.ExpiresIn = ptr(int64(3155760001)) }, []string{"/expires_in validation_failed"}, "100 years"},
		{"H2 seconds that overflow", organization, func(w *wish) { w.ask.ExpiresIn = ptr(int64(1<<63 - 1)) }, []string{"/expires_in validation_failed"}, "100 years"},
		{"H2 the end of time", organization, func(w *wish) { w.ask.ExpiresAt = ptr(counterfoil.Instant(1<<63 - 1)) }, []string{"/expires_at validation_failed"}, "100 years"},
		{"H2 no expiry where the policy requires one", organization, func(w *wish) { w.policy().ExpiryRequired = true }, []string{"/expires_at policy_violation"}, "requires"},
		{"H5 a filter that does not exist", organization, func(w *wish) { w.ask.IPFilter = "ipf_gone" }, []string{"/ip_filter validation_failed"}, "ipf_gone"},
		{"H5 a filter that cannot be read", organization, func(w *wish) { w.ask.IPFilter = "ipf_damaged" }, []string{"/ip_filter validation_failed"}, "ipf_damaged"},
		{"H6 the kind is not allowed", organization, func(w *wish) { w.policy().Allowed = false }, []string{"/kind policy_violation"}, "organization"},
		{"H6 no filter of its own", organization, func(w *wish) { w.ask.IPFilter, w.policy().CustomIPFilterAllowed = "ipf_own", false },
			[]string{"/ip_filter policy_violation"}, "own IP filter"},
		{"H6 the words are the largest unit", organization, func(w *wish) { w.policy().MaxLifetimeSeconds, w.ask.ExpiresIn = ptr(int64(5400)), ptr(day) },
			[]string{"/expires_in policy_violation"}, "at most 90 minutes, now until 2026-03-01T13:30:00Z"},
		{"H6 one hour", organization, func(w *wish) { w.policy().MaxLifetimeSeconds, w.ask.ExpiresIn = ptr(int64(3600)), ptr(day) },
			[]string{"/expires_in policy_violation"}, "at most 1 hour,"},
		{"H6 a longest lifetime of nothing", organization, func(w *wish) { w.policy().MaxLifetimeSeconds, w.ask.ExpiresIn = ptr(int64(0)), ptr(day) },
			[]string{"/expires_in policy_violation"}, "at most 0 seconds"},
		{"H6 a default of nothing", organization, func(w *wish) { w.policy().DefaultLifetimeSeconds = ptr(int64(0)) }, []string{"/expires_at policy_violation"}, "positive"},
		{"N1 no integration", integration, func(w *wish) { w.ask.Integration = "" }, []string{"/integration validation_failed"}, "splunk"},
		{"N1 an unknown integration", integration, func(w *wish) { w.ask.Integration = "elastic" }, []string{"/integration validation_failed"}, "splunk"},
		{"N6 an integration with permissions", integration, func(w *wish) { w.ask.Permissions = []string{counterfoil.PermActivityRead} },
			[]string{"/permissions validation_failed"}, "no permissions"},
		{"N6 another kind with an integration", organization, func(w *wish) { w.ask.Integration = "splunk" }, []string{"/integration validation_failed"}, "only"},
		{"system: no filter", system, func(w *wish) { w.ask.IPFilter = "ipf_own" }, []string{"/ip_filter validation_failed"}, "system"},
		{"no kind", organization, func(w *wish) { w.ask.Kind = "" }, []string{"/kind validation_failed"}, "personal"},
		{"everything at once", personal, func(w *wish) {
			w.policy().Allowed, w.policy().CustomIPFilterAllowed, w.ask.Integration = false, false, "custom"
			w.ask.Name, w.holds, w.ask.ExpiresIn, w.ask.IPFilter = "", nil, ptr(366*day), "ipf_own"
		}, []string{"/kind policy_violation", "/integration validation_failed", "/name validation_failed", "/permissions/0 permission_not_held",
			"/permissions/1 permission_not_held", "/expires_in policy_violation", "/ip_filter policy_violation"}, ""},
		{"S10 no rules", organization, func(w *wish) { w.rules = nil },
			[]string{"/kind policy_violation", "/permissions/0 validation_failed", "/permissions/1 validation_failed"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWish(t, c.kind)
			c.do(w)
			terms, problems := w.grant()
			if got := show(problems); !slices.Equal(got, c.want) {
				t.Fatalf("problems %q, want %q", got, c.want)
			}
			if !strings.Contains(problems[0].Detail, c.detail) {
				t.Errorf("detail %q does not say %q", problems[0].Detail, c.detail)
			}
			if terms.Permissions != nil || terms.ExpiresAt != 0 {
				t.Errorf("terms %+v beside problems", terms)
			}
		})
	}
}

// S7, P3: whatever is granted can be used at once, lies within what asker, owner and kind hold, and dies in time.
func TestGrantedIsWithinBounds(t *testing.T) {
	granted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWish(t, rapid.SampledFrom(counterfoil.Kinds).Draw(t, "kind"))
		w.holds = w.holds.Beyond(drawSet(t).Within(drawSet(t)))
		if w.owner != nil {
			w.owner.Permissions = w.owner.Permissions.Beyond(drawSet(t).Within(drawSet(t)))
		}
		if w.ask.Kind != integration {
			w.ask.Permissions = rapid.SliceOfN(rapid.SampledFrom(names[:4]), 0, 3).Draw(t, "asked")
		}
		if p := w.policy(); p != nil {
			seconds := rapid.Int64Range(1, 500*day).Draw(t, "max")
			p.MaxLifetimeSeconds = rapid.SampledFrom([]*int64{nil, &seconds}).Draw(t, "limit")
			p.EnforcedIPFilter = nil
		}
		seconds := rapid.Int64Range(-day, 500*day).Draw(t, "seconds")
		w.ask.ExpiresIn = rapid.SampledFrom([]*int64{nil, nil, &seconds}).Draw(t, "expires_in")
		terms, problems := w.grant()
		if problems != nil {
			refused++
			return
		}
		granted++
		record := judge.Record{Kind: w.ask.Kind, Integration: w.ask.Integration, Permissions: terms.Permissions, RenewedAt: now, ExpiresAt: terms.ExpiresAt}
		if got := judge.Effective(&record, w.owner, w.rules); !slices.Equal(got, terms.Permissions) || got.Beyond(w.holds) != nil {
			t.Fatalf("granted %q, of which %q is effective and %q held", terms.Permissions, got, w.holds)
		}
		if end := judge.EffectiveExpiry(&record, w.rules); end != terms.ExpiresAt {
			t.Fatalf("granted until %s, good until %s", terms.ExpiresAt.Time(), end.Time())
		}
		attempt := counterfoil.Attempt{Value: counterfoil.MatchCurrent, Audience: counterfoil.AudienceSelf, Permissions: terms.Permissions}
		if code := judge.Use(&record, w.owner, w.rules, &attempt, now, nil); code != counterfoil.CodeOK {
			t.Fatalf("granted and not usable: %s", code)
		}
	})
	bothAnswers(t, granted, refused)
}
