package judge_test

import (
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// P9: who proved possession of a token is told what it lacks, and nothing of the organization.
func TestMissing(t *testing.T) {
	const lacks, it = "This token does not have ", " to the token, or use another token."
	for name, c := range map[string]struct {
		change func(*world)
		want   string
	}{
		"one": {func(w *world) { w.a.Permissions = []string{"devices:read", "alerts:read"} }, lacks + "a permission that the request needs: alerts:read. Add it" + it},
		"many": {func(w *world) { w.a.Permissions = strings.Fields("a:1 a:2 a:3 a:1 a:4 devices:read a:5 a:6 a:7") },
			lacks + "permissions that the request needs: a:1, a:2, a:3, a:4, a:5 and 2 more. Add them" + it},
		"what its owner lost": {func(w *world) { w.owner.Permissions = counterfoil.NewPermissions("devices:write") },
			lacks + "a permission that the request needs: devices:read. Add it" + it},
		"an endpoint": {func(w *world) { w.a.Permissions = nil; w.t.Permissions = counterfoil.NewPermissions("devices:read") },
			lacks + "a permission that the request needs: devices:write. Add it" + it},
		"an endpoint that two open": {func(w *world) {
			w.a.Permissions, w.a.Method, w.t.Permissions = nil, "GET", counterfoil.NewPermissions("alerts:read")
		}, lacks + "any permission that opens this endpoint: devices:read, devices:write. Add one" + it},
		"no endpoint": {func(w *world) { w.a.Permissions, w.a.Path = nil, "/secret" }, "The catalogue of permissions does not list this endpoint, so no token opens it. Ask whoever runs this API."},
		"no name":     {func(w *world) { w.a.Permissions = []string{"\x1b[31m"} }, lacks + `a permission that the request needs: "\x1b[31m". Add it` + it},
	} {
		w := newWorld(t, counterfoil.KindPersonal)
		c.change(w)
		if code := w.use(nil); code != counterfoil.CodeMissingPermission {
			t.Errorf("%s: %s", name, code)
		}
		if got := judge.Missing(&w.t, w.owner, &w.rules, &w.a); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	w := newWorld(t, counterfoil.KindOrganization)
	w.rules.Catalogue = nil
	if got := judge.Missing(&w.t, nil, &w.rules, &w.a); got != judge.Message(counterfoil.CodeMissingPermission) {
		t.Errorf("without a catalogue: %q", got)
	}
}
