package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// H2: name, permissions, optional filter, optional expiry.
func organizationToken(t *testing.T, o *tenant) {
	filter := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow 192.0.2.0/24"}`), "201").at("id")
	narrow := o.personal(t, o.owner, "counterfoil.tokens:write", "devices:read")
	for _, test := range []struct{ name, token, body, want string }{
		{"no expiry, where the policy allows it", o.token, `{"kind":"organization","name":"a"}`, "201"},
		{"an expiry in seconds", o.token, `{"kind":"organization","name":"a","expires_in":60}`, "201"},
		{"a filter by its id", o.token, `{"kind":"organization","name":"a","ip_filter":"` + filter + `"}`, "201"},
		{"a filter by its name", o.token, `{"kind":"organization","name":"a","ip_filter":"office"}`, "201"},
		{"a filter that does not exist", o.token, `{"kind":"organization","name":"a","ip_filter":"nowhere"}`, "422 validation_failed /ip_filter"},
		{"no name", o.token, `{"kind":"organization"}`, "422 validation_failed /name"},
		{"an empty name", o.token, `{"kind":"organization","name":""}`, "422 validation_failed /name"},
		{"a name of blanks", o.token, `{"kind":"organization","name":"   "}`, "422 validation_failed /name"},
		{"a name that ends with a space", o.token, `{"kind":"organization","name":"a "}`, "422 validation_failed /name"},
		{"a name with a line feed", o.token, `{"kind":"organization","name":"a\nb"}`, "422 validation_failed /name"},
		{"a name of 100 characters", o.token, `{"kind":"organization","name":"` + strings.Repeat("ü", 100) + `"}`, "201"},
		{"a name of 101 characters", o.token, `{"kind":"organization","name":"` + strings.Repeat("ü", 101) + `"}`, "422 validation_failed /name"},
		{"a name with markup is text", o.token, `{"kind":"organization","name":"<script>alert(1)</script>"}`, "201"},
		{"a permission that only people's tokens hold", o.token, `{"kind":"organization","name":"a","permissions":["sites:write"]}`, "422 permission_not_held /permissions/0"},
		{"a permission that a credential holds", narrow.secret, `{"kind":"organization","name":"a","permissions":["devices:read"]}`, "201"},
		{"a permission that its member holds, but not the credential", narrow.secret, `{"kind":"organization","name":"a","permissions":["devices:write"]}`, "422 permission_not_held /permissions/0"},
		{"without the right to manage tokens", o.personal(t, o.owner, "devices:read").secret, `{"kind":"organization","name":"a"}`, "403 missing_permission"},
		{"with an owner", o.token, `{"kind":"organization","name":"a","owner":"` + o.owner + `"}`, "422 validation_failed /owner"},
		{"with an integration", o.token, `{"kind":"organization","name":"a","integration":"splunk"}`, "422 validation_failed /integration"},
		{"no such kind", o.token, `{"kind":"root","name":"a"}`, "422 validation_failed /kind"},
		{"a system token in an organization", o.token, `{"kind":"system","name":"a"}`, "422 validation_failed /kind"},
		{"a personal token of another, by an owner", o.token, `{"kind":"personal","name":"a","owner":"` + o.owner + `"}`, "422 validation_failed /owner"},
		{"a personal token by an organization token", o.orgToken(t, "counterfoil.tokens:write").secret, `{"kind":"personal","name":"a"}`, "422 validation_failed /kind /owner"},
		{"a personal token for nobody, by a system token", o.SystemToken, `{"kind":"personal","name":"a"}`, "422 validation_failed /owner"},
		{"a personal token for a stranger", o.SystemToken, `{"kind":"personal","name":"a","owner":"` + o.Owner.ID + `"}`, "422 validation_failed /owner"},
	} {
		a := o.ask(t, test.token, "POST tokens", test.body)
		expect(t, test.name, a, test.want)
		if a.status == 201 && strings.Contains(test.body, "ip_filter") {
			expectAt(t, test.name, a, "token.ip_filter.id", filter)
			expectAt(t, test.name, a, "token.ip_filter.name", "office")
		}
		if a.status == 201 && !strings.Contains(test.body, "expires") {
			expectAt(t, test.name, a, "token.expires_at", "null")
		}
	}
	long := o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"a","expires_in":31536001}`)
	expect(t, "more than a year, where the policy has no longest lifetime", long, "201")
}

// H4: rotation keeps the id; the old value dies at once or after the grace.
func rotateToken(t *testing.T, o *tenant) {
	made := must(t, "create", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"r","permissions":["devices:read"]}`), "201")
	id, first := made.at("token.id"), made.at("secret")
	rotate := func(what, body string) string {
		t.Helper()
		a := must(t, what, o.ask(t, o.token, "POST tokens/"+id+"/rotate", body), "200")
		expectAt(t, what, a, "token.id", id)
		expectAt(t, what, a, "receipt.complete", "true")
		expectAt(t, what, a, "token.renewed_at", made.at("token.renewed_at")) // rotation renews nothing
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", what, got)
		}
		return a.at("secret")
	}
	second := rotate("at once, no body", "")
	o.expectVerdict(t, "the old value, rotated at once", first, "token_revoked")
	o.expectVerdict(t, "the new value", second, "ok", "permission", "devices:read")
	third := rotate("with a grace", `{"grace_seconds":3600}`)
	o.expectVerdict(t, "the old value within its grace", second, "ok", "permission", "devices:read")
	o.expectVerdict(t, "the value before that", first, "invalid_token")
	until, err := time.Parse(time.RFC3339Nano, o.ask(t, o.token, "GET tokens/"+id, "").at("previous_valid_until"))
	if err != nil || (time.Until(until)-time.Hour).Abs() > time.Minute {
		t.Errorf("previous_valid_until is %s, %v", until, err)
	}
	fourth := rotate("again: at most one previous value", `{"grace_seconds":604800}`)
	o.expectVerdict(t, "two rotations ago", second, "invalid_token")
	o.expectVerdict(t, "one rotation ago", third, "ok")
	last := rotate("grace 0 ends the previous one's too", `{"grace_seconds":0}`)
	for name, old := range map[string]string{"one rotation ago": fourth, "two rotations ago": third} {
		if code := o.verdict(t, old); code != "token_revoked" && code != "invalid_token" {
			t.Errorf("%s, after a rotation without grace: %s", name, code)
		}
	}
	expectAt(t, "no previous value", o.ask(t, o.token, "GET tokens/"+id, ""), "previous_valid_until", "null")
	for body, want := range map[string]string{
		`{"grace_seconds":604801}`: "422 validation_failed /grace_seconds", `{"grace_seconds":-1}`: "422 validation_failed /grace_seconds",
		`{"grace_seconds":"1"}`: "422 validation_failed /grace_seconds", `{"grace":1}`: "422 validation_failed /grace", `[]`: "422 validation_failed",
	} {
		expect(t, body, o.ask(t, o.token, "POST tokens/"+id+"/rotate", body), want)
	}
	o.expectVerdict(t, "after refused rotations", last, "ok")
	self := o.orgToken(t, "counterfoil.tokens:write")
	a := must(t, "a token rotates itself", o.ask(t, self.secret, "POST tokens/"+self.id+"/rotate", ""), "200")
	expect(t, "the value that rotated itself", o.ask(t, self.secret, "GET /v1/tokens/current", ""), "401 token_revoked")
	expect(t, "its new value", o.ask(t, a.at("secret"), "GET /v1/tokens/current", ""), "200")
}

