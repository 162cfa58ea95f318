package judge_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// breaker makes a personal token fail one rule.
type breaker struct {
	rule string
	code counterfoil.Code
	do   func(*world)
}

// breakers lists a way to fail each rule, in the order of the decision.
var breakers = []breaker{
	{judge.RuleValue, "invalid_token", func(w *world) { w.a.Value = counterfoil.NoMatch }},
	{judge.RuleRevoked, "token_revoked", func(w *world) { w.t.Revoked = true }},
	{judge.RulePaused, "token_paused", func(w *world) { w.t.Paused = true }},
	{judge.RuleOrganization, "organization_suspended", func(w *world) { w.rules.OrganizationActive = false }},
	{judge.RuleOwner, "owner_inactive", func(w *world) { w.owner.Active = false }},
	{judge.RuleAudience, "wrong_audience", func(w *world) { w.a.Audience = counterfoil.AudienceSplunk }},
	{judge.RuleKind, "kind_disabled", func(w *world) { w.rules.Personal.Allowed = false }},
	{judge.RuleExpiry, "token_expired", func(w *world) { w.t.ExpiresAt = now }},
	{judge.RuleLifetime, "max_lifetime_exceeded", func(w *world) { w.rules.Personal.MaxLifetimeSeconds = ptr(10 * day) }},
	{judge.RuleEnforcedFilter, "ip_not_allowed", func(w *world) { w.rules.Personal.EnforcedIPFilter = ptr("ipf_nobody") }},
	{judge.RuleOwnFilter, "ip_not_allowed", func(w *world) { w.t.IPFilter = "ipf_other" }},
	{judge.RulePermission, "missing_permission", func(w *world) { w.a.Permissions = []string{"alerts:read"} }},
	{judge.RuleEndpoint, "missing_permission", func(w *world) { w.a.Path = "/api/unlisted" }},
}

// The order of the decision: of two rules that fail, adjacent or not, the earlier one decides.
func TestUseOrder(t *testing.T) {
	for i, first := range breakers {
		for _, second := range breakers[i:] { // itself alone, then beside each later one
			t.Run(first.rule+" before "+second.rule, func(t *testing.T) {
				w := newWorld(t, counterfoil.KindPersonal)
				second.do(w)
				first.do(w)
				var trace judge.Trace
				if code := w.use(&trace); code != first.code {
					t.Errorf("code %s, want %s", code, first.code)
				}
				if last := trace.Steps[len(trace.Steps)-1]; last.Rule != first.rule || last.Passed {
					t.Errorf("decided by %+v, want %s", last, first.rule)
				}
			})
		}
	}
	// The grace of a rotated value is judged with the revocation, before the pause.
	w := newWorld(t, counterfoil.KindPersonal)
	w.a.Value, w.t.PreviousUntil, w.t.Paused = counterfoil.MatchPrevious, now, true
	if code := w.use(nil); code != counterfoil.CodeTokenRevoked {
		t.Errorf("an old value past its grace, of a paused token: %s", code)
	}
}

// useCase is one row of the product: a good world of a kind, what is different, and the code.
type useCase struct {
	name string
	kind counterfoil.Kind
	do   func(*world)
	want counterfoil.Code
}

const (
	personal     = counterfoil.KindPersonal
	organization = counterfoil.KindOrganization
	integration  = counterfoil.KindIntegration
	system       = counterfoil.KindSystem
)

