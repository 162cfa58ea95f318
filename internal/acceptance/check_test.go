package acceptance

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
)

// situation is a token and the question that is asked about it.
type situation struct {
	code                 string // what the check says
	gateway              string // what forward authentication says
	token                string
	permission, endpoint string
	ip                   string
}

// situations reach every code that a token can get without waiting, in the order of the decision: each later rule is
// broken as well where the token allows it, so that a wrong order shows.
func situations(t *testing.T, o *tenant) []situation {
	deny := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"nobody","rules":"deny all"}`), "201").at("id")
	in := func(what string) *tenant { return o.world.tenant(t) }
	// worst is a token whose filter refuses and which holds nothing.
	worst := func(o *tenant, d counterfoil.Draft) made {
		if o.id != d.Owner && d.IPFilter == "" {
			must(t, "filter", o.ask(t, o.SystemToken, "POST ip-filters", `{"name":"nobody`+d.Name+`","rules":"deny all"}`), "201")
			d.IPFilter = "nobody" + d.Name
		}
		return o.draft(t, d)
	}
	organization := counterfoil.KindOrganization
	revoked := worst(o, counterfoil.Draft{Kind: organization, Name: "r"})
	must(t, "pause", o.ask(t, o.token, "PATCH tokens/"+revoked.id, `{"paused":true}`), "200")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+revoked.id, ""), "200")

	asleep := in("suspended")
	pausedThere := worst(asleep, counterfoil.Draft{Kind: organization, Name: "p"})
	must(t, "pause", asleep.ask(t, asleep.token, "PATCH tokens/"+pausedThere.id, `{"paused":true}`), "200")
	away := asleep.person(t, "viewer")
	must(t, "suspend a member", asleep.ask(t, asleep.token, "PATCH members/"+away.id, `{"status":"suspended"}`), "200")
	must(t, "suspend", asleep.ask(t, o.SystemToken, "PATCH /v1/organizations/"+asleep.id, `{"status":"suspended"}`), "200")

	strict := in("kinds switched off")
	left := strict.person(t, "viewer")
	siem := strict.draft(t, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationCustom})
	off := worst(strict, counterfoil.Draft{Kind: organization, Name: "o"})
	must(t, "suspend a member", strict.ask(t, strict.token, "PATCH members/"+left.id, `{"status":"suspended"}`), "200")
	for _, kind := range []string{"organization", "integration", "personal"} {
		must(t, "switch off", strict.ask(t, o.SystemToken, "PUT policies/"+kind, `{"allowed":false}`), "200")
	}
	own := o.draft(t, counterfoil.Draft{Kind: organization, IPFilter: deny})
	enforcing := in("an enforced filter")
	must(t, "filter", enforcing.ask(t, o.SystemToken, "POST ip-filters", `{"name":"nobody","rules":"deny all"}`), "201")
	enforced := enforcing.orgToken(t)
	must(t, "enforce", enforcing.ask(t, o.SystemToken, "PUT policies/organization", `{"enforced_ip_filter":"nobody"}`), "200")
	good := o.orgToken(t, "devices:read")
	unknown, elsewhere := secret.Mint("cfl", "org").Reveal(), secret.Mint(otherPrefix, "org").Reveal()

	return []situation{
		{code: "invalid_token", gateway: "401 invalid_token", token: "hello"},
		{code: "invalid_token", gateway: "401 invalid_token", token: good.secret[:len(good.secret)-1] + flip(good.secret[len(good.secret)-1])},
		{code: "wrong_data_center", gateway: "401 wrong_data_center", token: elsewhere},
		{code: "invalid_token", gateway: "401 invalid_token", token: secret.Mint("usx", "org").Reveal()},
		{code: "invalid_token", gateway: "401 invalid_token", token: unknown},
		{code: "invalid_token", gateway: "401 invalid_token", token: secret.Remint("cfl", "org", strings.TrimPrefix(good.id, "tok_")).Reveal()},
		{code: "token_revoked", gateway: "401 token_revoked", token: revoked.secret, permission: "devices:write"},
		{code: "token_paused", gateway: "401 token_paused", token: pausedThere.secret, permission: "devices:write"},
		{code: "organization_suspended", gateway: "403 organization_suspended", token: away.token, permission: "devices:write"},
		{code: "owner_inactive", gateway: "403 owner_inactive", token: left.token, permission: "devices:write"},
		{code: "wrong_audience", gateway: "403 wrong_audience", token: siem.secret, permission: "devices:write"},
		{code: "kind_disabled", gateway: "403 kind_disabled", token: off.secret, permission: "devices:write"},
		{code: "ip_not_allowed", gateway: "403 ip_not_allowed", token: enforced.secret, permission: "devices:write", ip: "192.0.2.1"},
		{code: "ip_not_allowed", gateway: "403 ip_not_allowed", token: own.secret, permission: "devices:write", ip: "192.0.2.1"},
		{code: "missing_permission", gateway: "403 missing_permission", token: good.secret, permission: "devices:write"},
		{code: "missing_permission", gateway: "403 missing_permission", token: good.secret, permission: "devices:fly"},
		{code: "missing_permission", gateway: "403 missing_permission", token: good.secret, endpoint: "DELETE /api/devices/7"},
		{code: "missing_permission", gateway: "403 missing_permission", token: good.secret, endpoint: "GET /api/secrets"},
		{code: "ok", gateway: "200", token: good.secret, permission: "devices:read"},
		{code: "ok", gateway: "200", token: good.secret, endpoint: "GET /api/devices/7"},
		{code: "ok", gateway: "200", token: good.secret, endpoint: "HEAD /api/devices?page=2"},
		{code: "ok", gateway: "200", token: good.secret},
	}
}

// checkOrder: each code on each surface. token_expired and max_lifetime_exceeded are in the timed tests.
func checkOrder(t *testing.T, o *tenant) {
	for i, s := range situations(t, o) {
		what := fmt.Sprintf("%d, %s", i, s.code)
		q := []string{}
		for _, m := range [][2]string{{"permission", s.permission}, {"endpoint", s.endpoint}, {"ip", s.ip}} {
			if m[1] != "" {
				q = append(q, m[0], m[1])
			}
		}
		v := o.world.ask(t, o.SystemToken, "POST /v1/verify", question(s.token, q...))
		expect(t, what, v, "200 "+s.code)
		proven := s.code != "invalid_token" && s.code != "wrong_data_center" && s.code != "ok"
		if ref := v.at("reference"); strings.HasPrefix(ref, "ref_") != proven {
			t.Errorf("%s: reference is %s", what, ref)
		}
		if s.code != "ok" && (len(v.at("message")) < 20 || v.at("token") != "absent" || v.at("organization") != "absent") {
			t.Errorf("%s: a refusal says %s", what, v.text())
		}
		if s.permission == "" && s.endpoint == "" || s.code != "missing_permission" && s.code != "ok" {
			want := "200 inactive"
			if s.code == "ok" {
				want = "200 active"
			}
			form := url.Values{"token": {s.token}}
			if s.ip != "" {
				form.Set("ip", s.ip)
			}
			a := o.form(t, o.SystemToken, "/oauth2/introspect", form)
			expect(t, what+", introspection", a, want)
			if want == "200 inactive" && a.text() != `{"active":false}` {
				t.Errorf("%s: introspection of a token that is refused says %s", what, a.text())
			}
		}
		line, headers := "GET /v1/authorize", []string{}
		if s.permission != "" {
			line += "?permission=" + url.QueryEscape(s.permission)
		}
		if method, path, ok := strings.Cut(s.endpoint, " "); ok {
			headers = []string{"X-Forwarded-Method", method, "X-Forwarded-Uri", path}
		}
		expect(t, what+", forward auth", o.ask(t, s.token, line, "", headers...), s.gateway)
	}
}

// everySurface asks about a dead token wherever one can, this API included.
func (o *tenant) everySurface(t *testing.T, what, token, want string) {
	t.Helper()
	expect(t, what+", forward auth", o.ask(t, token, "GET /v1/authorize", ""), want)
	expect(t, what+", this API", o.ask(t, token, "GET permissions", ""), want)
	expect(t, what+", itself", o.ask(t, token, "GET /v1/tokens/current", ""), want)
	expect(t, what+", introspection", o.form(t, o.SystemToken, "/oauth2/introspect", url.Values{"token": {token}}), "200 inactive")
	a := o.world.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[{"token":"x"},`+question(token)+`]}`)
	expectAt(t, what+", batch", a, "verdicts.1.code", want[len("401 "):])
}

