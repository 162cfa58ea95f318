package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// P2: any subset of what you hold, never more.
func grantWhatYouHold(t *testing.T, o *tenant) {
	viewer := o.person(t, "viewer") // devices:read, sites:read
	everything := o.ask(t, o.token, "GET permissions?limit=200", "")
	must(t, "permissions for the owner", everything, "200")
	for _, test := range []struct{ name, permissions, want string }{
		{"none", `[]`, "201"},
		{"one", `["sites:read"]`, "201"},
		{"all that they hold", `["devices:read","sites:read"]`, "201"},
		{"the same one twice", `["sites:read","sites:read"]`, "201"},
		{"one that they do not hold", `["devices:read","devices:write"]`, "422 permission_not_held /permissions/1"},
		{"several that they do not hold", `["devices:write","sites:read","sites:write"]`, "422 permission_not_held /permissions/0 /permissions/2"},
		{"one that opens this API", `["counterfoil.tokens:write"]`, "422 permission_not_held /permissions/0"},
		{"one that no person holds", `["counterfoil.console_sessions:write"]`, "422 permission_not_held /permissions/0"},
		{"one that does not exist", `["devices:fly"]`, "422 validation_failed /permissions/0"},
		{"a wildcard", `["devices:*"]`, "422 validation_failed /permissions/0"},
		{"unknown and not held", `["devices:write","devices:fly"]`, "422 validation_failed /permissions/0:permission_not_held /permissions/1"},
	} {
		a := o.ask(t, viewer.token, "POST tokens", fmt.Sprintf(`{"kind":"personal","name":"x","permissions":%s}`, test.permissions))
		expect(t, test.name, a, test.want)
		if strings.HasPrefix(test.want, "422 permission_not_held /permissions/1") && !strings.Contains(a.text(), "devices:write") {
			t.Errorf("%s: the answer does not name what is not held: %s", test.name, a.text())
		}
	}
	list := o.ask(t, viewer.token, "GET permissions?limit=200", "")
	for i := range list.count("data") {
		row := fmt.Sprintf("data.%d.", i)
		name := list.at(row + "name")
		want := fmt.Sprint(name == "devices:read" || name == "sites:read")
		expectAt(t, "grantable for a viewer: "+name, list, row+"grantable", want)
		a := o.ask(t, viewer.token, "POST tokens", fmt.Sprintf(`{"kind":"personal","name":"x","permissions":[%q]}`, name))
		if (a.status == 201) != (want == "true") {
			t.Errorf("%s is grantable: %s, but making a token with it answers %s", name, want, a)
		}
	}
	if list.count("data") < 20 || list.at("data.0.endpoints.0") != "GET /api/devices" {
		t.Errorf("the list of permissions lacks rows or endpoints: %s", list.text())
	}
}

// P3: 90 days by default, one year at most, always set.
func expiryOfPersonalTokens(t *testing.T, o *tenant) {
	const day = 24 * 60 * 60
	in := func(seconds int64) string {
		return o.now().Add(time.Duration(seconds) * time.Second).UTC().Format(time.RFC3339)
	}
	for _, test := range []struct {
		name, member, want string
		days               int // after which it expires, of a token that is made
	}{
		{"nothing said", ``, "201", 90},
		{"a week in seconds", `"expires_in":604800`, "201", 7},
		{"a day as a time", `"expires_at":"` + in(day) + `"`, "201", 1},
		{"a year", `"expires_in":31536000`, "201", 365},
		{"a second more than a year", `"expires_in":31536001`, "422 policy_violation /expires_in", 0},
		{"a time beyond a year", `"expires_at":"` + in(366*day) + `"`, "422 policy_violation /expires_at", 0},
		{"both", `"expires_in":60,"expires_at":"` + in(day) + `"`, "422 validation_failed /expires_at", 0},
		{"in the past", `"expires_at":"2020-01-01T00:00:00Z"`, "422 validation_failed /expires_at", 0},
		{"no seconds", `"expires_in":0`, "422 validation_failed /expires_in", 0},
		{"before now", `"expires_in":-5`, "422 validation_failed /expires_in", 0},
		{"more than fits", `"expires_in":9223372036854775807`, "422 validation_failed /expires_in", 0},
		{"more than fits in eight bytes", `"expires_in":9223372036854775808`, "422 validation_failed /expires_in", 0},
		{"a fraction", `"expires_in":1.5`, "422 validation_failed /expires_in", 0},
		{"no time", `"expires_at":"tomorrow"`, "422 validation_failed /expires_at", 0},
		{"a time without a zone", `"expires_at":"2031-01-01T00:00:00"`, "422 validation_failed /expires_at", 0},
		{"the year 9999", `"expires_at":"9999-12-31T23:59:59Z"`, "422 validation_failed /expires_at", 0},
	} {
		body := `{"kind":"personal","name":"x","permissions":[]`
		if test.member != "" {
			body += "," + test.member
		}
		a := o.ask(t, o.token, "POST tokens", body+"}")
		expect(t, test.name, a, test.want)
		if test.days == 0 || a.status != 201 {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, a.at("token.expires_at"))
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(at) - time.Duration(test.days)*24*time.Hour; off.Abs() > time.Minute {
			t.Errorf("%s: expires at %s, which is off by %s", test.name, at, off)
		}
		expectAt(t, test.name, a, "token.effective_expires_at", a.at("token.expires_at"))
	}
}

