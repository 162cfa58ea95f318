package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// narrowPersonal: a token of few rights cannot make, widen, prolong, rotate or resume what may do more (S7).
func narrowPersonal(t *testing.T, o *tenant) {
	wide := o.personal(t, o.owner, "devices:read", "devices:write", "counterfoil.members:write")
	narrow := o.personal(t, o.owner, "devices:read")
	office := officeFilter(t, o)
	fenced := must(t, "fenced", o.ask(t, o.token, "POST tokens", `{"kind":"personal","name":"f","permissions":["devices:write"],"ip_filter":"`+office+`"}`), "201")
	later := o.now().AddDate(0, 6, 0).UTC().Format("2006-01-02T15:04:05Z")
	must(t, "pause", o.ask(t, o.token, "PATCH tokens/"+fenced.at("token.id"), `{"paused":true}`), "200")
	for _, test := range []struct{ name, line, body, want string }{
		{"make a wider one", "POST tokens", `{"kind":"personal","name":"x","permissions":["devices:read","devices:write"]}`, "422 permission_not_held /permissions/1"},
		{"make one as narrow", "POST tokens", `{"kind":"personal","name":"x","permissions":["devices:read"]}`, "201"},
		{"rotate a wider one", "POST tokens/" + wide.id + "/rotate", ``, "422 permission_not_held"},
		{"widen itself", "PATCH tokens/" + narrow.id, `{"permissions":["devices:read","devices:write"]}`, "422 permission_not_held /permissions/1"},
		{"repeat a wider one's permissions", "PATCH tokens/" + wide.id, `{"permissions":["counterfoil.members:write","devices:read","devices:write"]}`, "422 permission_not_held /permissions/0 /permissions/2"},
		{"prolong a wider one", "PATCH tokens/" + wide.id, `{"expires_at":"` + later + `"}`, "422 permission_not_held /expires_at"},
		{"take a filter off a wider one", "PATCH tokens/" + fenced.at("token.id"), `{"ip_filter":null}`, "422 permission_not_held /ip_filter"},
		{"resume a wider one", "PATCH tokens/" + fenced.at("token.id"), `{"paused":false}`, "422 permission_not_held"},
		{"narrow a wider one", "PATCH tokens/" + wide.id, `{"permissions":["devices:read"]}`, "200"},
		{"rotate itself", "POST tokens/" + narrow.id + "/rotate", `{"grace_seconds":3600}`, "200"},
		{"rotate itself by the value before", "POST tokens/" + narrow.id + "/rotate", ``, "403 missing_permission"},
		{"make another by the value before", "POST tokens", `{"kind":"personal","name":"x","permissions":["devices:read"]}`, "403 missing_permission"},
		{"show itself by the value before", "GET tokens/" + narrow.id, ``, "200"},
	} {
		expect(t, test.name, o.ask(t, narrow.secret, test.line, test.body), test.want)
	}
	writer := o.personal(t, o.owner, "counterfoil.tokens:write", "devices:read")
	strong := o.orgToken(t, "devices:read", "devices:write")
	for _, test := range []struct{ name, line, body, want string }{
		{"rotate a wider organization token", "POST tokens/" + strong.id + "/rotate", ``, "422 permission_not_held"},
		{"prolong it", "PATCH tokens/" + strong.id, `{"expires_at":"` + later + `"}`, "200"}, // from never to then is no longer life
		{"make it eternal", "PATCH tokens/" + strong.id, `{"expires_at":null}`, "422 permission_not_held /expires_at"},
		{"pause it", "PATCH tokens/" + strong.id, `{"paused":true}`, "200"},
		{"resume it", "PATCH tokens/" + strong.id, `{"paused":false}`, "422 permission_not_held"},
		{"revoke it", "DELETE tokens/" + strong.id, ``, "200"},
	} {
		expect(t, test.name, o.ask(t, writer.secret, test.line, test.body), test.want)
	}
	m := o.person(t, "operator")
	snapshot := o.personal(t, m.id, "devices:write")
	must(t, "the owner loses rights", o.ask(t, o.token, "PATCH members/"+m.id, `{"roles":["viewer"]}`), "200")
	expect(t, "an edit grants only what is held now", o.ask(t, m.token, "PATCH tokens/"+snapshot.id, `{"permissions":["devices:write"]}`), "422 permission_not_held /permissions/0")
}

