package acceptance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// ancientExpiry: 1970 and the year 1 are times that are past, not "no expiry".
func ancientExpiry(t *testing.T, o *tenant) {
	must(t, "no expiry is allowed", o.ask(t, o.token, "PUT policies/personal", `{"expiry_required":false,"max_lifetime_seconds":null}`), "200")
	for _, at := range []string{
		"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "0001-01-01T01:00:00+01:00",
		"1970-01-01T00:00:00.0000001Z", "1969-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00.000001Z", "2001-02-03T04:05:06Z",
	} {
		in := o.now().AddDate(0, 1, 0).UTC().Format("2006-01-02T15:04:05Z")
		for _, kind := range []string{"organization", "personal"} {
			a := must(t, "token", o.ask(t, o.token, "POST tokens", fmt.Sprintf(`{"kind":%q,"name":"x","permissions":["devices:read"],"expires_at":%q}`, kind, in)), "201")
			path := "tokens/" + a.at("token.id")
			expect(t, kind+" until "+at, o.ask(t, o.token, "PATCH "+path, `{"expires_at":"`+at+`"}`), "422 validation_failed /expires_at")
			expect(t, kind+" until "+at+", among more", o.ask(t, o.token, "PATCH "+path, `{"name":"","expires_at":"`+at+`"}`), "422 validation_failed /expires_at /name")
			expectAt(t, kind+" until "+at, o.ask(t, o.token, "GET "+path, ""), "expires_at", in)
			o.expectVerdict(t, kind+" until "+at, a.at("secret"), "ok")
			made := o.ask(t, o.token, "POST tokens", fmt.Sprintf(`{"kind":%q,"name":"x","expires_at":%q}`, kind, at))
			expect(t, "a new one, "+kind+" until "+at, made, "422 validation_failed /expires_at")
			expect(t, "none", o.ask(t, o.token, "PATCH "+path, `{"expires_at":null}`), "200")
			expectAt(t, "none", o.ask(t, o.token, "GET "+path, ""), "expires_at", "null")
		}
	}
}