var useCases = []useCase{
	{"P5 a script asks for nothing but to be known", personal, func(w *world) { w.a.Permissions, w.a.Path = nil, "" }, "ok"},
	{"P5 another address, the same token", personal, func(w *world) { w.a.IP = netip.MustParseAddr("::ffff:10.200.0.1") }, "ok"},
	{"P7 the owner has lost the permission", personal, func(w *world) { w.owner.Permissions = counterfoil.NewPermissions("devices:write") }, "missing_permission"},
	{"P7 the owner has gained one that the snapshot lacks", personal, func(w *world) { w.a.Permissions = []string{"alerts:read"} }, "missing_permission"},
	{"P7 the catalogue has taken it from the kind", organization, func(w *world) {
		w.t.Permissions, w.a.Permissions, w.a.Path = counterfoil.NewPermissions("alerts:read"), []string{"alerts:read"}, ""
	}, "missing_permission"},
	{"P7 an endpoint needs what the owner has lost", personal, func(w *world) { w.owner.Permissions = counterfoil.NewPermissions("devices:read") }, "missing_permission"},
	{"P7 any permission that opens the endpoint will do", personal, func(w *world) {
		w.a.Method, w.owner.Permissions = "GET", counterfoil.NewPermissions("devices:read")
	}, "ok"},
	{"P8 a deleted token", personal, func(w *world) { w.t.Revoked = true }, "token_revoked"},
	{"P10 the owner is suspended", personal, func(w *world) { w.owner.Active = false }, "owner_inactive"},
	{"P10 the owner is gone", personal, func(w *world) { w.owner = nil }, "owner_inactive"},
	{"P10 an organization token outlives any member", organization, func(w *world) { w.owner = &judge.Holder{} }, "ok"},
	{"H2 no expiry", organization, func(w *world) { w.t.ExpiresAt = 0 }, "ok"},
	{"H2 the last microsecond", organization, func(w *world) { w.t.ExpiresAt = now + 1 }, "ok"},
	{"H2 an endpoint that is not listed", organization, func(w *world) { w.a.Path = "/api/users" }, "missing_permission"},
	{"H4 the old value within its grace", organization, func(w *world) { w.a.Value, w.t.PreviousUntil = counterfoil.MatchPrevious, now+1 }, "ok"},
	{"H4 the old value at the end of its grace", organization, func(w *world) { w.a.Value, w.t.PreviousUntil = counterfoil.MatchPrevious, now }, "token_revoked"},
	{"H4 the old value with no grace", organization, func(w *world) { w.a.Value = counterfoil.MatchPrevious }, "token_revoked"},
	{"H4 the old value with no grace, by a clock before the epoch", organization, func(w *world) { w.a.Value, w.now = counterfoil.MatchPrevious, -1 }, "token_revoked"},
	{"H4 the new value while the old one is dead", organization, func(w *world) { w.t.PreviousUntil = now - 1 }, "ok"},
	{"H5 no match denies", organization, func(w *world) { w.a.IP = netip.MustParseAddr("11.0.0.1") }, "ip_not_allowed"},
	{"H5 no address", organization, func(w *world) { w.a.IP = netip.Addr{} }, "ip_not_allowed"},
	{"H5 no address and no filter", organization, func(w *world) { w.a.IP, w.t.IPFilter, w.policy().EnforcedIPFilter = netip.Addr{}, "", nil }, "ok"},
	{"H5 a filter that does not exist", organization, func(w *world) { w.t.IPFilter = "ipf_gone" }, "ip_not_allowed"},
	{"H5 a filter that cannot be read", organization, func(w *world) { w.t.IPFilter = "ipf_damaged" }, "ip_not_allowed"},
	{"H6 the kind is not allowed", organization, func(w *world) { w.policy().Allowed = false }, "kind_disabled"},
	{"H6 another kind is not allowed", organization, func(w *world) { w.rules.Personal.Allowed = false }, "ok"},
	{"H6 a token keeps its own filter when new ones may have none", organization, func(w *world) { w.policy().CustomIPFilterAllowed, w.t.IPFilter = false, "ipf_other" }, "ip_not_allowed"},
	{"H7 the zero policy", organization, func(w *world) { *w.policy() = counterfoil.Policy{} }, "kind_disabled"},
	{"H7 the longest lifetime is reached", organization, func(w *world) { w.policy().MaxLifetimeSeconds = ptr(10 * day) }, "max_lifetime_exceeded"},
	{"H7 the longest lifetime is almost reached", organization, func(w *world) { w.policy().MaxLifetimeSeconds, w.now = ptr(10*day), now-1 }, "ok"},
	{"H7 the longest lifetime of a token without expiry", organization, func(w *world) { w.policy().MaxLifetimeSeconds, w.t.ExpiresAt = ptr(day), 0 }, "max_lifetime_exceeded"},
	{"H7 a longest lifetime past the end of time", organization, func(w *world) { w.policy().MaxLifetimeSeconds = ptr(int64(1<<63 - 1)) }, "ok"},
	{"H7 a longest lifetime of nothing", organization, func(w *world) { w.policy().MaxLifetimeSeconds = ptr(int64(0)) }, "max_lifetime_exceeded"},
	{"H7 a longest lifetime before the beginning of time", organization, func(w *world) { w.policy().MaxLifetimeSeconds = ptr(int64(-1 << 63)) }, "max_lifetime_exceeded"},
	{"H7 the time of renewal is missing", organization, func(w *world) { w.policy().MaxLifetimeSeconds, w.t.RenewedAt = ptr(365*day), 0 }, "max_lifetime_exceeded"},
	{"H7 the time of renewal is damaged", organization, func(w *world) { w.policy().MaxLifetimeSeconds, w.t.RenewedAt = ptr(365*day), -1<<63 }, "max_lifetime_exceeded"},
	{"H7 the enforced filter alone refuses", organization, func(w *world) { w.policy().EnforcedIPFilter = ptr("ipf_other") }, "ip_not_allowed"},
	{"H7 the own filter alone refuses", organization, func(w *world) { w.a.IP = netip.MustParseAddr("192.0.2.1") }, "ip_not_allowed"},
	{"H7 the enforced filter does not exist", organization, func(w *world) { w.policy().EnforcedIPFilter = ptr("") }, "ip_not_allowed"},
	{"H8 expired", organization, func(w *world) { w.t.ExpiresAt = now }, "token_expired"},
	{"H8 expired since before the epoch", organization, func(w *world) { w.t.ExpiresAt = -1 }, "token_expired"},
	{"H8 missing permission", organization, func(w *world) { w.a.Permissions = []string{"devices:read", "audit:read"} }, "missing_permission"},
	{"H8 unknown", organization, func(w *world) { w.a.Value = counterfoil.NoMatch }, "invalid_token"},
	{"H8 a match of no known sort", organization, func(w *world) { w.a.Value = 7 }, "invalid_token"},

	{"N6 custom at the activity API", integration, func(w *world) {}, "ok"},
	{"N6 custom, asked for the permission by name", integration, func(w *world) { w.a.Permissions = []string{counterfoil.PermActivityRead} }, "ok"},
	{"N6 custom, asked for any other permission", integration, func(w *world) { w.a.Permissions = []string{counterfoil.PermActivityWrite} }, "missing_permission"},
	{"N6 custom with permissions that it should not have", integration, func(w *world) {
		w.t.Permissions, w.a.Permissions = counterfoil.NewPermissions("devices:read"), []string{"devices:read"}
	}, "missing_permission"},
	{"N6 custom about itself, with a permission", integration, func(w *world) {
		w.a.Audience, w.a.Permissions = counterfoil.AudienceSelf, []string{counterfoil.PermActivityRead}
	}, "missing_permission"},
	{"N6 an integration of no known name", integration, func(w *world) { w.t.Integration = "elastic" }, "wrong_audience"},
	{"N6 an integration without a name", integration, func(w *world) { w.t.Integration = "" }, "wrong_audience"},
	{"N6 a personal token with an integration", personal, func(w *world) { w.t.Integration = "custom" }, "wrong_audience"},
	{"N7 a personal token at the activity API", personal, func(w *world) {
		w.a = counterfoil.Attempt{Value: counterfoil.MatchCurrent, Audience: counterfoil.AudienceActivity, IP: w.a.IP}
	}, "missing_permission"},
	{"N7 an organization token that may read activity", organization, func(w *world) {
		w.t.Permissions = counterfoil.NewPermissions(counterfoil.PermActivityRead)
		w.a = counterfoil.Attempt{Value: counterfoil.MatchCurrent, Audience: counterfoil.AudienceActivity, IP: w.a.IP}
	}, "ok"},

	{"system: no organization, owner or policy", system, func(w *world) { w.rules = judge.Rules{Catalogue: w.rules.Catalogue}; w.t.IPFilter = "" }, "ok"},
	{"system: what no other kind may hold", system, func(w *world) {
		w.t.Permissions, w.a.Permissions, w.a.Path = counterfoil.NewPermissions("billing:read"), []string{"billing:read"}, ""
	}, "ok"},
	{"system: not in the catalogue", system, func(w *world) {
		w.t.Permissions, w.a.Permissions, w.a.Path = counterfoil.NewPermissions("gone:read"), []string{"gone:read"}, ""
	}, "missing_permission"},
	{"system: a filter that does not exist", system, func(w *world) { w.t.IPFilter = "ipf_gone" }, "ip_not_allowed"},
	{"S10 no kind", personal, func(w *world) { w.t.Kind = "" }, "invalid_token"},
	{"S10 no catalogue", system, func(w *world) { w.rules.Catalogue, w.a.Permissions, w.a.Path = nil, nil, "" }, "missing_permission"},
	{"S10 an empty catalogue", personal, func(w *world) { w.rules.Catalogue = &counterfoil.Catalogue{} }, "missing_permission"},
	{"S10 no rules", personal, func(w *world) { w.rules = judge.Rules{} }, "organization_suspended"},
	{"S10 a zero attempt", personal, func(w *world) { w.a = counterfoil.Attempt{} }, "invalid_token"},
}

