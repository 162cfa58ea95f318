package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// H6: what a policy can say, and that making and editing tokens obeys it.
func policyTerms(t *testing.T, o *tenant) {
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow all"}`), "201")
	out := o.ask(t, o.token, "GET policies", "")
	for i, want := range []string{
		`{"allowed":true,"custom_ip_filter_allowed":true,"default_lifetime_seconds":7776000,"enforced_ip_filter":null,"expiry_required":true,"kind":"personal","max_lifetime_seconds":31536000,"permission_updates_allowed":true}`,
		`{"allowed":true,"custom_ip_filter_allowed":true,"default_lifetime_seconds":null,"enforced_ip_filter":null,"expiry_required":false,"kind":"organization","max_lifetime_seconds":null,"permission_updates_allowed":true}`,
		`{"allowed":true,"custom_ip_filter_allowed":true,"default_lifetime_seconds":31536000,"enforced_ip_filter":null,"expiry_required":true,"kind":"integration","max_lifetime_seconds":31536000,"permission_updates_allowed":true}`,
	} {
		expectAt(t, "out of the box", out, fmt.Sprintf("data.%d", i), want)
	}
	for _, test := range []struct{ name, body, want string }{
		{"a default longer than the longest", `{"max_lifetime_seconds":60,"default_lifetime_seconds":61}`, "422 validation_failed /default_lifetime_seconds"},
		{"no lifetime at all", `{"max_lifetime_seconds":0,"default_lifetime_seconds":-1}`, "422 validation_failed /default_lifetime_seconds /max_lifetime_seconds"},
		{"more than a century", `{"max_lifetime_seconds":3155760001}`, "422 validation_failed /max_lifetime_seconds"},
		{"more than fits", `{"max_lifetime_seconds":99999999999999999999}`, "422 validation_failed /max_lifetime_seconds"},
		{"a filter that does not exist", `{"enforced_ip_filter":"nowhere"}`, "422 validation_failed /enforced_ip_filter"},
		{"words for flags", `{"allowed":"yes","expiry_required":1}`, "422 validation_failed /allowed /expiry_required"},
		{"another kind than the path's", `{"kind":"personal"}`, "422 validation_failed /kind"},
		{"a member that does not exist", `{"max_lifetime":60}`, "422 validation_failed /max_lifetime"},
	} {
		expect(t, test.name, o.ask(t, o.token, "PUT policies/organization", test.body), test.want)
		expect(t, "preview of "+test.name, o.ask(t, o.token, "POST policies/organization/preview", test.body), test.want)
	}
	expect(t, "system tokens have none", o.ask(t, o.token, "GET policies/system", ""), "404 not_found")
	expect(t, "no such kind", o.ask(t, o.token, "PUT policies/root", `{}`), "404 not_found")

	token := o.orgToken(t, "devices:read")
	in := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	for _, test := range []struct{ policy, line, body, want string }{
		{`{"allowed":false}`, "POST tokens", `{"kind":"organization","name":"x"}`, "422 policy_violation /kind"},
		{`{"allowed":true,"max_lifetime_seconds":3600}`, "POST tokens", `{"kind":"organization","name":"x","expires_in":3601}`, "422 policy_violation /expires_in"},
		{`{}`, "POST tokens", `{"kind":"organization","name":"x"}`, "201"}, // gets the longest lifetime
		{`{"default_lifetime_seconds":60}`, "POST tokens", `{"kind":"organization","name":"x"}`, "201"},
		{`{"max_lifetime_seconds":null,"default_lifetime_seconds":null,"expiry_required":true}`, "POST tokens", `{"kind":"organization","name":"x"}`, "422 policy_violation /expires_at"},
		{`{}`, "PATCH tokens/" + token.id, `{"expires_at":"` + in + `"}`, "200"},
		{`{}`, "PATCH tokens/" + token.id, `{"expires_at":null}`, "422 policy_violation /expires_at"},
		{`{"expiry_required":false}`, "PATCH tokens/" + token.id, `{"expires_at":null}`, "200"},
		{`{"custom_ip_filter_allowed":false}`, "POST tokens", `{"kind":"organization","name":"x","ip_filter":"office"}`, "422 policy_violation /ip_filter"},
		{`{}`, "PATCH tokens/" + token.id, `{"ip_filter":"office"}`, "422 policy_violation /ip_filter"},
		{`{"custom_ip_filter_allowed":true}`, "PATCH tokens/" + token.id, `{"ip_filter":"office"}`, "200"},
		{`{"permission_updates_allowed":false}`, "PATCH tokens/" + token.id, `{"permissions":[]}`, "422 policy_violation /permissions"},
		{`{}`, "PATCH tokens/" + token.id, `{"permissions":["devices:read"]}`, "200"}, // the same: no update
		{`{"permission_updates_allowed":true}`, "PATCH tokens/" + token.id, `{"permissions":[]}`, "200"},
	} {
		must(t, test.policy, o.ask(t, o.token, "PUT policies/organization", test.policy), "200")
		a := o.ask(t, o.token, test.line, test.body)
		expect(t, test.policy+" then "+test.line+" "+test.body, a, test.want)
		if test.policy == `{"default_lifetime_seconds":60}` {
			at, _ := time.Parse(time.RFC3339Nano, a.at("token.expires_at"))
			if (time.Until(at) - time.Minute).Abs() > 10*time.Second {
				t.Errorf("the default of a minute gives %s", a.at("token.expires_at"))
			}
		}
	}
}

