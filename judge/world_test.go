package judge_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// now is the moment at which the tests judge unless they say otherwise.
var now = counterfoil.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

const day = int64(24 * 60 * 60)

func ptr[T any](v T) *T { return &v }

// fataler is what *testing.T and *rapid.T share.
type fataler interface{ Fatal(args ...any) }

func catalogue(t fataler) *counterfoil.Catalogue {
	c, problems := counterfoil.NewCatalogue([]counterfoil.Permission{
		{Name: "devices:read", Endpoints: []string{"GET /api/devices", "GET /api/devices/{id}"}},
		{Name: "devices:write", Endpoints: []string{"GET /api/devices/{id}", "PUT /api/devices/{id}"}},
		{Name: "alerts:read", Kinds: []counterfoil.Kind{counterfoil.KindPersonal}},
		{Name: "audit:read", Kinds: []counterfoil.Kind{counterfoil.KindOrganization}},
		{Name: "billing:read", Kinds: []counterfoil.Kind{}},
	}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

func filter(t fataler, text string) *counterfoil.IPRules {
	r, problems := counterfoil.ParseIPRules(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// world is everything that Use is asked.
type world struct {
	t     judge.Record
	owner *judge.Holder
	rules judge.Rules
	a     counterfoil.Attempt
	now   counterfoil.Instant
}

// newWorld makes a token of a kind in use as it should be: ten days old, twenty to live, behind two IP filters.
func newWorld(t fataler, kind counterfoil.Kind) *world {
	w := &world{
		t: judge.Record{
			Kind:        kind,
			Permissions: counterfoil.NewPermissions("devices:read", "devices:write"),
			RenewedAt:   now.Plus(-10 * day),
			ExpiresAt:   now.Plus(20 * day),
			IPFilter:    "ipf_own",
		},
		rules: judge.Rules{
			OrganizationActive: true,
			Personal:           counterfoil.DefaultPolicy(counterfoil.KindPersonal),
			Organization:       counterfoil.DefaultPolicy(counterfoil.KindOrganization),
			Integration:        counterfoil.DefaultPolicy(counterfoil.KindIntegration),
			Filters: map[string]*counterfoil.IPRules{
				"ipf_own":      filter(t, "allow 10.0.0.0/8"),
				"ipf_enforced": filter(t, "# both\nallow 10.0.0.0/8\nallow 192.0.2.0/24\ndeny all"),
				"ipf_other":    filter(t, "allow 192.0.2.0/24"),
				"ipf_nobody":   filter(t, ""),
				"ipf_damaged":  nil,
			},
			Catalogue: catalogue(t),
		},
		a: counterfoil.Attempt{
			Value: counterfoil.MatchCurrent, Audience: counterfoil.AudienceProduct,
			Permissions: []string{"devices:read"}, Method: "PUT", Path: "/api/devices/7",
			IP: netip.MustParseAddr("10.1.2.3"),
		},
		now: now,
	}
	switch kind {
	case counterfoil.KindPersonal:
		w.owner = &judge.Holder{Active: true, Permissions: counterfoil.NewPermissions("devices:read", "devices:write", "alerts:read", counterfoil.PermTokensRead)}
	case counterfoil.KindIntegration:
		w.t.Integration, w.t.Permissions = counterfoil.IntegrationCustom, nil
		w.a.Audience, w.a.Permissions, w.a.Method, w.a.Path = counterfoil.AudienceActivity, nil, "", ""
	}
	if p := w.policy(); p != nil {
		p.EnforcedIPFilter = ptr("ipf_enforced")
	}
	return w
}

func (w *world) policy() *counterfoil.Policy { return w.rules.Policy(w.t.Kind) }

func (w *world) use(trace *judge.Trace) counterfoil.Code {
	return judge.Use(&w.t, w.owner, &w.rules, &w.a, w.now, trace)
}

func (w *world) effective() counterfoil.Permissions {
	return judge.Effective(&w.t, w.owner, &w.rules)
}

func TestWorldsAreGood(t *testing.T) {
	for _, kind := range counterfoil.Kinds {
		if code := newWorld(t, kind).use(nil); code != counterfoil.CodeOK {
			t.Errorf("%s: %s", kind, code)
		}
	}
}
