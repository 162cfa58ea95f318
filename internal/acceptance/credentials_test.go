package acceptance

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"testing"
)

// P5, C5: the one credential of a request, and where it may stand.
func credentials(t *testing.T, o *tenant) {
	token := o.personal(t, o.owner, "devices:read").secret
	other := o.personal(t, o.owner, "devices:read").secret
	const auth, key = "Authorization", "X-API-Key"
	for _, test := range []struct {
		name, want string
		headers    []string
	}{
		{"Bearer", "200", []string{auth, "Bearer " + token}},
		{"bearer", "200", []string{auth, "bearer " + token}},
		{"BEARER and more blanks", "200", []string{auth, "BEARER   " + token}},
		{"bare", "200", []string{auth, token}},
		{"X-API-Key", "200", []string{key, token}},
		{"the same in both", "200", []string{auth, "Bearer " + token, key, token}},
		{"the same, bare and X-API-Key", "200", []string{auth, token, key, token}},
		{"the same header twice with the same", "200", []string{key, token, key, token}},
		{"two different", "400 multiple_credentials", []string{auth, "Bearer " + token, key, other}},
		{"two different, the second invalid", "400 multiple_credentials", []string{auth, "Bearer " + token, key, "nonsense"}},
		{"Authorization twice, different", "400 multiple_credentials", []string{auth, "Bearer " + token, auth, "Bearer " + other}},
		{"X-API-Key twice, different", "400 multiple_credentials", []string{key, token, key, other}},
		{"none", "401 missing_credentials", nil},
		{"Bearer alone", "401 missing_credentials", []string{auth, "Bearer"}},
		{"Basic is for OAuth routes", "401 missing_credentials", []string{auth, "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token))}},
		{"another scheme", "401 missing_credentials", []string{auth, "Digest " + token}},
		{"a cookie is none", "401 missing_credentials", []string{"Cookie", "token=" + token}},
		{"text that is no token", "401 invalid_token", []string{auth, "Bearer hello"}},
		{"a forged checksum", "401 invalid_token", []string{auth, "Bearer " + token[:len(token)-1] + flip(token[len(token)-1])}},
	} {
		for _, line := range []string{"GET /v1/tokens/current", "GET tokens", "GET /v1/authorize"} {
			want := test.want
			if line == "GET /v1/authorize" && want == "400 multiple_credentials" {
				want = "401 multiple_credentials" // gateways turn any other status into a 500
			}
			a := o.ask(t, "", line, "", test.headers...)
			expect(t, test.name+", "+line, a, want)
			if challenge := a.header.Get("WWW-Authenticate"); (a.status == 401) != (challenge != "") {
				t.Errorf("%s, %s: %d with WWW-Authenticate %q", test.name, line, a.status, challenge)
			}
		}
	}
	for _, name := range []string{"token", "access_token", "api_key", "x-api-key", "authorization"} {
		q := "?" + name + "=" + url.QueryEscape(token)
		expect(t, "in the query of the API", o.ask(t, "", "GET tokens"+q, ""), "401 missing_credentials")
		expect(t, "in the query at a gateway", o.ask(t, "", "GET /v1/authorize"+q, ""), "401 missing_credentials")
		expect(t, "in the query of the check", o.ask(t, "", "POST /v1/verify"+q, question(token)), "401 missing_credentials")
		expect(t, "in the query of introspection", o.form(t, "", "/oauth2/introspect"+q, url.Values{"token": {token}}), "401 missing_credentials")
	}
	basicAtIntrospection(t, o, token)
	challenges(t, o, token)
}

// flip is another character of the alphabet.
func flip(c byte) string {
	if c == '0' {
		return "1"
	}
	return "0"
}

// basicAtIntrospection: user is the caller's token id, password the token (RFC 7662).
func basicAtIntrospection(t *testing.T, o *tenant, token string) {
	gateway := o.systemToken(t, "counterfoil.tokens:verify")
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, test := range []struct{ name, authorization, want string }{
		{"id and token", basic(gateway.id, gateway.secret), "200 active"},
		{"scheme in capitals", "BASIC" + basic(gateway.id, gateway.secret)[5:], "200 active"},
		{"another's id", basic("tok_000000000000", gateway.secret), "401 invalid_token"},
		{"no id", basic("", gateway.secret), "200 active"},
		{"no password", basic(gateway.id, ""), "401 missing_credentials"},
		{"wrong password", basic(gateway.id, "wrong"), "401 invalid_token"},
		{"no Base64", "Basic ???", "401 invalid_token"},
	} {
		a := o.form(t, "", "/oauth2/introspect", url.Values{"token": {token}}, "Authorization", test.authorization)
		if test.name == "no id" { // RFC 7617 has an empty user; whether that names the token is not in the contract
			if a.status != 200 && a.status != 401 {
				t.Errorf("%s: %s", test.name, a)
			}
			continue
		}
		expect(t, test.name, a, test.want)
	}
	two := o.form(t, "", "/oauth2/introspect", url.Values{"token": {token}}, "Authorization", basic(gateway.id, gateway.secret), "X-API-Key", token)
	expect(t, "Basic and another token", two, "400 multiple_credentials")
}

// challenges follow RFC 6750 section 3.
func challenges(t *testing.T, o *tenant, token string) {
	for _, test := range []struct{ name, token, line, want string }{
		{"nothing presented", "", "GET tokens", `Bearer realm="counterfoil"`},
		{"no good", "nonsense", "GET tokens", `Bearer realm="counterfoil", error="invalid_token", error_description="The token is not valid"`},
		{"not enough", token, "GET policies", `Bearer realm="counterfoil", error="insufficient_scope", error_description="The token lacks a permission"`},
	} {
		if got := o.ask(t, test.token, test.line, "").header.Get("WWW-Authenticate"); got != test.want {
			t.Errorf("%s: WWW-Authenticate is %q, want %q", test.name, got, test.want)
		}
	}
}

// C1, C3: last used is right within seconds, with the address, and only of accepted checks.
func lastUsed(t *testing.T, o *tenant) {
	token := o.personal(t, o.owner, "devices:read")
	read := func() answer { return o.ask(t, o.token, "GET tokens/"+token.id, "") }
	expectAt(t, "never used", read(), "last_used", "null")
	o.expectVerdict(t, "refused", token.secret, "missing_permission", "permission", "devices:write", "ip", "192.0.2.66")
	o.expectVerdict(t, "accepted", token.secret, "ok", "permission", "devices:read", "ip", "192.0.2.7")
	eventually(t, "last use on the token's page", func() bool { return read().at("last_used") != "null" })
	expectAt(t, "after an accepted check", read(), "last_used.ip", "192.0.2.7")
	o.expectVerdict(t, "refused again", token.secret, "missing_permission", "permission", "devices:write", "ip", "192.0.2.66")
	for i, test := range []struct{ surface, ip string }{
		{"IPv4-mapped IPv6 is IPv4", "::ffff:192.0.2.8"}, {"IPv6", "2001:db8::9"},
	} {
		o.expectVerdict(t, test.surface, token.secret, "ok", "ip", test.ip)
		want := []string{"192.0.2.8", "2001:db8::9"}[i]
		eventually(t, "the address of "+test.surface, func() bool { return read().at("last_used.ip") == want })
	}
	must(t, "introspect", o.form(t, o.SystemToken, "/oauth2/introspect", url.Values{"token": {token.secret}, "ip": {"192.0.2.10"}}), "200 active")
	eventually(t, "the address of introspection", func() bool { return read().at("last_used.ip") == "192.0.2.10" })
	must(t, "forward auth", o.ask(t, token.secret, "GET /v1/authorize", ""), "200")
	eventually(t, "the address of a gateway's client", func() bool { return read().at("last_used.ip") == "127.0.0.1" })
	list := o.ask(t, o.token, "GET tokens?sort=last_used_at&kind=personal", "")
	used := map[string]string{}
	for i := range list.count("data") {
		used[list.at(fmt.Sprintf("data.%d.id", i))] = list.at(fmt.Sprintf("data.%d.last_used.ip", i))
	}
	if used[token.id] != "127.0.0.1" {
		t.Errorf("the list says of the token's last use %q", used[token.id])
	}
}
