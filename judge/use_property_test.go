package judge_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
	"pgregory.net/rapid"
)

// names are the permissions that drawn tokens, owners and attempts meet in.
var names = []string{"devices:read", "devices:write", "alerts:read", "audit:read", "billing:read", counterfoil.PermActivityRead, "gone:read"}

// drawWorld starts from a good world and spoils up to four things, so that both answers are common.
func drawWorld(t *rapid.T) *world {
	w := newWorld(t, rapid.SampledFrom(counterfoil.Kinds).Draw(t, "kind"))
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		drawChange(t, w)
	}
	return w
}

func drawSet(t *rapid.T) counterfoil.Permissions {
	return counterfoil.NewPermissions(rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(t, "permissions")...)
}

// drawInstant draws moments near now, where decisions turn, none, and damage.
func drawInstant(t *rapid.T) counterfoil.Instant {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) counterfoil.Instant {
			return now + counterfoil.Instant(rapid.IntRange(-2, 2).Draw(t, "microseconds"))
		}),
		rapid.Custom(func(t *rapid.T) counterfoil.Instant { return now.Plus(rapid.Int64Range(-40, 40).Draw(t, "days") * day) }),
		rapid.SampledFrom([]counterfoil.Instant{0, 1, -1, 1<<63 - 1, -1 << 63}),
	).Draw(t, "instant")
}

func drawChange(t *rapid.T, w *world) {
	policy := w.policy()
	filters := []string{"ipf_own", "ipf_enforced", "ipf_other", "ipf_nobody", "ipf_damaged", "ipf_gone", ""}
	what := rapid.IntRange(0, 19).Draw(t, "what")
	switch {
	case what == 0:
		w.t.Revoked = true
	case what == 1:
		w.t.Paused = true
	case what == 2:
		w.t.Permissions = drawSet(t)
	case what == 3:
		w.t.IPFilter = rapid.SampledFrom(filters).Draw(t, "filter")
	case what == 4:
		w.t.RenewedAt = drawInstant(t)
	case what == 5:
		w.t.ExpiresAt = drawInstant(t)
	case what == 6:
		w.t.PreviousUntil = drawInstant(t)
	case what == 7:
		w.t.Kind = rapid.SampledFrom([]counterfoil.Kind{"personal", "organization", "integration", "system", "", "x"}).Draw(t, "kind")
	case what == 8:
		w.t.Integration = rapid.SampledFrom([]counterfoil.Integration{"custom", "splunk", "sentinel", "", "x"}).Draw(t, "integration")
	case what == 9:
		w.owner = rapid.SampledFrom([]*judge.Holder{nil, {}, {Active: true}, {Permissions: names}}).Draw(t, "owner")
	case what == 10 && w.owner != nil:
		w.owner = &judge.Holder{Active: true, Permissions: drawSet(t)}
	case what == 11:
		w.rules.OrganizationActive = false
	case what == 12 && policy != nil:
		policy.Allowed = false
	case what == 13 && policy != nil:
		seconds := rapid.SampledFrom([]int64{0, -1, 1, day, 10 * day, 11 * day, 1<<63 - 1, -1 << 63}).Draw(t, "max")
		policy.MaxLifetimeSeconds = rapid.SampledFrom([]*int64{nil, &seconds}).Draw(t, "limit")
	case what == 14 && policy != nil:
		policy.EnforcedIPFilter = rapid.SampledFrom([]*string{nil, &filters[0], &filters[2], &filters[5], &filters[6]}).Draw(t, "enforced")
	case what == 15:
		w.a.Value = rapid.SampledFrom([]counterfoil.Match{counterfoil.NoMatch, counterfoil.MatchPrevious, 9}).Draw(t, "value")
	case what == 16:
		w.a.Audience = rapid.SampledFrom([]counterfoil.Audience{"product", "api", "activity", "splunk", "self", ""}).Draw(t, "audience")
	case what == 17:
		w.a.Permissions = rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, "asked")
	case what == 18:
		w.a.Method = rapid.SampledFrom([]string{"GET", "PUT", "DELETE", ""}).Draw(t, "method")
		w.a.Path = rapid.SampledFrom([]string{"", "/api/devices", "/api/devices/7", "/x", "x"}).Draw(t, "path")
	case what == 19:
		w.a.IP = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.0.0.1")}).Draw(t, "ip")
		w.rules.Catalogue = rapid.SampledFrom([]*counterfoil.Catalogue{w.rules.Catalogue, w.rules.Catalogue, {}, nil}).Draw(t, "catalogue")
	}
}