// rolesBeyond: nobody hands on more than they hold by way of roles or members.
func rolesBeyond(t *testing.T, o *tenant) {
	hr := o.personal(t, o.owner, "counterfoil.members:read", "counterfoil.members:write", "devices:read", "sites:read")
	orgHR := o.orgToken(t, "counterfoil.members:write", "devices:read", "sites:read")
	own := must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"big","permissions":["devices:write"]}`), "201").at("id")
	m := o.person(t, "viewer")
	for name, token := range map[string]string{"a narrow personal token": hr.secret, "an organization token": orgHR.secret} {
		short := strings.ReplaceAll(strings.ToLower(name[strings.LastIndex(name, " a")+1:]), " ", "-")
		for _, test := range []struct{ name, line, body, want string }{
			{"a role within", "POST roles", `{"name":"` + short + `","permissions":["devices:read"]}`, "201"},
			{"a role beyond", "POST roles", `{"name":"x","permissions":["devices:read","devices:write"]}`, "422 permission_not_held /permissions/1"},
			{"widen a role", "PATCH roles/" + own, `{"permissions":["devices:write","devices:read"]}`, "422 permission_not_held /permissions/0"},
			{"a member with a role within", "POST members", `{"email":"` + short + `@` + o.slug + `.example","name":"A","roles":["viewer"]}`, "201"},
			{"a member with a role beyond", "POST members", `{"email":"b@x.example","name":"B","roles":["viewer","operator"]}`, "422 permission_not_held /roles/1"},
			{"an admin", "POST members", `{"email":"b@x.example","name":"B","roles":["admin"]}`, "422 permission_not_held /roles/0"},
			{"an owner", "POST members", `{"email":"b@x.example","name":"B","roles":["owner"]}`, "422 permission_not_held /roles/0"},
			{"promote a member", "PATCH members/" + m.id, `{"roles":["operator"]}`, "422 permission_not_held /roles/0"},
			{"promote a member to owner", "PATCH members/" + m.id, `{"roles":["owner"]}`, "422 permission_not_held /roles/0"},
			{"give an own role beyond", "PATCH members/" + m.id, `{"roles":["big"]}`, "422 permission_not_held /roles/0"},
		} {
			expect(t, name+": "+test.name, o.ask(t, token, test.line, test.body), test.want)
		}
	}
}

// adminAndOwner: an admin never acts on an owner, nor on an owner's tokens.
func adminAndOwner(t *testing.T, o *tenant) {
	admin, member := o.person(t, "admin"), o.person(t, "viewer")
	owners := o.personal(t, o.owner, "devices:read")
	orgAdmin := o.orgToken(t, "counterfoil.tokens:read", "counterfoil.tokens:write", "counterfoil.members:read", "counterfoil.members:write")
	for name, token := range map[string]string{"an admin": admin.token, "an organization token": orgAdmin.secret} {
		for _, test := range []struct{ line, body string }{
			{"PATCH members/" + o.owner, `{"roles":["viewer"]}`}, {"PATCH members/" + o.owner, `{"status":"suspended"}`}, {"DELETE members/" + o.owner, ``},
			{"PATCH tokens/" + owners.id, `{"paused":true}`}, {"PATCH tokens/" + owners.id, `{"name":"x"}`},
			{"POST tokens/" + owners.id + "/rotate", ``}, {"DELETE tokens/" + owners.id, ``},
		} {
			expect(t, name+": "+test.line+" "+test.body, o.ask(t, token, test.line, test.body), "403 missing_permission")
		}
	}
	expect(t, "an admin makes an owner", o.ask(t, admin.token, "PATCH members/"+member.id, `{"roles":["owner"]}`), "422 permission_not_held /roles/0")
	expect(t, "an admin makes themselves owner", o.ask(t, admin.token, "PATCH members/"+admin.id, `{"roles":["owner"]}`), "422 permission_not_held /roles/0")
	expect(t, "an admin makes an admin", o.ask(t, admin.token, "PATCH members/"+member.id, `{"roles":["admin"]}`), "200")
	expect(t, "an admin unmakes an admin", o.ask(t, admin.token, "PATCH members/"+member.id, `{"roles":["viewer"]}`), "200")
	for _, test := range []struct{ name, line, body, want string }{
		{"reads a member's token", "GET tokens/" + member.tokenID, ``, "200"},
		{"renames it", "PATCH tokens/" + member.tokenID, `{"name":"x"}`, "403 missing_permission"},
		{"widens it", "PATCH tokens/" + member.tokenID, `{"permissions":["devices:read"]}`, "403 missing_permission"},
		{"prolongs it", "PATCH tokens/" + member.tokenID, `{"expires_at":"2026-12-31T00:00:00Z"}`, "403 missing_permission"},
		{"rotates it", "POST tokens/" + member.tokenID + "/rotate", ``, "403 missing_permission"},
		{"pauses it", "PATCH tokens/" + member.tokenID, `{"paused":true}`, "200"},
		{"revokes it", "DELETE tokens/" + member.tokenID, ``, "200"},
	} {
		expect(t, "an admin "+test.name, o.ask(t, admin.token, test.line, test.body), test.want)
	}
	o.expectVerdict(t, "the owner's token after all that", owners.secret, "ok")
}

// organizationTokenRaise: an organization token does not raise itself or its like.
func organizationTokenRaise(t *testing.T, o *tenant) {
	writer := o.orgToken(t, "counterfoil.tokens:write", "devices:read")
	for _, test := range []struct{ name, line, body, want string }{
		{"itself", "PATCH tokens/" + writer.id, `{"permissions":["counterfoil.tokens:write","devices:read","devices:write"]}`, "422 permission_not_held /permissions/2"},
		{"another", "POST tokens", `{"kind":"organization","name":"x","permissions":["devices:write"]}`, "422 permission_not_held /permissions/0"},
		{"its policy", "PUT policies/organization", `{"allowed":true}`, "403 missing_permission"},
		{"its filter", "POST ip-filters", `{"name":"x","rules":"allow all"}`, "403 missing_permission"},
		{"a system token", "POST /v1/system/tokens", `{"name":"x"}`, "403 missing_permission"},
		{"organizations", "POST /v1/organizations", `{"name":"x"}`, "403 missing_permission"},
		{"the catalogue", "PUT /v1/catalogue", `{"source":""}`, "403 missing_permission"},
		{"an owner named", "POST tokens", `{"kind":"personal","name":"x","owner":"` + o.owner + `","permissions":["devices:read"]}`, "422 validation_failed /owner"},
	} {
		a := o.ask(t, writer.secret, test.line, test.body)
		if test.name == "an owner named" && a.String() == "422 validation_failed /kind /owner" {
			continue
		}
		expect(t, test.name, a, test.want)
	}
}

// massAssignment: members that no form shows are refused, not ignored.
func massAssignment(t *testing.T, o *tenant) {
	token := o.orgToken(t)
	filter := officeFilter(t, o)
	role := must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"own","permissions":[]}`), "201").at("id")
	for _, test := range []struct{ line, head, members string }{
		{"POST tokens", `{"kind":"organization","name":"x",`, "id created_at created_by renewed_at status secret hint organization_id effective_permissions last_used paused revoked_at previous_valid_until digest key_id"},
		{"PATCH tokens/" + token.id, `{"name":"x",`, "id kind owner created_at created_by renewed_at status secret hint organization_id integration effective_permissions last_used revoked_at held previous_valid_until expires_in"},
		{"POST members", `{"email":"m@x.example","name":"M","roles":[],`, "id user_id status created_at permissions organization_id"},
		{"PATCH members/" + o.owner, `{"status":"active",`, "id user_id email name external_id created_at permissions"},
		{"POST roles", `{"name":"y","permissions":[],`, "id source version organization_id"},
		{"PATCH roles/" + role, `{"permissions":[],`, "id name source version"},
		{"POST ip-filters", `{"name":"y","rules":"allow all",`, "id created_at updated_at organization_id version"},
		{"PATCH ip-filters/" + filter, `{"name":"y",`, "id created_at updated_at organization_id version"},
		{"PUT policies/organization", `{"allowed":true,`, "organization_id version id"},
		{"PATCH /v1/organizations/" + o.id, `{"name":"y",`, "id slug created_at provider owner"},
	} {
		for member := range strings.FieldsSeq(test.members) {
			a := o.ask(t, o.token, test.line, test.head+fmt.Sprintf(`%q:"x"}`, member))
			expect(t, test.line, a, "422 validation_failed /"+member)
		}
	}
	a := o.ask(t, o.SystemToken, "POST /v1/organizations", `{"name":"x","id":"org_x","status":"active","created_at":"2020-01-01T00:00:00Z"}`)
	expect(t, "POST /v1/organizations", a, "422 validation_failed /created_at /id /status")
}

