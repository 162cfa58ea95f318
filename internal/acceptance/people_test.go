package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// people: members by the contract.
func people(t *testing.T, o *tenant) {
	email := "ada@" + o.slug + ".example"
	a := must(t, "add", o.ask(t, o.token, "POST members", fmt.Sprintf(`{"email":%q,"name":"Ada","roles":["viewer","member","viewer"],"external_id":"x-7"}`, email)), "201")
	id := a.at("id")
	for member, want := range map[string]string{"email": email, "name": "Ada", "roles": `["member","viewer"]`, "status": "invited", "external_id": "x-7"} {
		expectAt(t, "a new member", a, member, want)
	}
	if !strings.HasPrefix(id, "mem_") || !strings.HasPrefix(a.at("user_id"), "usr_") {
		t.Errorf("ids are %s and %s", id, a.at("user_id"))
	}
	for _, test := range []struct{ name, line, body, want string }{
		{"the same e-mail", "POST members", fmt.Sprintf(`{"email":%q,"name":"Ada","roles":[]}`, email), "409 name_taken"},
		{"the same e-mail in capitals", "POST members", fmt.Sprintf(`{"email":%q,"name":"Ada","roles":[]}`, strings.ToUpper(email)), "409 name_taken"},
		{"no e-mail address", "POST members", `{"email":"Ada <ada@x.example>","name":"Ada","roles":[]}`, "422 validation_failed /email"},
		{"no roles given", "POST members", `{"email":"b@x.example","name":"B"}`, "422 validation_failed /roles"},
		{"activate", "PATCH members/" + id, `{"status":"active"}`, "200"},
		{"back to invited", "PATCH members/" + id, `{"status":"invited"}`, "422 validation_failed /status"},
		{"suspend", "PATCH members/" + id, `{"status":"suspended"}`, "200"},
		{"no roles at all", "PATCH members/" + id, `{"roles":[]}`, "200"},
		{"nothing", "PATCH members/" + id, `{}`, "200"},
		{"read", "GET members/" + id, "", "200"},
		{"remove", "DELETE members/" + id, "", "204"},
		{"removed", "GET members/" + id, "", "404 not_found"},
		{"remove again", "DELETE members/" + id, "", "404 not_found"},
		{"invite again", "POST members", fmt.Sprintf(`{"email":%q,"name":"Ada","roles":[]}`, email), "201"},
	} {
		expect(t, test.name, o.ask(t, o.token, test.line, test.body), test.want)
	}
	union := o.person(t, "viewer", "operator") // member is not implied, and the union is exact
	a = o.ask(t, union.token, "GET /v1/tokens/current", "")
	expectAt(t, "the union of two roles", a, "effective_permissions", `["devices:read","devices:write","sites:read"]`)
	none := o.ask(t, o.person(t).token, "GET /v1/tokens/current", "")
	expectAt(t, "no role", none, "effective_permissions", `[]`)
	if got := o.ask(t, o.token, "GET members?q=ADA@", "").at("data.0.email"); got != email {
		t.Errorf("a search finds %s", got)
	}
}

// roles: built in, of the catalogue, and the organization's own.
func roles(t *testing.T, o *tenant) {
	list := o.ask(t, o.token, "GET roles?limit=200", "")
	if got := list.names(); got != "owner admin member operator viewer" {
		t.Errorf("the roles are %q", got)
	}
	expectAt(t, "member", list, "data.2.permissions", `["devices:read","sites:read"]`)
	expectAt(t, "owner", list, "data.0.source", "builtin")
	expectAt(t, "operator", list, "data.3.source", "catalogue")
	a := must(t, "create", o.ask(t, o.token, "POST roles", `{"name":"auditor","permissions":["sites:read","devices:read"]}`), "201")
	id := a.at("id")
	expectAt(t, "create", a, "permissions", `["devices:read","sites:read"]`)
	expectAt(t, "create", a, "source", "organization")
	m := o.person(t, "auditor")
	for _, test := range []struct{ name, line, body, want string }{
		{"the same name", "POST roles", `{"name":"auditor","permissions":[]}`, "409 name_taken"},
		{"a built-in name", "POST roles", `{"name":"owner","permissions":[]}`, "409 name_taken"},
		{"a name of the catalogue", "POST roles", `{"name":"viewer","permissions":[]}`, "409 name_taken"},
		{"a permission that no person holds", "POST roles", `{"name":"x","permissions":["counterfoil.console_sessions:write"]}`, "422 permission_not_held /permissions/0"},
		{"edit a built-in role", "PATCH roles/rol_member", `{"permissions":[]}`, "409 in_use"},
		{"edit a role of the catalogue", "PATCH roles/rol_viewer", `{"permissions":[]}`, "409 in_use"},
		{"by its name", "GET roles/auditor", "", "200"},
		{"edit", "PATCH roles/" + id, `{"permissions":["devices:read"]}`, "200"},
		{"delete while held", "DELETE roles/" + id, "", "409 in_use"},
		{"take it off", "PATCH members/" + m.id, `{"roles":[]}`, "200"},
		{"delete", "DELETE roles/" + id, "", "204"},
		{"deleted", "GET roles/" + id, "", "404 not_found"},
	} {
		expect(t, test.name, o.ask(t, o.token, test.line, test.body), test.want)
		if test.name == "edit" {
			o.expectVerdict(t, "an edit of a role acts at once", m.token, "missing_permission", "permission", "sites:read")
			o.expectVerdict(t, "what is left", m.token, "ok", "permission", "devices:read")
		}
	}
}