// P4: the value is in one answer; the hint is everywhere else.
func shownOnce(t *testing.T, o *tenant) {
	a := must(t, "create", o.ask(t, o.token, "POST tokens", `{"kind":"personal","name":"once","permissions":["devices:read"]}`), "201")
	secret, id := a.at("secret"), a.at("token.id")
	bare := strings.TrimPrefix(id, "tok_")
	if want := "cfl_pat_" + bare[:8] + "…" + secret[len(secret)-4:]; a.at("token.hint") != want {
		t.Errorf("the hint is %s, want %s", a.at("token.hint"), want)
	}
	if len(secret) != len("cfl_pat_")+12+30+6 || !strings.HasPrefix(secret, "cfl_pat_"+bare) || strings.Trim(secret, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		t.Errorf("the value %s is not <prefix>_<kind>_<id><secret><checksum>", secret)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control beside a secret is %q", got)
	}
	for _, line := range []string{"GET tokens", "GET tokens/" + id, "PATCH tokens/" + id, "DELETE tokens/" + id} {
		body := ""
		if strings.HasPrefix(line, "PATCH") {
			body = `{"name":"renamed"}`
		}
		a := must(t, line, o.ask(t, o.token, line, body), "200")
		if strings.Contains(a.text(), secret[len("cfl_pat_")+12:]) || a.at("secret") != "absent" {
			t.Errorf("%s shows the value again", line)
		}
	}
	if strings.Contains(o.Logs(), secret[len("cfl_pat_")+12:]) {
		t.Error("the value is in the server's log")
	}
}

// P6: permissions and expiry change, the value stays.
func editToken(t *testing.T, o *tenant) {
	operator := o.person(t, "operator") // devices:read, devices:write, sites:read
	mine := o.personal(t, operator.id, "devices:read")
	path := "PATCH tokens/" + mine.id
	for _, test := range []struct{ name, body, want, permission, verdict string }{
		{"widen to what they hold", `{"permissions":["devices:read","devices:write"]}`, "200", "devices:write", "ok"},
		{"narrow", `{"permissions":["sites:read"]}`, "200", "devices:write", "missing_permission"},
		{"beyond what they hold", `{"permissions":["sites:read","sites:write"]}`, "422 permission_not_held /permissions/1", "sites:write", "missing_permission"},
		{"a later expiry", `{"expires_at":"` + time.Now().Add(200*24*time.Hour).UTC().Format(time.RFC3339) + `"}`, "200", "sites:read", "ok"},
		{"an expiry beyond the policy", `{"expires_at":"` + time.Now().Add(400*24*time.Hour).UTC().Format(time.RFC3339) + `"}`, "422 policy_violation /expires_at", "sites:read", "ok"},
		{"no expiry where one is required", `{"expires_at":null}`, "422 policy_violation /expires_at", "sites:read", "ok"},
		{"a name", `{"name":"collector"}`, "200", "sites:read", "ok"},
		{"nothing", `{}`, "200", "sites:read", "ok"},
		{"pause", `{"paused":true}`, "200", "sites:read", "token_paused"},
		{"resume", `{"paused":false}`, "200", "sites:read", "ok"},
	} {
		a := o.ask(t, operator.token, path, test.body)
		expect(t, test.name, a, test.want)
		o.expectVerdict(t, test.name, mine.secret, test.verdict, "permission", test.permission)
	}
	a := o.ask(t, operator.token, "GET tokens/"+mine.id, "")
	expectAt(t, "after the edits", a, "name", "collector")
	expectAt(t, "after the edits", a, "permissions", `["sites:read"]`)
}