// bothAnswers fails a property that has not seen both acceptance and refusal, and so means nothing.
func bothAnswers(t *testing.T, accepted, refused int) {
	t.Helper()
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted and %d refused: the worlds drawn prove nothing", accepted, refused)
	}
}

var ruleOrder = []string{judge.RuleValue, judge.RuleRevoked, judge.RulePaused, judge.RuleOrganization, judge.RuleOwner, judge.RuleAudience,
	judge.RuleKind, judge.RuleExpiry, judge.RuleLifetime, judge.RuleEnforcedFilter, judge.RuleOwnFilter, judge.RulePermission, judge.RuleEndpoint}

// The explanation is the judgement: with its trace on it answers the same, and the last step is what refused.
func TestTraceChangesNothing(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		var trace judge.Trace
		code := w.use(nil)
		if traced := w.use(&trace); traced != code {
			t.Fatalf("%s, and %s with the trace on", code, traced)
		}
		if code == counterfoil.CodeOK {
			accepted++
		} else {
			refused++
		}
		at := 0
		for i, step := range trace.Steps {
			last := i == len(trace.Steps)-1
			if step.Passed != (code == counterfoil.CodeOK || !last) {
				t.Fatalf("%s: step %d of %d is %+v", code, i+1, len(trace.Steps), step)
			}
			place := slices.Index(ruleOrder, step.Rule)
			if place < at || step.Detail == "" {
				t.Fatalf("step %+v after %s", step, ruleOrder[at])
			}
			at = place
		}
		if len(trace.Steps) == 0 {
			t.Fatal("no step")
		}
	})
	bothAnswers(t, accepted, refused)
}

// P7, S7: of a usable token Use accepts exactly the permissions of Effective, each of them granted, allowed for the kind
// and held by its owner.
func TestEffectiveIsWhatUseAccepts(t *testing.T) {
	held, lacked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.a.Permissions, w.a.Path = nil, ""
		if w.t.Kind == counterfoil.KindIntegration || w.use(nil) != counterfoil.CodeOK {
			return
		}
		effective := w.effective()
		for _, name := range names {
			w.a.Permissions = []string{name}
			ok := w.use(nil) == counterfoil.CodeOK
			if ok != effective.Has(name) {
				t.Fatalf("%s is accepted: %v; effective: %q", name, ok, effective)
			}
			want := w.t.Permissions.Has(name) && (w.owner == nil || w.owner.Permissions.Has(name) || w.t.Kind != counterfoil.KindPersonal)
			if ok && !want {
				t.Fatalf("%s is accepted beyond %q and %+v", name, w.t.Permissions, w.owner)
			}
			if ok {
				held++
			} else {
				lacked++
			}
		}
	})
	bothAnswers(t, held, lacked)
}

// A list never shows a token as active whose time or state refuses it, nor the other way round.
func TestStatusAgreesWithUse(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.t.RenewedAt, w.t.ExpiresAt = drawInstant(t), drawInstant(t)
		code, status := w.use(nil), judge.Status(&w.t, &w.rules, w.now)
		want := map[counterfoil.Code]counterfoil.Status{
			"token_expired": "expired", "max_lifetime_exceeded": "expired", "ok": "active", "ip_not_allowed": "active", "missing_permission": "active",
		}[code]
		if want != "" && status != want {
			t.Fatalf("%s is shown as %s", code, status)
		}
		if end := judge.EffectiveExpiry(&w.t, &w.rules); (end != 0 && w.now >= end) != (status == "expired") && status != "revoked" {
			t.Fatalf("%s with effective expiry %s at %s", status, end.Time(), w.now.Time())
		}
		if want == "active" {
			accepted++
		} else if want != "" {
			refused++
		}
	})
	bothAnswers(t, accepted, refused)
}