// checkBatch: answers in the order of the questions, as they are one by one.
func checkBatch(t *testing.T, o *tenant) {
	var questions, want []string
	for _, s := range situations(t, o) {
		if s.permission != "" {
			questions, want = append(questions, question(s.token, "permission", s.permission, "ip", "192.0.2.1")), append(want, s.code)
		}
	}
	a := must(t, "batch", o.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[`+strings.Join(questions, ",")+`]}`), "200")
	for i, code := range want {
		expectAt(t, "batch", a, fmt.Sprintf("verdicts.%d.code", i), code)
	}
	if n := a.count("verdicts"); n != len(want) {
		t.Errorf("%d answers to %d questions", n, len(want))
	}
	many := strings.TrimSuffix(strings.Repeat(`{"token":"x"},`, 100), ",")
	expect(t, "100 questions", o.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[`+many+`]}`), "200")
	expect(t, "101 questions", o.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[`+many+`,{"token":"x"}]}`), "422 validation_failed /questions")
}

// checkWithin: who may ask, and about whose tokens.
func checkWithin(t *testing.T, o *tenant) {
	other := o.world.tenant(t)
	mine, theirs, system := o.orgToken(t, "devices:read"), other.orgToken(t, "devices:read"), o.systemToken(t)
	bound, person := o.orgToken(t, "counterfoil.tokens:verify"), o.personal(t, o.owner, "counterfoil.tokens:verify")
	for _, caller := range []struct{ name, token, mine, theirs, system string }{
		{"a system token", o.systemToken(t, "counterfoil.tokens:verify").secret, "ok", "ok", "ok"},
		{"an organization token", bound.secret, "ok", "invalid_token", "invalid_token"},
		{"a personal token", person.secret, "ok", "invalid_token", "invalid_token"},
	} {
		for _, about := range []struct{ name, token, want string }{{"own", mine.secret, caller.mine}, {"another's", theirs.secret, caller.theirs}, {"a system token", system.secret, caller.system}} {
			a := o.ask(t, caller.token, "POST /v1/verify", question(about.token))
			expect(t, caller.name+" about "+about.name, a, "200 "+about.want)
			unknown := o.ask(t, caller.token, "POST /v1/verify", question("hello"))
			if about.want == "invalid_token" && a.text() != unknown.text() {
				t.Errorf("%s tells another's token from one that does not exist: %s", caller.name, a.text())
			}
			in := o.form(t, caller.token, "/oauth2/introspect", url.Values{"token": {about.token}})
			expect(t, caller.name+" introspects "+about.name, in, map[bool]string{true: "200 active", false: "200 inactive"}[about.want == "ok"])
		}
	}
	for _, test := range []struct{ name, token, want string }{
		{"without the permission", mine.secret, "403 missing_permission"}, {"a system token without it", system.secret, "403 missing_permission"},
		{"nobody", "", "401 missing_credentials"}, {"garbage", "hello", "401 invalid_token"},
	} {
		expect(t, test.name, o.ask(t, test.token, "POST /v1/verify", question(mine.secret)), test.want)
		expect(t, test.name+", batch", o.ask(t, test.token, "POST /v1/verify/batch", `{"questions":[`+question(mine.secret)+`]}`), test.want)
		expect(t, test.name+", introspection", o.form(t, test.token, "/oauth2/introspect", url.Values{"token": {mine.secret}}), test.want)
	}
	v := o.ask(t, o.SystemToken, "POST /v1/verify", question(person.secret))
	for path, want := range map[string]string{"active": "true", "token.id": person.id, "token.kind": "personal", "token.name": "a token", "token.permissions": `["counterfoil.tokens:verify"]`,
		"organization.id": o.id, "organization.slug": o.slug, "owner.id": o.owner, "owner.email": o.ownerMail} {
		expectAt(t, "an accepted check", v, path, want)
	}
	expectAt(t, "an organization token has no owner", o.ask(t, o.SystemToken, "POST /v1/verify", question(mine.secret)), "owner", "null")
	expectAt(t, "a system token has no organization", o.ask(t, o.SystemToken, "POST /v1/verify", question(system.secret)), "organization", "null")
}
