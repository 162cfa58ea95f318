package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// P9: the reason in words to whoever proved possession, and a reference that an admin can open.
func whyRefused(t *testing.T, o *tenant) {
	other := o.world.tenant(t)
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"deny 192.0.2.66\nallow 192.0.2.0/24"}`), "201")
	a := must(t, "token", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"collector","permissions":["devices:read"],"ip_filter":"office"}`), "201")
	token, id := a.at("secret"), a.at("token.id")
	ask := func(more ...string) string {
		v := must(t, "check", o.world.ask(t, o.SystemToken, "POST /v1/verify", question(token, more...)), "200 ip_not_allowed")
		if !strings.Contains(v.at("message"), "address") || strings.Contains(v.at("message"), "office") || strings.Contains(v.text(), "192.0.2") {
			t.Errorf("what the caller is told: %s", v.text())
		}
		return v.at("reference")
	}
	ref := ask("ip", "192.0.2.66", "endpoint", "GET /api/devices?secret=1", "permission", "devices:read")
	if again := ask("ip", "192.0.2.66"); again != ref {
		t.Errorf("the same refusal within a minute has another reference")
	}
	admin, auditor := o.person(t, "admin"), o.orgToken(t, "counterfoil.tokens:read")
	for name, reader := range map[string]string{"an owner": o.token, "an admin": admin.token, "an organization token that may read tokens": auditor.secret, "the instance": o.SystemToken} {
		r := must(t, name, o.ask(t, reader, "GET refusals/"+ref, ""), "200")
		for path, want := range map[string]string{"id": ref, "token_id": id, "ip": "192.0.2.66", "count": "2", "endpoint": "GET /api/devices", "permissions": `["devices:read"]`} {
			expectAt(t, name, r, path, want)
		}
		last := fmt.Sprintf("trace.%d.", r.count("trace")-1)
		expectAt(t, name, r, last+"passed", "false")
		expectAt(t, name, r, last+"rule", "own_ip_filter")
		if detail := r.at(last + "detail"); !strings.Contains(detail, "line 1") || !strings.Contains(detail, "deny 192.0.2.66") {
			t.Errorf("the deciding step says %s", detail)
		}
		if strings.Contains(r.text(), token[20:]) || strings.Contains(r.text(), "secret=1") {
			t.Errorf("an explanation holds what the client sent: %s", r.text())
		}
	}
	for _, test := range []struct{ name, token, org, want string }{
		{"a member", o.person(t, "operator").token, o.id, "403 missing_permission"},
		{"the token itself", o.orgToken(t, "devices:read").secret, o.id, "403 missing_permission"},
		{"another organization's owner", other.token, other.id, "404 not_found"},
		{"another organization's owner, here", other.token, o.id, "404 not_found"},
		{"the instance, at another organization", o.SystemToken, other.id, "404 not_found"},
		{"nobody", "", o.id, "401 missing_credentials"},
	} {
		expect(t, test.name, o.ask(t, test.token, "GET /v1/organizations/"+test.org+"/refusals/"+ref, ""), test.want)
	}
	list := must(t, "by an address in another form", o.ask(t, o.token, "GET refusals?code=ip_not_allowed&ip=::ffff:192.0.2.66", ""), "200")
	expectAt(t, "by an address in another form", list, "data.0.id", ref)
	wrong := must(t, "no such reason, no address", o.ask(t, o.token, "GET refusals?code=invalid_token&ip=office&limit=0", ""), "422 validation_failed ?code ?ip ?limit")
	if !strings.Contains(wrong.text(), "token_revoked, token_paused") || !strings.Contains(wrong.text(), "not an IP address") {
		t.Errorf("what is wrong with a list: %s", wrong.text())
	}
	atAPI := o.ask(t, o.orgToken(t).secret, "GET policies", "")
	_, found, _ := strings.Cut(atAPI.at("detail"), "Reference: ")
	expect(t, "a refusal of this API has a reference too", o.ask(t, o.token, "GET refusals/"+found, ""), "200")
	gate := o.ask(t, o.orgToken(t).secret, "GET /v1/authorize?permission=devices:read", "")
	_, found, _ = strings.Cut(gate.at("detail"), "Reference: ")
	expect(t, "a refusal of a gateway has one", o.ask(t, o.token, "GET refusals/"+found, ""), "200")
	unknown := o.ask(t, "cfl_org_nonsense", "GET policies", "")
	if strings.Contains(unknown.text(), "ref_") {
		t.Errorf("who proved nothing gets a reference: %s", unknown.text())
	}
}
