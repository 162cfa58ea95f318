package judge_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// The admin reads the deciding line.
func TestTraceDetail(t *testing.T) {
	cases := []struct {
		name string
		do   func(*world)
		want string
	}{
		{"filter line", func(w *world) { w.a.IP = netip.MustParseAddr("172.16.0.1") }, `IP filter "ipf_enforced": line 4: deny all, for 172.16.0.1`},
		{"no filter line", func(w *world) { w.a.IP = netip.MustParseAddr("192.0.2.9") }, `IP filter "ipf_own": no rule matches 192.0.2.9`},
		{"no address", func(w *world) { w.a.IP = netip.Addr{} }, `IP filter "ipf_enforced": the client's address is not known`},
		{"no filter", func(w *world) { w.t.IPFilter = "ipf_x" }, `IP filter "ipf_x": it does not exist or cannot be read`},
		{"owner lost it", func(w *world) { w.owner.Permissions = nil }, "devices:read is granted, but the token's owner does not hold it now"},
		{"kind lost it", func(w *world) {
			w.t.Permissions, w.a.Permissions = counterfoil.NewPermissions("audit:read"), []string{"audit:read"}
		}, "audit:read is granted, but the catalogue does not let tokens of this kind hold it"},
		{"never had it", func(w *world) { w.a.Permissions = []string{"x\x1b[2J"} }, `"x\x1b[2J" is not granted to the token`},
		{"endpoint", func(w *world) { w.t.Permissions = counterfoil.NewPermissions("devices:read") }, `PUT /api/devices/7 needs one of ["devices:write"]`},
		{"unlisted", func(w *world) { w.a.Path = "/" + strings.Repeat("é", 200) }, `PUT "/` + strings.Repeat("é", 99) + `"… is not listed in the catalogue`},
		{"expiry", func(w *world) { w.t.ExpiresAt = now }, "the token expired at 2026-03-01T12:00:00Z"},
		{"audience", func(w *world) { w.a.Audience = "splunk" }, `a personal token is not good for "splunk"`},
		{"audience of an organization's", func(w *world) { w.t.Kind, w.a.Audience = counterfoil.KindOrganization, "splunk" }, `an organization token is not good for "splunk"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, counterfoil.KindPersonal)
			c.do(w)
			var trace judge.Trace
			w.use(&trace)
			if got := trace.Steps[len(trace.Steps)-1].Detail; got != c.want {
				t.Errorf("detail %q, want %q", got, c.want)
			}
		})
	}
}

// P9: every code has words of its own for the caller.
func TestMessage(t *testing.T) {
	seen := map[string]counterfoil.Code{judge.Message("no such code"): "the default"}
	for _, code := range []counterfoil.Code{"ok", "invalid_token", "wrong_data_center", "token_revoked", "token_paused", "organization_suspended",
		"owner_inactive", "wrong_audience", "kind_disabled", "token_expired", "max_lifetime_exceeded", "ip_not_allowed", "missing_permission"} {
		text := judge.Message(code)
		if other, taken := seen[text]; taken || !strings.HasSuffix(text, ".") {
			t.Errorf("%s says %q, as does %s", code, text, other)
		}
		seen[text] = code
	}
}

// Of a system token no rule of an organization is even asked.
func TestTraceOfSystemToken(t *testing.T) {
	var trace judge.Trace
	newWorld(t, system).use(&trace)
	got := []string{}
	for _, step := range trace.Steps {
		got = append(got, step.Rule)
	}
	want := []string{"value", "revoked", "paused", "audience", "expiry", "own_ip_filter", "permission", "endpoint"}
	if !slices.Equal(got, want) {
		t.Errorf("rules %q, want %q", got, want)
	}
}