// N2, N6: integration tokens open the Activity Logs API alone.
func integrationTokens(t *testing.T, o *tenant) {
	for _, test := range []struct{ integration, url string }{{"custom", o.URL + "/activities/query"}, {"sentinel", o.URL + "/activities/query"}, {"splunk", "absent"}} {
		a := must(t, test.integration, o.ask(t, o.token, "POST tokens", fmt.Sprintf(`{"kind":"integration","name":"siem","integration":%q}`, test.integration)), "201")
		secret := a.at("secret")
		if got := a.at("activity_url"); (test.url == "absent") != (got == "absent") || !strings.HasSuffix(got, strings.TrimPrefix(test.url, o.URL)) {
			t.Errorf("%s: activity_url is %s, want %s", test.integration, got, test.url)
		}
		expectAt(t, test.integration, a, "data_center", "local")
		expectAt(t, test.integration, a, "token.integration", test.integration)
		at, _ := time.Parse(time.RFC3339Nano, a.at("token.expires_at"))
		if (time.Until(at) - 365*24*time.Hour).Abs() > time.Minute {
			t.Errorf("%s: expires at %s, want a year from now", test.integration, a.at("token.expires_at"))
		}
		if !strings.HasPrefix(secret, "cfl_int_") {
			t.Errorf("%s: the value begins %s", test.integration, secret[:8])
		}
		for line, want := range map[string]string{
			"GET /v1/tokens/current": "200", "GET tokens": "403 wrong_audience", "GET permissions": "403 wrong_audience", "GET /v1/organizations": "403 wrong_audience",
			"GET /v1/organizations/nowhere": "403 wrong_audience", "GET /v1/authorize": "403 wrong_audience", "GET /v1/receipts/rcp_x": "403 wrong_audience",
		} {
			expect(t, test.integration+" "+line, o.ask(t, secret, line, ""), want)
		}
		o.expectVerdict(t, test.integration, secret, "wrong_audience")
		must(t, test.integration+" ends itself", o.ask(t, secret, "DELETE /v1/tokens/current", ""), "200")
	}
	expect(t, "no integration", o.ask(t, o.token, "POST tokens", `{"kind":"integration","name":"x"}`), "422 validation_failed /integration")
	expect(t, "with permissions", o.ask(t, o.token, "POST tokens", `{"kind":"integration","name":"x","integration":"custom","permissions":["devices:read"]}`), "422 validation_failed /permissions")
	expect(t, "by one who may not", o.ask(t, o.person(t, "operator").token, "POST tokens", `{"kind":"integration","name":"x","integration":"custom"}`), "403 missing_permission")
}