// systemTokens: one makes another with no more than it has, and the narrow ones do no more than they hold.
func systemTokens(t *testing.T, o *tenant) {
	maker := o.systemToken(t, "counterfoil.tokens:read", "counterfoil.tokens:write", "devices:read")
	strong := o.systemToken(t, "counterfoil.policies:write")
	gateway := o.systemToken(t, "counterfoil.tokens:verify")
	later := o.now().AddDate(0, 6, 0).UTC().Format("2006-01-02T15:04:05Z")
	for _, test := range []struct{ name, token, line, body, want string }{
		{"another with as much", maker.secret, "POST /v1/system/tokens", `{"name":"x","permissions":["devices:read","counterfoil.tokens:write"]}`, "201"},
		{"another with more", maker.secret, "POST /v1/system/tokens", `{"name":"x","permissions":["devices:read","devices:write"]}`, "422 permission_not_held /permissions/1"},
		{"widen itself", maker.secret, "PATCH /v1/system/tokens/" + maker.id, `{"permissions":["devices:write"]}`, "422 permission_not_held /permissions/0"},
		{"rotate a stronger one", maker.secret, "POST /v1/system/tokens/" + strong.id + "/rotate", ``, "422 permission_not_held"},
		{"give a stronger one an end", maker.secret, "PATCH /v1/system/tokens/" + strong.id, `{"expires_at":"` + later + `"}`, "200"},
		{"make a stronger one eternal again", maker.secret, "PATCH /v1/system/tokens/" + strong.id, `{"expires_at":null}`, "422 permission_not_held /expires_at"},
		{"pause a stronger one", maker.secret, "PATCH /v1/system/tokens/" + strong.id, `{"paused":true}`, "200"},
		{"resume a stronger one", maker.secret, "PATCH /v1/system/tokens/" + strong.id, `{"paused":false}`, "422 permission_not_held"},
		{"a gateway makes a system token", gateway.secret, "POST /v1/system/tokens", `{"name":"x"}`, "403 missing_permission"},
		{"a gateway makes an owner's token", gateway.secret, "POST tokens", `{"kind":"personal","name":"x","owner":"` + o.owner + `","permissions":["devices:write"]}`, "403 missing_permission"},
		{"a gateway makes an organization token", gateway.secret, "POST tokens", `{"kind":"organization","name":"x"}`, "403 missing_permission"},
		{"a gateway lists tokens", gateway.secret, "GET tokens", ``, "403 missing_permission"},
		{"a gateway reads an organization", gateway.secret, "GET /v1/organizations/" + o.id, ``, "403 missing_permission"},
		{"the instance makes an owner's token", o.SystemToken, "POST tokens", `{"kind":"personal","name":"x","owner":"` + o.owner + `","permissions":["devices:write"]}`, "201"},
		{"with more than the owner holds", o.SystemToken, "POST tokens", `{"kind":"personal","name":"x","owner":"` + o.person(t, "viewer").id + `","permissions":["devices:write"]}`, "422 permission_not_held /permissions/0"},
		{"a system token for a product's permission", o.SystemToken, "POST /v1/system/tokens", `{"name":"x","permissions":["sites:write","counterfoil.console_sessions:write"]}`, "201"},
		{"an unknown permission", o.SystemToken, "POST /v1/system/tokens", `{"name":"x","permissions":["devices:fly"]}`, "422 validation_failed /permissions/0"},
	} {
		expect(t, test.name, o.ask(t, test.token, test.line, test.body), test.want)
	}
}