// P7: the snapshot and what the owner holds at the moment of use.
func snapshotAndOwnerNow(t *testing.T, o *tenant) {
	m := o.person(t, "operator")
	token := o.personal(t, m.id, "devices:read", "devices:write")
	for _, step := range []struct{ name, roles, write, read, effective string }{
		{"as made", `["operator"]`, "ok", "ok", `["devices:read","devices:write"]`},
		{"the owner loses one", `["viewer"]`, "missing_permission", "ok", `["devices:read"]`},
		{"the owner loses all", `[]`, "missing_permission", "missing_permission", `[]`},
		{"the owner gets everything", `["admin"]`, "ok", "ok", `["devices:read","devices:write"]`},
	} {
		must(t, step.name, o.ask(t, o.token, "PATCH members/"+m.id, `{"roles":`+step.roles+`}`), "200")
		o.expectVerdict(t, step.name, token.secret, step.write, "permission", "devices:write")
		o.expectVerdict(t, step.name, token.secret, step.read, "permission", "devices:read")
		o.expectVerdict(t, step.name, token.secret, "missing_permission", "permission", "sites:read") // never part of the snapshot
		a := o.ask(t, o.token, "GET tokens/"+token.id, "")
		expectAt(t, step.name, a, "permissions", `["devices:read","devices:write"]`)
		expectAt(t, step.name, a, "effective_permissions", step.effective)
	}
}

// P8, C4: immediate, for good, everywhere.
func deleteToken(t *testing.T, o *tenant) {
	token := o.personal(t, o.owner, "devices:read", "counterfoil.tokens:read")
	must(t, "before", o.ask(t, token.secret, "GET tokens", ""), "200")
	a := must(t, "delete", o.ask(t, o.token, "DELETE tokens/"+token.id, `{"reason":"lost laptop"}`), "200")
	for path, want := range map[string]string{"token.status": "revoked", "token.revoked_reason": "lost laptop", "token.revoked_by": o.owner, "receipt.complete": "true"} {
		expectAt(t, "delete", a, path, want)
	}
	expect(t, "this API afterwards", o.ask(t, token.secret, "GET tokens", ""), "401 token_revoked")
	expect(t, "itself afterwards", o.ask(t, token.secret, "GET /v1/tokens/current", ""), "401 token_revoked")
	expect(t, "a gateway afterwards", o.ask(t, token.secret, "GET /v1/authorize?permission=devices:read", ""), "401 token_revoked")
	expect(t, "introspection afterwards", o.form(t, o.SystemToken, "/oauth2/introspect", map[string][]string{"token": {token.secret}}), "200 inactive")
	o.expectVerdict(t, "the check afterwards", token.secret, "token_revoked")
	other := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: o.owner})
	must(t, "a token ends itself", o.ask(t, other.secret, "DELETE /v1/tokens/current", ""), "200")
	o.expectVerdict(t, "a token that ended itself", other.secret, "token_revoked")
}

// P10: the tokens of a leaving member stop at once.
func leavingMember(t *testing.T, o *tenant) {
	m := o.person(t, "operator")
	must(t, "suspend", o.ask(t, o.token, "PATCH members/"+m.id, `{"status":"suspended"}`), "200")
	o.expectVerdict(t, "suspended", m.token, "owner_inactive")
	expect(t, "suspended, this API", o.ask(t, m.token, "GET tokens", ""), "403 owner_inactive")
	must(t, "reactivate", o.ask(t, o.token, "PATCH members/"+m.id, `{"status":"active"}`), "200")
	o.expectVerdict(t, "active again", m.token, "ok")
	must(t, "remove", o.ask(t, o.token, "DELETE members/"+m.id, ""), "204")
	o.expectVerdict(t, "removed", m.token, "token_revoked")
	expect(t, "removed, this API", o.ask(t, m.token, "GET tokens", ""), "401 token_revoked")
	a := o.ask(t, o.token, "GET tokens/"+m.tokenID, "")
	expectAt(t, "the token of one who left", a, "status", "revoked")
	invited := must(t, "invite", o.ask(t, o.token, "POST members", `{"email":"new@acme.example","name":"New","roles":["viewer"]}`), "201")
	expectAt(t, "a new member", invited, "status", "invited")
	expect(t, "a token for one who has not joined", o.ask(t, o.SystemToken, "POST tokens", fmt.Sprintf(`{"kind":"personal","name":"x","owner":%q}`, invited.at("id"))), "422 validation_failed /owner")
}
