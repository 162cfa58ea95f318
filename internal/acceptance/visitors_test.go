package acceptance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// technician is a member of a provider with the role, whose token holds all that such a token can.
func (o *tenant) technician(t *testing.T, organizations ...string) person {
	t.Helper()
	m, _ := o.org.Member(t, counterfoil.RoleTechnician)
	token := o.personal(t, m.ID, technicians()...)
	p := person{m.ID, m.Email, token.secret, token.id}
	o.assign(t, p, "200", organizations...)
	return p
}

// technicians is what a technician's token can hold of the service's own permissions and of the product's.
func technicians() []string {
	never := []string{"counterfoil.exports:read", "counterfoil.exports:write", "counterfoil.organizations:write", "counterfoil.activity:write", "counterfoil.usage:read", "counterfoil.provider_keys:write"}
	names := []string{"devices:read", "devices:write", "sites:read"}
	for _, name := range ownPermissions() {
		if !slices.Contains(never, name) {
			names = append(names, name)
		}
	}
	return names
}

func (o *tenant) assign(t *testing.T, p person, want string, organizations ...string) answer {
	t.Helper()
	list, _ := json.Marshal(append([]string{}, organizations...))
	a := o.ask(t, o.token, "PUT members/"+p.id+"/assignments", `{"organizations":`+string(list)+`}`)
	expect(t, "assign", a, want)
	return a
}

// M7, M8: a provider's people act in the organizations that it manages, each as far as their role goes, and nowhere else.
func providersPeople(t *testing.T, o *tenant) {
	p := o.provider(t)
	a, b := p.customer(t, `{"name":"Alpha"}`), p.customer(t, `{"name":"Beta"}`)
	owner := must(t, "the first owner", o.ask(t, p.token, "POST /v1/organizations/"+a+"/members", `{"email":"`+p.slug+`@alpha.example","name":"A","roles":["owner"]}`), "201").at("id")
	admin, tech, plain := p.person(t, "admin"), p.technician(t, a), p.person(t, "member")
	in, there := "/v1/organizations/"+a, "/v1/organizations/"+b
	slug := must(t, "slug", o.world.ask(t, p.token, "GET "+in, ""), "200").at("slug")
	for _, test := range []struct{ name, token, line, body, want string }{
		{"an owner reads", p.token, "GET " + in, "", "200"},
		{"an admin reads", admin.token, "GET " + there, "", "200"},
		{"a technician reads", tech.token, "GET " + in, "", "200"},
		{"by the slug", tech.token, "GET /v1/organizations/" + slug + "/members", "", "200"},
		{"a technician elsewhere", tech.token, "GET " + there, "", "404 not_found"},
		{"a technician's members elsewhere", tech.token, "GET " + there + "/members", "", "404 not_found"},
		{"a technician's route of system tokens elsewhere", tech.token, "POST " + there + "/console-sessions", `{"member":"mem_x"}`, "404 not_found"},
		{"a member of no such role", plain.token, "GET " + in, "", "404 not_found"},
		{"one that is not managed", admin.token, "GET /v1/organizations/" + o.id, "", "404 not_found"},
		{"an organization token of the provider", p.orgToken(t, ownPermissions()...).secret, "GET " + in, "", "404 not_found"},
		{"an owner of another", o.token, "GET " + in, "", "404 not_found"},

		{"an admin of the provider makes an owner while none is active", admin.token, "POST " + in + "/members", `{"email":"x` + p.slug + `@alpha.example","name":"X","roles":["owner"]}`, "201"},
		{"a technician does not", tech.token, "POST " + in + "/members", `{"email":"y@alpha.example","name":"Y","roles":["owner"]}`, "422 permission_not_held /roles/0"},
		{"the owner joins", o.SystemToken, "PATCH " + in + "/members/" + owner, `{"status":"active"}`, "200"},
		{"then an admin of the provider makes none", admin.token, "POST " + in + "/members", `{"email":"z@alpha.example","name":"Z","roles":["owner"]}`, "422 permission_not_held /roles/0"},
		{"nor acts on one", admin.token, "PATCH " + in + "/members/" + owner, `{"status":"suspended"}`, "403 missing_permission"},
		{"an owner of the provider neither", p.token, "DELETE " + in + "/members/" + owner, "", "403 missing_permission"},
		{"the last owner is kept from its key as well", p.newKey(t, "EdDSA").jwt(t), "DELETE " + in + "/members/" + owner, "", "409 last_owner"},

		{"a technician adds a member", tech.token, "POST " + in + "/members", `{"email":"m` + p.slug + `@alpha.example","name":"M","roles":["member"]}`, "201"},
		{"an organization token", tech.token, "POST " + in + "/tokens", `{"kind":"organization","name":"x","permissions":["devices:write"]}`, "201"},
		{"a filter", tech.token, "POST " + in + "/ip-filters", `{"name":"x","rules":"allow all"}`, "201"},
		{"a policy", tech.token, "PUT " + in + "/policies/personal", `{"allowed":true,"custom_ip_filter_allowed":false}`, "200"},
		{"the log", tech.token, "GET " + in + "/events", "", "200"},
		{"an admin makes an admin there", admin.token, "POST " + in + "/members", `{"email":"adm` + p.slug + `@alpha.example","name":"M","roles":["admin"]}`, "201"},
		{"a personal token", admin.token, "POST " + in + "/tokens", `{"kind":"personal","name":"x"}`, "422 validation_failed /kind /owner"},
		{"the product's events", admin.token, "POST " + in + "/events", `{"events":[{"type":"devices","action":"x"}]}`, "403 missing_permission"},
		{"the plan", admin.token, "PATCH " + in, `{"plan":"enterprise"}`, "200"},
		{"suspended", admin.token, "PATCH " + in, `{"status":"suspended"}`, "200"},
		{"read while suspended", tech.token, "GET " + in + "/members", "", "200"},
		{"reactivated", p.token, "PATCH " + in, `{"status":"active"}`, "200"},
		{"who manages it", p.token, "PATCH " + in, `{"managed_by":""}`, "403 missing_permission"},
	} {
		expect(t, test.name, o.world.ask(t, test.token, test.line, test.body), test.want)
	}
	visibleInBothLogs(t, p, a, tech)
	expect(t, "the token of a provider's person is not the customer's", o.world.ask(t, o.customersToken(t, a), "POST /v1/verify", question(tech.token)), "200 invalid_token")
	o.expectVerdict(t, "what they hold elsewhere opens nothing of the product", tech.token, "missing_permission", "permission", "devices:write")
	expect(t, "delete, as a technician", o.world.ask(t, tech.token, "DELETE "+in, ""), "403 missing_permission")
	expect(t, "delete", o.world.ask(t, admin.token, "DELETE "+in, ""), "204")
	if got := must(t, "assigned", p.ask(t, p.token, "GET members/"+tech.id+"/assignments", ""), "200").at("organizations"); got != "[]" {
		t.Errorf("after the end of the organization it is still assigned: %s", got)
	}
}