// H7: a policy holds at every use; nothing is deleted; switching back restores.
func policyAtEveryUse(t *testing.T, o *tenant) {
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"enforced","rules":"allow 192.0.2.0/24"}`), "201")
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"own","rules":"deny 192.0.2.13\nallow all"}`), "201")
	token := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"devices:read"}, IPFilter: "own"})
	for _, step := range []struct{ policy, ip, want string }{
		{`{}`, "198.51.100.1", "ok"},
		{`{"allowed":false}`, "198.51.100.1", "kind_disabled"},
		{`{"allowed":true}`, "198.51.100.1", "ok"},
		{`{"enforced_ip_filter":"enforced"}`, "198.51.100.1", "ip_not_allowed"},
		{`{}`, "192.0.2.1", "ok"},
		{`{}`, "192.0.2.13", "ip_not_allowed"}, // the enforced one allows it, the token's own does not
		{`{"enforced_ip_filter":null}`, "198.51.100.1", "ok"},
		{`{"custom_ip_filter_allowed":false,"permission_updates_allowed":false,"expiry_required":true}`, "198.51.100.1", "ok"}, // of making, not of use
		{`{}`, "192.0.2.13", "ip_not_allowed"},
	} {
		must(t, step.policy, o.ask(t, o.token, "PUT policies/organization", step.policy), "200")
		o.expectVerdict(t, step.policy+" from "+step.ip, token.secret, step.want, "ip", step.ip)
	}
	expectAt(t, "nothing is deleted", o.ask(t, o.token, "GET tokens/"+token.id, ""), "status", "active")
}

// H7: the longest lifetime counts from the last issue or renewal of the expiry (timed).
func longestLifetime(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read")
	o.advance(120 * time.Second)
	must(t, "a longest lifetime", o.ask(t, o.token, "PUT policies/organization", `{"max_lifetime_seconds":60}`), "200")
	o.expectVerdict(t, "older than that", token.secret, "max_lifetime_exceeded")
	o.everySurface(t, "older than that", token.secret, "403 max_lifetime_exceeded")
	expectAt(t, "older than that", o.ask(t, o.token, "GET tokens/"+token.id, ""), "status", "expired")
	must(t, "rotation", o.ask(t, o.token, "POST tokens/"+token.id+"/rotate", `{"grace_seconds":3600}`), "200")
	o.expectVerdict(t, "rotation renews nothing", token.secret, "max_lifetime_exceeded")
	must(t, "a longer one restores", o.ask(t, o.token, "PUT policies/organization", `{"max_lifetime_seconds":3600}`), "200")
	o.expectVerdict(t, "restored", token.secret, "ok")
	must(t, "short again", o.ask(t, o.token, "PUT policies/organization", `{"max_lifetime_seconds":60}`), "200")
	soon := o.now().Add(50 * time.Second).UTC().Format(time.RFC3339)
	a := must(t, "an edit of the expiry renews", o.ask(t, o.token, "PATCH tokens/"+token.id, `{"expires_at":"`+soon+`"}`), "200")
	o.expectVerdict(t, "renewed", token.secret, "ok")
	if a.at("renewed_at") == a.at("created_at") {
		t.Error("renewed_at did not move")
	}
	o.advance(61 * time.Second)
	o.expectVerdict(t, "its own expiry first", token.secret, "token_expired")
	must(t, "no limit", o.ask(t, o.token, "PUT policies/organization", `{"max_lifetime_seconds":null}`), "200")
}

// H8: expired 401, wrong address 403, missing permission 403, unknown 401, here at a gateway.
func statusesOfRefusals(t *testing.T, o *tenant) {
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"away","rules":"allow 198.51.100.0/24"}`), "201")
	filtered := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"devices:read"}, IPFilter: "away"})
	plain := o.orgToken(t, "devices:read", "counterfoil.tokens:read")
	for _, test := range []struct{ name, token, line, want string }{
		{"good", plain.secret, "GET /v1/authorize?permission=devices:read", "200"},
		{"wrong address", filtered.secret, "GET /v1/authorize?permission=devices:read", "403 ip_not_allowed"},
		{"wrong address at this API", filtered.secret, "GET permissions", "403 ip_not_allowed"},
		{"missing permission", plain.secret, "GET /v1/authorize?permission=devices:write", "403 missing_permission"},
		{"missing permission at this API", plain.secret, "GET policies", "403 missing_permission"},
		{"unknown", strings.Replace(plain.secret, "cfl_org_", "cfl_pat_", 1), "GET tokens", "401 invalid_token"},
	} {
		expect(t, test.name, o.ask(t, test.token, test.line, ""), test.want)
	}
}
