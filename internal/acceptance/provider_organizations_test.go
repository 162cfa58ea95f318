package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// M7 over the API: what a provider does with the organizations that it manages, and what others cannot.
func managedOrganizations(t *testing.T, o *tenant) {
	p, rival := o.provider(t), o.provider(t)
	s := p.newKey(t, "EdDSA")
	a := must(t, "create", p.ask(t, s.jwt(t), "POST /v1/provider/organizations", `{"name":"Customer One","license":"trial","plan":"business"}`), "201")
	id := a.at("id")
	for member, want := range map[string]string{"managed_by": p.id, "license": "trial", "plan": "business", "status": "active", "provider": "false", "seats.active": "0"} {
		expectAt(t, "a new customer", a, member, want)
	}
	ends, err := time.Parse(time.RFC3339, a.at("trial_ends_at"))
	if days := time.Until(ends).Hours() / 24; err != nil || days < 13.9 || days > 14.1 {
		t.Errorf("the trial ends at %s (%v)", a.at("trial_ends_at"), err)
	}
	nfr := p.customer(t, `{"name":"Our own","license":"nfr"}`)
	in := "/v1/organizations/" + id
	for _, test := range []struct{ name, token, line, body, want string }{
		{"a second NFR", p.token, "POST /v1/provider/organizations", `{"name":"x","license":"nfr"}`, "422 policy_violation /license"},
		{"one that becomes NFR", "jwt", "PATCH " + in, `{"license":"nfr"}`, "422 policy_violation /license"},
		{"one that becomes standard", "jwt", "PATCH " + in, `{"license":"standard"}`, "200"},
		{"a second trial", "jwt", "PATCH " + in, `{"license":"trial"}`, "422 validation_failed /license"},
		{"a second trial, by the operator", p.SystemToken, "PATCH " + in, `{"license":"trial"}`, "200"},
		{"an unknown plan", "jwt", "PATCH " + in, `{"plan":"gold"}`, "422 validation_failed /plan"},
		{"rename and raise", "jwt", "PATCH " + in, `{"name":"Customer 1","plan":"enterprise"}`, "200"},
		{"who manages it", "jwt", "PATCH " + in, `{"managed_by":""}`, "403 missing_permission"},
		{"suspend", "jwt", "PATCH " + in, `{"status":"suspended"}`, "200"},
		{"read while suspended", "jwt", "GET " + in, "", "200"},
		{"reactivate", "jwt", "PATCH " + in, `{"status":"active"}`, "200"},
		{"by its slug", "jwt", "GET /v1/organizations/customer-one", "", "200"},
		{"add a member", "jwt", "POST " + in + "/members", `{"email":"a@customer.example","name":"A","roles":["owner"]}`, "201"},
		{"make a token", "jwt", "POST " + in + "/tokens", `{"kind":"organization","name":"x","permissions":["devices:read"]}`, "201"},
		{"read its log", "jwt", "GET " + in + "/events", "", "200"},
		{"set a policy", "jwt", "PUT " + in + "/policies/personal", `{"allowed":true}`, "200"},
		{"its own organization", "jwt", "GET /v1/organizations/" + p.id, "", "404 not_found"},
		{"current", "jwt", "GET /v1/organizations/current", "", "404 not_found"},
		{"one that it does not manage", "jwt", "GET /v1/organizations/" + o.id, "", "404 not_found"},
		{"another provider's", rival.newKey(t, "EdDSA").jwt(t), "GET " + in, "", "404 not_found"},
		{"an organization token of the provider", p.orgToken(t, ownPermissions()...).secret, "GET " + in, "", "404 not_found"},
		{"system tokens", "jwt", "GET /v1/system/tokens", "", "403 missing_permission"},
		{"a personal token", "jwt", "POST " + in + "/tokens", `{"kind":"personal","name":"x"}`, "422 validation_failed /kind /owner"},
		{"a provider that is managed", "jwt", "POST /v1/organizations", `{"name":"x","provider":true}`, "422 validation_failed /provider"},
		{"the other way to make one", "jwt", "POST /v1/organizations", `{"name":"Customer Two"}`, "201"},
		{"named by the wrong provider", p.token, "GET /v1/provider/organizations?provider=" + rival.id, "", "404 not_found"},
		{"delete the provider", p.SystemToken, "DELETE /v1/organizations/" + p.id, "", "409 in_use"},
	} {
		if test.token == "jwt" {
			test.token = s.jwt(t)
		}
		expect(t, test.name, p.ask(t, test.token, test.line, test.body), test.want)
	}
	list := must(t, "list", p.ask(t, s.jwt(t), "GET /v1/provider/organizations", ""), "200")
	if got := list.names(); got != "Customer 1 Our own Customer Two" || list.at("data.0.seats.pending") != "1" {
		t.Errorf("the list is %s", list.text())
	}
	if got := p.ask(t, s.jwt(t), "GET /v1/organizations?limit=1", "").names(); got != "Customer 1" {
		t.Errorf("the other list is %s", got)
	}
	if got := p.ask(t, p.token, "GET /v1/provider/organizations?q=OUR%20own&status=active", "").names(); got != "Our own" {
		t.Errorf("a search finds %s", got)
	}
	expect(t, "delete", p.ask(t, s.jwt(t), "DELETE /v1/organizations/"+nfr, ""), "204")
	expect(t, "deleted", p.ask(t, s.jwt(t), "GET /v1/organizations/"+nfr, ""), "404 not_found")
	again := p.customer(t, `{"name":"Our own again","license":"nfr"}`)
	expect(t, "move", p.ask(t, p.SystemToken, "PATCH /v1/organizations/"+again, fmt.Sprintf(`{"managed_by":%q}`, rival.id)), "200")
	expect(t, "moved away", p.ask(t, s.jwt(t), "GET /v1/organizations/"+again, ""), "404 not_found")
	if got := rival.ask(t, rival.token, "GET /v1/provider/organizations", "").names(); got != "Our own again" {
		t.Errorf("the rival has %s", got)
	}
	theirs := o.world.ask(t, o.SystemToken, "GET "+in+"/events", "").text()
	ours := p.ask(t, p.token, "GET events", "").text()
	for _, part := range []string{`"kind":"provider"`, s.id, "organization_suspended", "organization_reactivated"} {
		if !strings.Contains(theirs, part) || !strings.Contains(ours, part) {
			t.Errorf("a log lacks %s: the customer's has it %t, the provider's %t", part, strings.Contains(theirs, part), strings.Contains(ours, part))
		}
	}
	for _, part := range []string{"license_changed", "organization_moved", "organization_deleted"} {
		if !strings.Contains(ours, part) {
			t.Errorf("the provider's log lacks %s", part)
		}
	}
}