// customersToken is an organization's own token that may check.
func (w *world) customersToken(t *testing.T, org string) string {
	t.Helper()
	return must(t, "a token", w.ask(t, w.SystemToken, "POST /v1/organizations/"+org+"/tokens", `{"kind":"organization","name":"gate","permissions":["counterfoil.tokens:verify"]}`), "201").at("secret")
}

// visibleInBothLogs: N9's words in the customer's log, and where it happened in the provider's.
func visibleInBothLogs(t *testing.T, p *tenant, customer string, tech person) {
	t.Helper()
	find := func(org, action string) (event struct {
		Actor    counterfoil.Actor
		User     counterfoil.EventUser
		Target   counterfoil.Target
		Metadata map[string]any
	}) {
		t.Helper()
		page := must(t, "events", p.world.ask(t, p.SystemToken, "GET /v1/organizations/"+org+"/events?limit=200", ""), "200")
		var events struct{ Data []json.RawMessage }
		if err := json.Unmarshal(page.body, &events); err != nil {
			t.Fatal(err)
		}
		for _, raw := range events.Data {
			event.Metadata = nil
			if err := json.Unmarshal(raw, &event); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), `"action":"`+action+`"`) && event.Actor.ID == tech.id {
				return event
			}
		}
		t.Errorf("the log of %s has no %s by the technician", org, action)
		return event
	}
	for _, action := range []string{"token_created", "user_invited", "ip_filter_created", "policy_updated"} {
		theirs, ours := find(customer, action), find(p.id, action)
		msp, _ := theirs.Metadata["msp"].(map[string]any)
		if msp["user_email"] != tech.email || msp["user_uuid"] != theirs.User.UUID || theirs.User.Email != tech.email || theirs.Actor.TokenID != tech.tokenID || theirs.Actor.ID != tech.id {
			t.Errorf("%s in the customer's log: %+v", action, theirs)
		}
		where, _ := ours.Metadata["organization"].(map[string]any)
		if where["id"] != customer || ours.Metadata["msp"] != nil || ours.User != theirs.User || ours.Target != theirs.Target {
			t.Errorf("%s in the provider's log: %+v", action, ours)
		}
	}
	for action, want := range map[string]int{"organization_suspended": 1, "license_changed": 1} {
		log := p.world.ask(t, p.SystemToken, "GET /v1/organizations/"+p.id+"/events?limit=200", "").text()
		if n := strings.Count(log, `"`+action+`"`); n != want {
			t.Errorf("the provider's log has %s %d times, want %d", action, n, want)
		}
	}
}