// organizations: what their own credentials may change, and what suspending and deleting do.
func organizations(t *testing.T, o *tenant) {
	m := o.orgToken(t, "counterfoil.organizations:read", "counterfoil.organizations:write")
	for _, test := range []struct{ name, token, body, want string }{
		{"the name, by its own", o.token, `{"name":"Renamed"}`, "200"},
		{"the name, by an organization token", m.secret, `{"name":"Renamed again"}`, "200"},
		{"the plan, by its own", o.token, `{"plan":"enterprise"}`, "403 missing_permission"},
		{"the licence, by its own", o.token, `{"license":"nfr"}`, "403 missing_permission"},
		{"the status, by its own", o.token, `{"status":"suspended"}`, "403 missing_permission"},
		{"the data centre, by its own", o.token, `{"data_center":"eu"}`, "403 missing_permission"},
		{"the slug is not for changing", o.token, `{"slug":"other"}`, "422 validation_failed /slug"},
		{"the plan, by the instance", o.SystemToken, `{"plan":"enterprise","license":"nfr"}`, "200"},
		{"a plan that is not sold", o.SystemToken, `{"plan":"gold"}`, "422 validation_failed /plan"},
		{"another data centre", o.SystemToken, `{"data_center":"eu"}`, "200"},
		{"back", o.SystemToken, `{"data_center":"local"}`, "200"},
	} {
		expect(t, test.name, o.ask(t, test.token, "PATCH /v1/organizations/"+o.id, test.body), test.want)
	}
	must(t, "suspend", o.ask(t, o.SystemToken, "PATCH /v1/organizations/"+o.id, `{"status":"suspended"}`), "200")
	o.expectVerdict(t, "suspended", m.secret, "organization_suspended")
	expect(t, "suspended, an owner", o.ask(t, o.token, "GET tokens", ""), "403 organization_suspended")
	must(t, "reactivate", o.ask(t, o.SystemToken, "PATCH /v1/organizations/"+o.id, `{"status":"active"}`), "200")
	o.expectVerdict(t, "active again", m.secret, "ok")

	admin := o.person(t, "admin")
	expect(t, "delete, by an admin", o.ask(t, admin.token, "DELETE /v1/organizations/"+o.id, ""), "403 missing_permission")
	expect(t, "delete, by an organization token", o.ask(t, m.secret, "DELETE /v1/organizations/"+o.id, ""), "403 missing_permission")
	must(t, "delete, by the owner", o.ask(t, o.token, "DELETE /v1/organizations/"+o.id, ""), "204")
	for name, secret := range map[string]string{"its organization token": m.secret, "its owner's": o.token, "its admin's": admin.token} {
		if code := o.verdict(t, secret); code == "ok" {
			t.Errorf("the organization is deleted, and %s token is still good", name)
		}
		if a := o.ask(t, secret, "GET /v1/tokens/current", ""); a.status != 401 && a.status != 403 {
			t.Errorf("the organization is deleted, and %s token gets %s", name, a)
		}
	}
	expect(t, "deleted", o.ask(t, o.SystemToken, "GET /v1/organizations/"+o.id, ""), "404 not_found")
	expect(t, "its members", o.ask(t, o.SystemToken, "GET members", ""), "404 not_found")
	expect(t, "a token in it", o.ask(t, o.SystemToken, "POST tokens", `{"kind":"organization","name":"x"}`), "404 not_found")
	next := fmt.Sprintf(`{"name":"Next","slug":"next-%s"}`, o.slug)
	first := must(t, "a slug of one's own", o.ask(t, o.SystemToken, "POST /v1/organizations", next), "201")
	expect(t, "a name that looks like another's", o.ask(t, o.SystemToken, "POST /v1/organizations", `{"name":"Next "}`), "422 validation_failed /name")
	expect(t, "a slug in use", o.ask(t, o.SystemToken, "POST /v1/organizations", next), "409 name_taken")
	must(t, "delete", o.ask(t, o.SystemToken, "DELETE /v1/organizations/"+first.at("id"), ""), "204")
	fresh := must(t, "the slug is free", o.ask(t, o.SystemToken, "POST /v1/organizations", next), "201")
	members := o.ask(t, o.SystemToken, "GET /v1/organizations/"+fresh.at("id")+"/members", "")
	if members.count("data") != 0 {
		t.Errorf("a new organization has members: %s", members.text())
	}
	for member, want := range map[string]string{"plan": "teams", "license": "standard", "status": "active", "data_center": "local"} {
		expectAt(t, "a new organization", fresh, member, want)
	}
}