// M5: a trial is 14 days, then standard by itself, which both logs say.
func TestTrialConverts(t *testing.T) {
	for name, database := range map[string]string{"PostgreSQL": postgrestest.NewDatabase(t), "SQLite": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trialConverts(t, newWorld(t, database))
		})
	}
}

func trialConverts(t *testing.T, o *world) {
	p := o.provider(t)
	id := p.customer(t, `{"name":"On trial","license":"trial"}`)
	system := o.systemToken(t, allPermissions()...).secret
	read := func() string { return o.ask(t, system, "GET /v1/organizations/"+id, "").at("license") }
	o.advance(14*24*time.Hour - time.Minute)
	if got := read(); got != "trial" {
		t.Errorf("a minute before its end it is %s", got)
	}
	o.advance(time.Minute)
	if got := read(); got != "standard" {
		t.Errorf("at its end it is %s", got)
	}
	eventually(t, "the event", func() bool {
		return strings.Contains(o.ask(t, system, "GET /v1/organizations/"+id+"/events", "").text(), "trial_converted") &&
			strings.Contains(o.ask(t, system, "GET /v1/organizations/"+p.id+"/events", "").text(), "trial_converted")
	})
}

// M2: a jti is remembered across a restart.
func TestJTISurvivesRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	p := w.provider(t)
	s := p.newKey(t, "EdDSA")
	token := s.jwt(t)
	expect(t, "once", p.ask(t, token, "GET /v1/provider/keys", ""), "200")
	w.Restart()
	a := p.ask(t, token, "GET /v1/provider/keys", "")
	expect(t, "after a restart", a, "401 invalid_token")
	expectDetail(t, "after a restart", a, "jti was used before")
}