// Assignments: who may say them, what they are, and that what narrows them has a receipt and holds at once.
func assignments(t *testing.T, o *tenant) {
	p, rival := o.provider(t), o.provider(t)
	a, b, foreign := p.customer(t, `{"name":"Alpha"}`), p.customer(t, `{"name":"Beta"}`), rival.customer(t, `{"name":"Gamma"}`)
	tech := p.technician(t)
	list := func() string { return p.ask(t, tech.token, "GET /v1/provider/organizations", "").names() }
	reads := func(name, org, want string) {
		t.Helper()
		expect(t, name, o.world.ask(t, tech.token, "GET /v1/organizations/"+org+"/members", ""), want)
	}
	reads("nothing yet", a, "404 not_found")
	if got := list(); got != "" {
		t.Errorf("without an assignment the list is %s", got)
	}
	p.assign(t, tech, "422 validation_failed /organizations/1", a, foreign)
	p.assign(t, tech, "422 validation_failed /organizations/0", "alpha")
	both := p.assign(t, tech, "200", b, a, b)
	if got := both.at("organizations"); got != fmt.Sprintf("[%q,%q]", a, b) {
		t.Errorf("assigned are %s", got)
	}
	if got := list(); got != "Alpha Beta" {
		t.Errorf("the list is %s", got)
	}
	reads("one of two", b, "200")
	less := p.assign(t, tech, "200", a)
	if !strings.Contains(less.header.Get("Counterfoil-Receipt"), "; complete;") {
		t.Errorf("taking one away has the receipt %q", less.header.Get("Counterfoil-Receipt"))
	}
	reads("the one that is left", a, "200")
	reads("the one that was taken away", b, "404 not_found")
	for q, want := range map[string]string{"?assigned_to=" + tech.id: "Alpha", "?q=beta": ""} {
		if got := p.ask(t, tech.token, "GET /v1/provider/organizations"+q, "").names(); got != want {
			t.Errorf("%s lists %q, want %q", q, got, want)
		}
	}
	if got := p.ask(t, p.token, "GET /v1/provider/organizations?assigned_to="+tech.id, "").names(); got != "Alpha" {
		t.Errorf("an owner who asks what is assigned gets %s", got)
	}
	if got := p.ask(t, tech.token, "GET /v1/organizations", "").names(); got != "Alpha" {
		t.Errorf("the other list is %s", got)
	}
	stops(t, p, rival, a, tech, reads)
	expect(t, "no provider", o.ask(t, o.token, "PUT members/"+o.owner+"/assignments", `{"organizations":[]}`), "403 missing_permission")
	expect(t, "another provider's member", rival.ask(t, rival.token, "PUT members/"+tech.id+"/assignments", `{"organizations":[]}`), "404 not_found")
}

