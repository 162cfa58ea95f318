package judge_test

import (
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
	"pgregory.net/rapid"
)

// narrowings each take something away, or ask for more.
var narrowings = map[string]func(*rapid.T, *world){
	"fewer granted": func(t *rapid.T, w *world) { w.t.Permissions = w.t.Permissions.Within(drawSet(t)) },
	"fewer held by the owner": func(t *rapid.T, w *world) {
		if w.owner != nil {
			w.owner = &judge.Holder{Active: w.owner.Active, Permissions: w.owner.Permissions.Within(drawSet(t))}
		}
	},
	"an inactive owner": func(_ *rapid.T, w *world) {
		if w.owner != nil {
			w.owner = &judge.Holder{Permissions: w.owner.Permissions}
		}
	},
	"no owner":     func(_ *rapid.T, w *world) { w.owner = nil },
	"no catalogue": func(_ *rapid.T, w *world) { w.rules.Catalogue = nil },
	"a smaller catalogue": func(t *rapid.T, w *world) {
		if w.rules.Catalogue != nil {
			w.rules.Catalogue = &counterfoil.Catalogue{}
		}
	},
	"revoked":                func(_ *rapid.T, w *world) { w.t.Revoked = true },
	"paused":                 func(_ *rapid.T, w *world) { w.t.Paused = true },
	"organization suspended": func(_ *rapid.T, w *world) { w.rules.OrganizationActive = false },
	"kind not allowed": func(_ *rapid.T, w *world) {
		if p := w.policy(); p != nil {
			p.Allowed = false
		}
	},
	"an earlier expiry": func(t *rapid.T, w *world) {
		if at := drawInstant(t); at != 0 && (w.t.ExpiresAt == 0 || at < w.t.ExpiresAt) {
			w.t.ExpiresAt = at
		}
	},
	"an earlier renewal": func(t *rapid.T, w *world) { w.t.RenewedAt = min(w.t.RenewedAt, drawInstant(t)) },
	"a shorter longest lifetime": func(t *rapid.T, w *world) {
		p, seconds := w.policy(), rapid.Int64Range(-1, 40*day).Draw(t, "seconds")
		if p != nil && (p.MaxLifetimeSeconds == nil || seconds < *p.MaxLifetimeSeconds) {
			p.MaxLifetimeSeconds = &seconds
		}
	},
	"a shorter grace": func(t *rapid.T, w *world) {
		if at := drawInstant(t); at == 0 || w.t.PreviousUntil != 0 && at < w.t.PreviousUntil {
			w.t.PreviousUntil = at
		}
	},
	"later": func(t *rapid.T, w *world) { w.now = w.now.Plus(rapid.Int64Range(0, 100*day).Draw(t, "seconds")) },
	"its own filter where it had none": func(_ *rapid.T, w *world) {
		if w.t.IPFilter == "" {
			w.t.IPFilter = "ipf_other"
		}
	},
	"an enforced filter where there was none": func(_ *rapid.T, w *world) {
		if p := w.policy(); p != nil && p.EnforcedIPFilter == nil {
			p.EnforcedIPFilter = ptr("ipf_own")
		}
	},
	"filters lost": func(_ *rapid.T, w *world) { w.rules.Filters = nil },
	"one more permission asked": func(t *rapid.T, w *world) {
		w.a.Permissions = append(slices.Clone(w.a.Permissions), rapid.SampledFrom(names).Draw(t, "more"))
	},
	"an endpoint asked": func(t *rapid.T, w *world) {
		if w.a.Path == "" {
			w.a.Method, w.a.Path = "GET", "/api/devices"
		}
	},
	"no match":   func(_ *rapid.T, w *world) { w.a.Value = counterfoil.NoMatch },
	"zero rules": func(_ *rapid.T, w *world) { w.rules = judge.Rules{} },
}

// Narrowing anything never turns a refusal into acceptance.
func TestNarrowingNeverOpens(t *testing.T) {
	for name, narrow := range narrowings {
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				w := drawWorld(t)
				before := w.use(nil)
				narrow(t, w)
				if after := w.use(nil); before != counterfoil.CodeOK && after == counterfoil.CodeOK {
					t.Fatalf("%s before, %s after", before, after)
				}
				if before == counterfoil.CodeOK {
					accepted++
				} else {
					refused++
				}
			})
			bothAnswers(t, accepted, refused)
		})
	}
}
