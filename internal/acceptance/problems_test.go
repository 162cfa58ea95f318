package acceptance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/secret"
)

// problems: each refusal is an RFC 9457 problem with the same members, and never holds what was presented.
func problems(t *testing.T, o *tenant) {
	eu := secret.Mint(otherPrefix, "pat").Reveal()
	ids := map[string]bool{}
	for _, test := range []struct{ name, token, line, body, want string }{
		{"400", o.token, "POST tokens", `{`, "400 malformed_json"},
		{"401", "nonsense", "GET tokens", "", "401 invalid_token"},
		{"403", o.orgToken(t).secret, "GET tokens", "", "403 missing_permission"},
		{"404", o.token, "GET tokens/tok_x", "", "404 not_found"},
		{"405", o.token, "DELETE members", "", "405 method_not_allowed"},
		{"409", o.token, "DELETE members/" + o.owner, "", "409 last_owner"},
		{"415", o.token, "POST tokens", "", "415 unsupported_media_type"},
		{"421", eu, "GET tokens", "", "421 wrong_data_center"},
		{"422", o.token, "POST tokens", `{"kind":"organization"}`, "422 validation_failed /name"},
		{"422 without members", o.token, "GET tokens?limit=0", "", "422 validation_failed ?limit"},
	} {
		a := o.ask(t, test.token, test.line, test.body)
		expect(t, test.name, a, test.want)
		_, code, _ := strings.Cut(test.want, " ")
		code, _, _ = strings.Cut(code, " ")
		expectAt(t, test.name, a, "type", "/docs/errors#"+code)
		expectAt(t, test.name, a, "status", test.name[:3])
		expectAt(t, test.name, a, "request_id", a.header.Get("X-Request-Id"))
		for _, member := range []string{"title", "detail"} {
			if len(a.at(member)) < 5 || a.at(member) == "absent" {
				t.Errorf("%s: %s is %q", test.name, member, a.at(member))
			}
		}
		var members map[string]any
		if err := json.Unmarshal(a.body, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if !strings.Contains(" type title status code detail request_id errors ", " "+name+" ") {
				t.Errorf("%s: the problem has a member %s", test.name, name)
			}
		}
		for name, want := range map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", test.name, name, got, want)
			}
		}
		if id := a.header.Get("X-Request-Id"); id == "" || ids[id] {
			t.Errorf("%s: X-Request-Id %q is empty or came before", test.name, id)
		} else {
			ids[id] = true
		}
		if strings.Contains(a.text(), test.token[len(test.token)/2:]) {
			t.Errorf("%s: the problem repeats the token: %s", test.name, a.text())
		}
	}
	wrong := o.ask(t, eu, "GET tokens", "")
	if !strings.Contains(wrong.at("detail"), otherURL) {
		t.Errorf("wrong_data_center does not name %s: %s", otherURL, wrong.text())
	}
	if given := o.ask(t, o.token, "GET tokens", "", "X-Request-Id", "mine"); given.header.Get("X-Request-Id") == "mine" || given.header.Get("X-Request-Id") == "" {
		t.Errorf("an inbound X-Request-Id gives %q", given.header.Get("X-Request-Id"))
	}
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// notFound: what does not exist and what is another's are the same bytes but for the request's id (S8).
func notFound(t *testing.T, o *tenant) {
	other := o.tenant(t)
	theirs := other.orgToken(t, "devices:read")
	filter := must(t, "filter", other.ask(t, other.token, "POST ip-filters", `{"name":"f","rules":"allow all"}`), "201").at("id")
	role := must(t, "role", other.ask(t, other.token, "POST roles", `{"name":"theirs","permissions":[]}`), "201").at("id")
	member := other.person(t, "viewer")
	revoked := must(t, "revoke", other.ask(t, other.token, "DELETE tokens/"+other.orgToken(t).id, ""), "200")
	receipt := revoked.at("receipt.id")
	refused := o.world.ask(t, o.SystemToken, "POST /v1/verify", question(theirs.secret, "permission", "devices:write")).at("reference")
	if !strings.HasPrefix(refused, "ref_") {
		t.Fatalf("a refusal has the reference %q", refused)
	}
	for _, test := range []struct{ name, path, absent, foreign string }{
		{"token", "tokens/%s", "tok_000000000000", theirs.id},
		{"filter", "ip-filters/%s", "ipf_none", filter},
		{"role", "roles/%s", "rol_none", role},
		{"role by name", "roles/%s", "nobodys", "theirs"},
		{"member", "members/%s", "mem_none", member.id},
		{"refusal", "refusals/%s", "ref_none", refused},
		{"receipt", "/v1/receipts/%s", "rcp_none", receipt},
		{"organization", "/v1/organizations/%s", "org_none", other.id},
		{"organization by slug", "/v1/organizations/%s", "none-such", other.slug},
		{"tokens of an organization", "/v1/organizations/%s/tokens", "org_none", other.id},
		{"policy of an organization", "/v1/organizations/%s/policies/personal", "org_none", other.id},
		{"preview in an organization", "/v1/organizations/%s/policies/personal/preview", "org_none", other.id},
		{"rotation", "tokens/%s/rotate", "tok_000000000000", theirs.id},
	} {
		for method, body := range map[string]string{"GET": "", "PATCH": `{}`, "PUT": `{}`, "DELETE": "", "POST": `{}`} {
			if strings.HasPrefix(test.name, "role") && method == "PATCH" {
				body = `{"permissions":[]}`
			}
			line := method + " " + test.path
			absent := o.ask(t, o.token, fmt.Sprintf(line, test.absent), body)
			foreign := o.ask(t, o.token, fmt.Sprintf(line, test.foreign), body)
			if absent.status == 405 && foreign.status == 405 || absent.String() == "422 validation_failed /kind /name" && foreign.status == absent.status {
				continue
			}
			expect(t, line+" absent", absent, "404 not_found")
			if a, f := requestID.ReplaceAllString(absent.text(), ""), requestID.ReplaceAllString(foreign.text(), ""); a != f {
				t.Errorf("%s tells absent from foreign:\n\t%s\n\t%s", line, a, f)
			}
			for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag", "Counterfoil-Receipt"} {
				if absent.header.Get(name) != foreign.header.Get(name) {
					t.Errorf("%s tells absent from foreign by %s: %q, %q", line, name, absent.header.Get(name), foreign.header.Get(name))
				}
			}
		}
	}
	expect(t, "a foreign filter on a token", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"x","ip_filter":"`+filter+`"}`), "422 validation_failed /ip_filter")
	expect(t, "a foreign filter in a policy", o.ask(t, o.token, "PUT policies/personal", `{"enforced_ip_filter":"`+filter+`"}`), "422 validation_failed /enforced_ip_filter")
	expect(t, "a foreign filter tested", o.ask(t, o.token, "POST ip-filters/test", `{"id":"`+filter+`","ip":"192.0.2.1"}`), "404 not_found")
	expect(t, "a foreign role given", o.ask(t, o.token, "PATCH members/"+o.owner, `{"roles":["owner","theirs"]}`), "422 validation_failed /roles/1")
	for _, query := range []string{"owner=" + member.id, "ip_filter=" + filter, "q=" + theirs.id} {
		if got := must(t, query, o.ask(t, o.token, "GET tokens?"+query, ""), "200").names(); got != "" {
			t.Errorf("GET tokens?%s lists another organization's %s", query, got)
		}
	}
	samePerson(t, o, other)
}

// samePerson: one e-mail may be a member of two organizations, which learn nothing of each other.
func samePerson(t *testing.T, o, other *tenant) {
	email := "both@" + o.slug + ".example"
	first := must(t, "first", other.ask(t, other.token, "POST members", fmt.Sprintf(`{"email":%q,"name":"Project Zebra","roles":[],"external_id":"z-1"}`, email)), "201")
	second := must(t, "second", o.ask(t, o.token, "POST members", fmt.Sprintf(`{"email":%q,"name":"Pat","roles":[]}`, email)), "201")
	expectAt(t, "the same person", second, "user_id", first.at("user_id"))
	if strings.Contains(second.text(), "Zebra") || strings.Contains(second.text(), "z-1") || second.at("id") == first.at("id") {
		t.Errorf("one organization learns what another calls a person: %s", second.text())
	}
	expectAt(t, "the name that was given", second, "name", "Pat")
}