// P3, H4: expiry and grace end on the second (timed).
func expiryAndGrace(t *testing.T, o *tenant) {
	a := must(t, "create", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"short","permissions":["counterfoil.tokens:read"],"expires_in":60}`), "201")
	id, secret := a.at("token.id"), a.at("secret")
	o.advance(58 * time.Second)
	o.expectVerdict(t, "before it expires", secret, "ok")
	o.advance(2 * time.Second)
	o.expectVerdict(t, "when it expires", secret, "token_expired")
	o.everySurface(t, "expired", secret, "401 token_expired")
	expect(t, "this API, expired", o.ask(t, secret, "GET tokens", ""), "401 token_expired")
	expectAt(t, "expired", o.ask(t, o.token, "GET tokens/"+id, ""), "status", "expired")
	if got := o.ask(t, o.token, "GET tokens?status=expired", "").names(); got != "short" {
		t.Errorf("the expired tokens are %q", got)
	}
	later := o.now().Add(time.Hour).UTC().Format(time.RFC3339)
	must(t, "a later expiry revives", o.ask(t, o.token, "PATCH tokens/"+id, `{"expires_at":"`+later+`"}`), "200")
	o.expectVerdict(t, "renewed", secret, "ok")

	rotated := must(t, "rotate", o.ask(t, o.token, "POST tokens/"+id+"/rotate", `{"grace_seconds":60}`), "200").at("secret")
	o.advance(58 * time.Second)
	o.expectVerdict(t, "the old value before its grace ends", secret, "ok")
	o.advance(2 * time.Second)
	o.expectVerdict(t, "the old value when its grace has ended", secret, "token_revoked")
	o.expectVerdict(t, "the new value", rotated, "ok")
	expectAt(t, "the grace is over", o.ask(t, o.token, "GET tokens/"+id, ""), "previous_valid_until", "null")
	o.advance(time.Hour)
	o.expectVerdict(t, "an expired token's old value", secret, "token_revoked")
}