// pausedByAdmin: what an admin has paused its member does not resume; what the member has paused they do.
func pausedByAdmin(t *testing.T, o *tenant) {
	m := o.person(t, "operator")
	mine := o.personal(t, m.id, "devices:read")
	path := "PATCH tokens/" + mine.id
	for _, step := range []struct{ name, token, body, want, verdict string }{
		{"the member pauses", m.token, `{"paused":true}`, "200", "token_paused"},
		{"the member resumes", m.token, `{"paused":false}`, "200", "ok"},
		{"the admin pauses", o.token, `{"paused":true}`, "200", "token_paused"},
		{"the member resumes what the admin paused", m.token, `{"paused":false}`, "403 missing_permission", "token_paused"},
		{"the member pauses it too", m.token, `{"paused":true}`, "200", "token_paused"},
		{"and resumes", m.token, `{"paused":false}`, "403 missing_permission", "token_paused"},
		{"the member's edit does not resume", m.token, `{"name":"renamed"}`, "200", "token_paused"},
		{"the admin resumes", o.token, `{"paused":false}`, "200", "ok"},
		{"the member pauses, then the admin", m.token, `{"paused":true}`, "200", "token_paused"},
		{"the admin on top", o.token, `{"paused":true}`, "200", "token_paused"},
		{"the member resumes", m.token, `{"paused":false}`, "403 missing_permission", "token_paused"},
	} {
		expect(t, step.name, o.ask(t, step.token, path, step.body), step.want)
		o.expectVerdict(t, step.name, mine.secret, step.verdict)
	}
	a := must(t, "rotation of a paused token", o.ask(t, m.token, "POST tokens/"+mine.id+"/rotate", ""), "200")
	o.expectVerdict(t, "rotation does not resume", a.at("secret"), "token_paused")
}
