package acceptance

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// introspection is RFC 7662.
func introspection(t *testing.T, o *tenant) {
	person := o.personal(t, o.owner, "devices:read", "sites:read")
	forever := o.orgToken(t)
	must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow 192.0.2.0/24"}`), "201")
	a := must(t, "a personal token", o.form(t, o.SystemToken, "/oauth2/introspect", url.Values{"token": {person.secret}, "token_type_hint": {"access_token"}}), "200 active")
	for path, want := range map[string]string{"scope": "devices:read sites:read", "client_id": person.id, "jti": person.id, "sub": o.owner, "username": o.ownerMail,
		"token_type": "Bearer", "kind": "personal", "organization_id": o.id} {
		expectAt(t, "a personal token", a, path, want)
	}
	exp, _ := strconv.ParseInt(a.at("exp"), 10, 64)
	if life := time.Until(time.Unix(exp, 0)); (life - 90*24*time.Hour).Abs() > time.Minute {
		t.Errorf("exp is %s, %s from now", a.at("exp"), life)
	}
	b := must(t, "an organization token", o.form(t, o.SystemToken, "/oauth2/introspect", url.Values{"token": {forever.secret}}), "200 active")
	for path, want := range map[string]string{"scope": "", "exp": "absent", "sub": forever.id, "username": "absent"} {
		expectAt(t, "an organization token", b, path, want)
	}
	filtered := must(t, "token", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"x","ip_filter":"office"}`), "201").at("secret")
	for _, test := range []struct {
		name, want string
		form       url.Values
	}{
		{"an address that the filter allows", "200 active", url.Values{"token": {filtered}, "ip": {"192.0.2.1"}}},
		{"an address that it does not", "200 inactive", url.Values{"token": {filtered}, "ip": {"198.51.100.1"}}},
		{"no address", "200 inactive", url.Values{"token": {filtered}}},
		{"no address at all", "400 invalid_request", url.Values{"token": {filtered}, "ip": {"x"}}},
		{"an empty token", "200 inactive", url.Values{"token": {""}}},
		{"any text", "200 inactive", url.Values{"token": {"héllo\x00 wörld"}}},
		{"two tokens", "400 invalid_request", url.Values{"token": {filtered, person.secret}}},
	} {
		a := o.form(t, o.SystemToken, "/oauth2/introspect", test.form)
		expect(t, test.name, a, test.want)
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", test.name, got)
		}
	}
}

// revocation is RFC 7009. It answers 200 only when the token is not honoured any more, or never was.
func revocation(t *testing.T, o *tenant) {
	other := o.world.tenant(t)
	revoke := func(caller, token string) answer {
		return o.form(t, caller, "/oauth2/revoke", url.Values{"token": {token}})
	}
	self := o.orgToken(t)
	if a := must(t, "itself", revoke(self.secret, self.secret), "200"); !strings.HasPrefix(a.header.Get("Counterfoil-Receipt"), "rcp_") {
		t.Error("a revocation without a receipt")
	}
	o.expectVerdict(t, "itself", self.secret, "token_revoked")
	siem := must(t, "siem", o.ask(t, o.token, "POST tokens", `{"kind":"integration","name":"x","integration":"custom"}`), "201").at("secret")
	member := o.person(t, "viewer")
	for _, test := range []struct{ name, caller, want, after string }{
		{"a member, of an organization token", member.token, "403 missing_permission", "ok"},
		{"an integration token, of another", siem, "403 wrong_audience", "ok"},
		{"an organization token without the right", o.orgToken(t, "counterfoil.tokens:read").secret, "403 missing_permission", "ok"},
		{"an organization token without any right", o.orgToken(t).secret, "403 missing_permission", "ok"},
		{"a gateway", o.systemToken(t, "counterfoil.tokens:verify").secret, "403 missing_permission", "ok"},
		{"nobody", "", "401 missing_credentials", "ok"},
		{"an owner", o.token, "200", "token_revoked"},
	} {
		token := o.orgToken(t)
		expect(t, test.name, revoke(test.caller, token.secret), test.want)
		o.expectVerdict(t, test.name, token.secret, test.after)
	}
	must(t, "an integration token, itself", revoke(siem, siem), "200")
	o.expectVerdict(t, "an integration token, itself", siem, "token_revoked")
	expect(t, "what does not exist", revoke(o.token, "hello"), "200")
	theirs := other.orgToken(t)
	absent, foreign := revoke(o.token, "hello"), revoke(o.token, theirs.secret)
	if absent.String() != foreign.String() {
		t.Errorf("another organization's token answers %s, one that does not exist %s", foreign, absent)
	}
	o.expectVerdict(t, "another organization's token", theirs.secret, "ok")
	system := o.systemToken(t)
	for name, caller := range map[string]string{"an owner": o.token, "an integration token": must(t, "siem", o.ask(t, o.token, "POST tokens", `{"kind":"integration","name":"x","integration":"custom"}`), "201").at("secret")} {
		for what, secret := range map[string]string{"another organization's token": theirs.secret, "a system token": system.secret} {
			if a := revoke(caller, secret); a.String() != absent.String() {
				t.Errorf("%s tells %s from one that does not exist: %s", name, what, a)
			}
			o.expectVerdict(t, what, secret, "ok")
		}
	}
	twice := o.orgToken(t)
	expect(t, "once", revoke(o.token, twice.secret), "200")
	expect(t, "twice", revoke(o.token, twice.secret), "200")
	expect(t, "without a token", o.form(t, o.token, "/oauth2/revoke", url.Values{}), "400 invalid_request")
	if a := revoke(o.token, "hello"); len(strings.TrimSpace(a.text())) != 0 {
		t.Errorf("a revocation answers %s", a.text())
	}
}