func TestUse(t *testing.T) {
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.kind)
			c.do(w)
			if code := w.use(nil); code != c.want {
				t.Errorf("code %s, want %s", code, c.want)
			}
		})
	}
}

// N6: which kind of token is good for what.
func TestUseAudience(t *testing.T) {
	all := []counterfoil.Audience{"product", "api", "activity", "splunk", "self", "", "Product"}
	good := map[string][]counterfoil.Audience{
		"personal": {"product", "api", "activity", "self"}, "organization": {"product", "api", "activity", "self"},
		"system": {"product", "api", "activity", "self"},
		"custom": {"activity", "self"}, "sentinel": {"activity", "self"}, "splunk": {"splunk", "self"},
	}
	for whose, audiences := range good {
		for _, audience := range all {
			kind := counterfoil.Kind(whose)
			if !kind.Valid() {
				kind = counterfoil.KindIntegration
			}
			w := newWorld(t, kind)
			if kind == counterfoil.KindIntegration {
				w.t.Integration = counterfoil.Integration(whose)
			}
			w.a.Audience, w.a.Permissions, w.a.Path = audience, nil, ""
			if w.t.Kind != counterfoil.KindIntegration {
				w.t.Permissions = counterfoil.NewPermissions(counterfoil.PermActivityRead)
			}
			if w.owner != nil {
				w.owner.Permissions = w.t.Permissions
			}
			want := counterfoil.CodeWrongAudience
			if slices.Contains(audiences, audience) {
				want = counterfoil.CodeOK
			}
			if code := w.use(nil); code != want {
				t.Errorf("%s at %q: %s, want %s", whose, audience, code, want)
			}
		}
	}
}