// misspeltPermission: a gateway that asks for "permissions" asks for nothing, and is told so, unless that is what its client asked for.
func misspeltPermission(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read", "devices:write")
	for _, query := range []string{"permissions=devices:read", "permissions=", "permissions", "permissions[]=devices:read", "permission[]=devices:read", "permission=devices:read&permissions=devices:write", "%70ermissions=x", "Permission=devices:write",
		"premission=devices:read", "permission=devices:read&consistancy=strict", "x"} {
		expect(t, query, o.ask(t, token.secret, "GET /v1/authorize?"+query, ""), "403 missing_permission")
		with := o.ask(t, token.secret, "GET /v1/authorize?"+query, "", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/api/devices")
		expect(t, query+" beside an endpoint", with, "403 missing_permission")
	}
	expect(t, "the client's own query", o.ask(t, token.secret, "GET /v1/authorize?page=2", "", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/api/devices?page=2"), "200")
	expect(t, "consistency", o.ask(t, token.secret, "GET /v1/authorize?permission=devices:read&consistency=strict", ""), "200")
	expect(t, "permission", o.ask(t, token.secret, "GET /v1/authorize?permission=devices:read&permission=devices:write", ""), "200")
	expect(t, "one that is not held", o.ask(t, token.secret, "GET /v1/authorize?permission=devices:read&permission=sites:read", ""), "403 missing_permission")
}

var lastUseShown = regexp.MustCompile(`"last_used":(null|\{[^}]*\}),?`)

// faultyWritesNothing: a request of bad form is told all that is wrong with it and does nothing of it.
func faultyWritesNothing(t *testing.T, o *tenant) {
	token, m := o.orgToken(t, "devices:read"), o.person(t, "viewer")
	filter := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow all"}`), "201").at("id")
	role := must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"auditor","permissions":[]}`), "201").at("id")
	lists := []string{"tokens", "members", "roles", "ip-filters", "policies"}
	state := func() (all string) {
		for _, list := range lists {
			all += must(t, list, o.ask(t, o.token, "GET "+list+"?limit=200", ""), "200").text() + "\n"
		}
		all += o.ask(t, o.SystemToken, "GET /v1/organizations/"+o.id, "").text() + o.ask(t, o.SystemToken, "GET /v1/catalogue", "").text()
		return lastUseShown.ReplaceAllString(all, "") // the asking itself is a use, and is written a little later
	}
	before, key := state(), []string{"Idempotency-Key", "faulty-" + o.id}
	for _, test := range []struct{ line, body, more string }{
		{"POST tokens", `{"kind":"organization","name":"x","permissions":["devices:read"]}`, ""},
		{"POST tokens", `{"kind":"organization","name":"x","permissions":["devices:fly"]}`, "/permissions/0 "},
		{"POST tokens", `{"kind":"organization","name":"","permissions":["devices:fly"],"bogus":1}`, "/bogus /name /permissions/0 "},
		{"PATCH tokens/" + token.id, `{"name":"renamed","paused":true}`, ""},
		{"PATCH tokens/" + token.id, `{"permissions":["devices:fly"]}`, "/permissions/0 "},
		{"POST tokens/" + token.id + "/rotate", `{"grace_seconds":0}`, ""},
		{"POST tokens/" + token.id + "/rotate", ``, ""},
		{"DELETE tokens/" + token.id, `{"reason":"x"}`, ""},
		{"DELETE tokens/" + token.id, ``, ""},
		{"DELETE /v1/tokens/current", ``, ""},
		{"PUT policies/organization", `{"allowed":false}`, ""},
		{"PUT policies/organization", `{"enforced_ip_filter":"nowhere"}`, "/enforced_ip_filter "},
		{"POST ip-filters", `{"name":"other","rules":"allow all"}`, ""},
		{"PATCH ip-filters/" + filter, `{"rules":"deny all"}`, ""},
		{"DELETE ip-filters/" + filter, ``, ""},
		{"POST roles", `{"name":"other","permissions":[]}`, ""},
		{"PATCH roles/" + role, `{"permissions":["devices:read"]}`, ""},
		{"DELETE roles/" + role, ``, ""},
		{"POST members", `{"email":"faulty@` + o.slug + `.example","name":"A","roles":["viewer"]}`, ""},
		{"PATCH members/" + m.id, `{"status":"suspended"}`, ""},
		{"PATCH members/" + m.id, `{"roles":["king"]}`, "/roles/0 "},
		{"DELETE members/" + m.id, ``, ""},
		{"PATCH /v1/organizations/" + o.id, `{"name":"Renamed"}`, ""},
		{"DELETE /v1/organizations/" + o.id, ``, ""},
	} {
		expect(t, test.line+"?x=1 "+test.body, o.ask(t, o.token, test.line+"?x=1", test.body, key...), "422 validation_failed "+test.more+"?x")
	}
	expect(t, "a catalogue", o.ask(t, o.SystemToken, "PUT /v1/catalogue?x=1", `{"source":"permissions: []"}`), "422 validation_failed ?x")
	expect(t, "by who may not", o.ask(t, token.secret, "POST tokens?x=1", `{"kind":"organization","name":"x"}`), "403 missing_permission")
	if after := state(); after != before {
		t.Errorf("faulty requests have changed\n%s\nto\n%s", before, after)
	}
	o.expectVerdict(t, "the token", token.secret, "ok", "permission", "devices:read")
	o.expectVerdict(t, "the member's token", m.token, "ok")
	expect(t, "the idempotency key is still free", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"x"}`, key...), "201")
}

// largeCatalogue: a catalogue of a large product can be applied over the API.
func largeCatalogue(t *testing.T, w *world) {
	var b strings.Builder
	b.WriteString("permissions:\n")
	for i := range 700 {
		fmt.Fprintf(&b, "  - {name: \"area%d:read\", title: \"Read area %d\", group: Areas, description: \"List what is in area %d, and show it.\", kinds: [personal, organization], endpoints: [\"GET /api/areas/%d\"]}\n", i, i, i, i)
	}
	source := b.String()
	if len(source) <= 64<<10 {
		t.Fatalf("the catalogue has %d bytes alone", len(source))
	}
	body := `{"source":` + inJSON(source) + `}`
	must(t, "700 permissions", w.ask(t, w.SystemToken, "PUT /v1/catalogue", body), "200")
	expectAt(t, "700 permissions", w.ask(t, w.SystemToken, "GET /v1/catalogue", ""), "source", source)
	token := w.Server.Token(t, "area699:read")
	w.expectVerdict(t, "the last one", token.Secret, "ok", "endpoint", "GET /api/areas/699")
	w.expectVerdict(t, "the one before", token.Secret, "missing_permission", "endpoint", "GET /api/areas/698")

	const limit = 2 << 20
	fits := body + strings.Repeat(" ", limit-len(body))
	expect(t, "2 MiB", w.ask(t, w.SystemToken, "PUT /v1/catalogue", fits), "200")
	expect(t, "a byte more", w.ask(t, w.SystemToken, "PUT /v1/catalogue", fits+" "), "413 body_too_large")
	expect(t, "elsewhere the limit stays", w.ask(t, w.SystemToken, "POST /v1/organizations", `{"name":"x"}`+strings.Repeat(" ", 64<<10)), "413 body_too_large")
}