// stops: every way in which a technician's reach ends holds from its answer on.
func stops(t *testing.T, p, rival *tenant, a string, tech person, reads func(name, org, want string)) {
	t.Helper()
	change := func(name, line, body string) {
		t.Helper()
		must(t, name, p.ask(t, p.SystemToken, line, body), "200")
	}
	in, member := "/v1/organizations/"+a, "/v1/organizations/"+p.id+"/members/"+tech.id
	change("the role is taken", "PATCH "+member, `{"roles":["member"]}`)
	reads("without the role", a, "404 not_found")
	change("the role is given back", "PATCH "+member, `{"roles":["technician"]}`)
	reads("with the role again", a, "200")
	change("the person is suspended", "PATCH "+member, `{"status":"suspended"}`)
	reads("suspended", a, "403 owner_inactive")
	change("the person is back", "PATCH "+member, `{"status":"active"}`)
	reads("back", a, "200")
	change("the provider is suspended", "PATCH /v1/organizations/"+p.id, `{"status":"suspended"}`)
	reads("of a suspended provider", a, "403 organization_suspended")
	change("the provider is back", "PATCH /v1/organizations/"+p.id, `{"status":"active"}`)
	change("the policy stops personal tokens", "PUT /v1/organizations/"+p.id+"/policies/personal", `{"allowed":false}`)
	reads("of a provider without personal tokens", a, "403 kind_disabled")
	change("the policy is lifted", "PUT /v1/organizations/"+p.id+"/policies/personal", `{"allowed":true}`)
	change("it moves", "PATCH "+in, fmt.Sprintf(`{"managed_by":%q}`, rival.id))
	reads("moved", a, "404 not_found")
	change("it moves back", "PATCH "+in, fmt.Sprintf(`{"managed_by":%q}`, p.id))
	reads("moved back, and not assigned again", a, "404 not_found")
	p.assign(t, tech, "200", a)
	reads("assigned again", a, "200")
	must(t, "the person is removed", p.ask(t, p.token, "DELETE members/"+tech.id, ""), "204")
	reads("removed", a, "401 token_revoked")
}