func TestUseWithoutArguments(t *testing.T) {
	w := newWorld(t, counterfoil.KindSystem)
	var trace judge.Trace
	for name, code := range map[string]counterfoil.Code{
		"record":     judge.Use(nil, w.owner, &w.rules, &w.a, now, &trace),
		"rules":      judge.Use(&w.t, w.owner, nil, &w.a, now, &trace),
		"attempt":    judge.Use(&w.t, w.owner, &w.rules, nil, now, &trace),
		"everything": judge.Use(nil, nil, nil, nil, 0, nil),
	} {
		if code != counterfoil.CodeInvalidToken {
			t.Errorf("no %s: %s", name, code)
		}
	}
}

// H7: a settings change deletes nothing; switching back restores.
func TestUseAfterSwitchingBack(t *testing.T) {
	w := newWorld(t, counterfoil.KindOrganization)
	before := w.t
	for _, want := range []counterfoil.Code{"kind_disabled", "ok"} {
		w.policy().Allowed = !w.policy().Allowed
		if code := w.use(nil); code != want {
			t.Errorf("allowed %v: %s", w.policy().Allowed, code)
		}
	}
	if before.Permissions.Beyond(w.t.Permissions) != nil || before.ExpiresAt != w.t.ExpiresAt || w.t.Revoked {
		t.Errorf("the record changed from %+v to %+v", before, w.t)
	}
}

func TestUseAllocatesNothing(t *testing.T) {
	for _, kind := range counterfoil.Kinds {
		w := newWorld(t, kind)
		w.a.IP = netip.MustParseAddr("::ffff:10.1.2.3")
		if n := testing.AllocsPerRun(200, func() {
			if w.use(nil) != counterfoil.CodeOK {
				t.Fatal("refused")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", kind, n)
		}
	}
	for _, b := range breakers {
		w := newWorld(t, counterfoil.KindPersonal)
		b.do(w)
		if n := testing.AllocsPerRun(200, func() { w.use(nil) }); n != 0 {
			t.Errorf("refused by %s: %v allocations", b.rule, n)
		}
	}
}

func BenchmarkUse(b *testing.B) {
	w := newWorld(b, counterfoil.KindPersonal)
	b.ReportAllocs()
	for b.Loop() {
		w.use(nil)
	}
}
