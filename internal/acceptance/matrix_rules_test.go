package acceptance

import (
	"slices"
	"strings"
	"testing"
)

// holdToRules states what must be so on every route, whatever the golden file says.
func holdToRules(t *testing.T, o operation, p probe, table map[string][]string) {
	t.Helper()
	open := o.line == "GET /openapi.json"
	integrations := o.line == "POST /activities/query" || o.line == "GET /v1/integrations/splunk/events"
	anyKind := integrations || strings.HasSuffix(o.line, "/v1/tokens/current") || o.line == "POST /oauth2/revoke" // a token about itself
	for _, caller := range callers {
		for i, column := range p.columns() {
			cell := table[caller][i]
			wrong := func(rule string) {
				t.Errorf("%s, %s, %s object: %s, but %s", o.line+" "+p.what, caller, column, cell, rule)
			}
			done, instance := success(cell), caller == "system" || caller == "gateway"
			if want, fixed := always[caller]; fixed && cell != want && !open && !(anyKind && strings.HasPrefix(want, "403 wrong")) && !(integrations && cell == "403 wrong_audience") {
				wrong("it always gets " + want)
			}
			if column != "own" && done && !instance && !open && !(o.line == "POST /oauth2/revoke" && cell == "200") {
				wrong("nobody but the instance reaches another organization")
			}
			if strings.Contains(o.line, "/v1/system/") && done && !instance {
				wrong("system tokens are the instance's")
			}
			if column == "own" {
				holdToPermission(t, o, p, caller, cell)
			}
		}
	}
}

// success reports whether an answer gave what was asked for. A verdict on a token that one may not know of does not.
func success(cell string) bool {
	return strings.HasPrefix(cell, "2") && cell != "200 invalid_token" && cell != "200 inactive"
}

// holdToPermission: of the credentials with one permission, exactly those succeed whose permission the document names.
func holdToPermission(t *testing.T, o operation, p probe, caller, cell string) {
	t.Helper()
	single := ""
	switch {
	case caller == "gateway":
		single = "tokens:verify"
	case isSingle(caller):
		single = strings.TrimPrefix(caller, "org+")
	default:
		return
	}
	instance := strings.Contains(o.line, "/v1/system/") || o.line == "PUT /v1/catalogue" || o.line == "GET /v1/catalogue" || strings.HasSuffix(o.line, " /v1/organizations")
	may := o.needs == "" || o.needs == "counterfoil."+single
	if instance && caller != "gateway" || slices.Contains(p.never, caller) {
		may = false
	}
	if may != success(cell) && !p.special {
		t.Errorf("%s, %s: %s, but the document says that it needs %q", o.line+" "+p.what, caller, cell, o.needs)
	}
}