// technicianRaise: a technician does not reach beyond what they were assigned to, and hands on no more than they hold (S7).
func technicianRaise(t *testing.T, o *tenant) {
	p := o.provider(t)
	a, b := p.customer(t, `{"name":"Alpha"}`), p.customer(t, `{"name":"Beta"}`)
	must(t, "an owner", o.world.ask(t, p.token, "POST /v1/organizations/"+a+"/members", `{"email":"own`+p.slug+`@alpha.example","name":"A","roles":["owner"]}`), "201")
	tech := p.technician(t, a)
	colleague := p.technician(t, b)
	in, there := "/v1/organizations/"+a, "/v1/organizations/"+b
	integration := must(t, "an integration token", o.world.ask(t, p.token, "POST "+in+"/tokens", `{"kind":"integration","name":"siem","integration":"custom"}`), "201").at("token.id")
	foreign := must(t, "a token elsewhere", o.world.ask(t, p.token, "POST "+there+"/tokens", `{"kind":"organization","name":"x"}`), "201")
	narrow := p.personal(t, tech.id, "counterfoil.organizations:read", "counterfoil.members:read")
	home := "/v1/organizations/" + p.id
	for _, test := range []struct{ name, token, line, body, want string }{
		{"assigns themself", tech.token, "PUT " + home + "/members/" + tech.id + "/assignments", `{"organizations":["` + b + `"]}`, "403 missing_permission"},
		{"reads assignments", tech.token, "GET " + home + "/members/" + tech.id + "/assignments", "", "403 missing_permission"},
		{"makes themself admin", tech.token, "PATCH " + home + "/members/" + tech.id, `{"roles":["admin"]}`, "403 missing_permission"},
		{"lists the provider's members", tech.token, "GET " + home + "/members", "", "403 missing_permission"},
		{"lists the provider's tokens", tech.token, "GET " + home + "/tokens?kind=organization", "", "200"}, // their own, of which none is
		{"makes a token of the provider", tech.token, "POST " + home + "/tokens", `{"kind":"organization","name":"x"}`, "403 missing_permission"},
		{"makes a customer", tech.token, "POST /v1/provider/organizations", `{"name":"x"}`, "403 missing_permission"},
		{"makes a customer the other way", tech.token, "POST /v1/organizations", `{"name":"x"}`, "403 missing_permission"},
		{"reads usage by month", tech.token, "GET /v1/provider/usage/monthly", "", "403 missing_permission"},
		{"reads usage by day", tech.token, "GET /v1/provider/usage/daily?organization=" + a, "", "403 missing_permission"},
		{"lists keys", tech.token, "GET /v1/provider/keys", "", "403 missing_permission"},
		{"makes a key", tech.token, "POST /v1/provider/keys", `{"name":"x"}`, "403 missing_permission"},

		{"renames the customer", tech.token, "PATCH " + in, `{"name":"x"}`, "403 missing_permission"},
		{"changes its plan", tech.token, "PATCH " + in, `{"plan":"teams"}`, "403 missing_permission"},
		{"makes an admin of it", tech.token, "POST " + in + "/members", `{"email":"x@x.example","name":"X","roles":["admin"]}`, "422 permission_not_held /roles/0"},
		{"makes a technician of it", tech.token, "POST " + in + "/members", `{"email":"x@x.example","name":"X","roles":["technician"]}`, "422 validation_failed /roles/0"},
		{"a role that reads usage", tech.token, "POST " + in + "/roles", `{"name":"x","permissions":["counterfoil.usage:read"]}`, "422 permission_not_held /permissions/0"},
		{"a token that writes exports", tech.token, "POST " + in + "/tokens", `{"kind":"organization","name":"x","permissions":["counterfoil.exports:write"]}`, "422 permission_not_held /permissions/0"},
		{"an integration token", tech.token, "POST " + in + "/tokens", `{"kind":"integration","name":"x","integration":"custom"}`, "403 missing_permission"},
		{"rotates one", tech.token, "POST " + in + "/tokens/" + integration + "/rotate", "", "403 missing_permission"},
		{"revokes one", tech.token, "DELETE " + in + "/tokens/" + integration, "", "403 missing_permission"},
		{"the export", tech.token, "GET " + in + "/exports/splunk", "", "403 missing_permission"},
		{"webhooks", tech.token, "GET " + in + "/webhooks", "", "403 missing_permission"},
		{"for how long the log is kept", tech.token, "PUT " + in + "/retention", `{"days":0}`, "403 missing_permission"},
		{"another's token by the wrong path", tech.token, "GET " + in + "/tokens/" + foreign.at("token.id"), "", "404 not_found"},

		{"a narrow token makes a wider one", narrow.secret, "POST " + home + "/tokens", `{"kind":"personal","name":"x","permissions":["counterfoil.members:write"]}`, "422 permission_not_held /permissions/0"},
		{"a narrow token makes one as narrow", narrow.secret, "POST " + home + "/tokens", `{"kind":"personal","name":"x","permissions":["counterfoil.members:read"]}`, "201"},
		{"a narrow token rotates a wider one", narrow.secret, "POST " + home + "/tokens/" + tech.tokenID + "/rotate", "", "422 permission_not_held"},
		{"a narrow token adds a member", narrow.secret, "POST " + in + "/members", `{"email":"x@x.example","name":"X","roles":[]}`, "403 missing_permission"},
		{"a narrow token reads members", narrow.secret, "GET " + in + "/members", "", "200"},
		{"a token with what no technician holds", tech.token, "POST " + home + "/tokens", `{"kind":"personal","name":"x","permissions":["counterfoil.exports:write"]}`, "422 permission_not_held /permissions/0"},
	} {
		expect(t, test.name, o.world.ask(t, test.token, test.line, test.body), test.want)
	}
	hr := p.personal(t, p.roleHolder(t, "hr", "counterfoil.members:read", "counterfoil.members:write", "counterfoil.organizations:read"), "counterfoil.members:read", "counterfoil.members:write", "counterfoil.organizations:read")
	for _, test := range []struct{ name, line, body, want string }{
		{"who may not make an admin makes a technician", "POST members", `{"email":"x@x.example","name":"X","roles":["technician"]}`, "422 permission_not_held /roles/0"},
		{"promotes to technician", "PATCH members/" + p.person(t, "member").id, `{"roles":["technician"]}`, "422 permission_not_held /roles/0"},
		{"assigns", "PUT members/" + colleague.id + "/assignments", `{"organizations":["` + a + `"]}`, "403 missing_permission"},
		{"reads assignments", "GET members/" + colleague.id + "/assignments", "", "200"},
	} {
		expect(t, test.name, p.ask(t, hr.secret, test.line, test.body), test.want)
	}
	unseen := o.world.ask(t, tech.token, "GET "+there, "")
	nowhere := o.world.ask(t, tech.token, "GET /v1/organizations/org_nowhere", "")
	if hide := func(a answer) string { return strings.ReplaceAll(a.text(), a.at("request_id"), "") }; hide(unseen) != hide(nowhere) {
		t.Errorf("what is not assigned and what is not there differ:\n%s\n%s", unseen.text(), nowhere.text())
	}
}

// roleHolder is a member with a role of these permissions.
func (o *tenant) roleHolder(t *testing.T, role string, permissions ...string) string {
	t.Helper()
	list, _ := json.Marshal(permissions)
	must(t, "role", o.ask(t, o.SystemToken, "POST roles", fmt.Sprintf(`{"name":%q,"permissions":%s}`, role, list)), "201")
	return o.person(t, role).id
}
