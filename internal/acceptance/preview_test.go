package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// use is what a token was used from, and how often.
type use struct {
	token made
	ip    string
	times int
}

// expectPreview asks what a policy would refuse, saves it, repeats every use, and compares: what was foretold is exactly
// what happens. It leaves the policy as it was.
func expectPreview(t *testing.T, o *tenant, kind, policy, back string, uses []use) {
	t.Helper()
	p := must(t, "preview of "+policy, o.ask(t, o.token, "POST policies/"+kind+"/preview", policy), "200")
	foretold := map[string]string{}
	for i := range p.count("tokens") {
		foretold[p.at(fmt.Sprintf("tokens.%d.id", i))] = p.at(fmt.Sprintf("tokens.%d.code", i))
	}
	for _, u := range uses {
		o.expectVerdict(t, "a preview changes nothing", u.token.secret, "ok", "ip", u.ip)
	}
	must(t, policy, o.ask(t, o.token, "PUT policies/"+kind, policy), "200")
	refused := map[string]string{}
	for _, u := range uses {
		if code := o.verdict(t, u.token.secret, "ip", u.ip); code != "ok" {
			refused[u.token.id] = code
		}
	}
	must(t, back, o.ask(t, o.token, "PUT policies/"+kind, back), "200")
	if fmt.Sprint(foretold) != fmt.Sprint(refused) {
		t.Errorf("%s: foretold %v, refused %v", policy, foretold, refused)
	}
	expectAt(t, policy, p, "refused_tokens", fmt.Sprint(len(refused)))
}

// requests is refused_requests_30d of a preview.
func requests(t *testing.T, o *tenant, kind, policy string) string {
	t.Helper()
	return must(t, "preview", o.ask(t, o.token, "POST policies/"+kind+"/preview", policy), "200").at("refused_requests_30d")
}

// previewIsWhatHappens (H7).
func previewIsWhatHappens(t *testing.T, o *tenant) {
	office := officeFilter(t, o)
	inside, outside, both, idle, revoked, paused := o.orgToken(t), o.orgToken(t), o.orgToken(t), o.orgToken(t), o.orgToken(t), o.orgToken(t)
	uses := []use{{inside, "192.0.2.1", 3}, {outside, "198.51.100.1", 5}, {both, "192.0.2.1", 2}, {both, "198.51.100.2", 7}}
	for _, u := range append(slices.Clone(uses), use{revoked, "198.51.100.1", 4}, use{paused, "198.51.100.1", 4}) {
		for range u.times {
			o.expectVerdict(t, "use", u.token.secret, "ok", "ip", u.ip)
		}
	}
	o.expectVerdict(t, "a refused check is no use", inside.secret, "missing_permission", "ip", "198.51.100.9", "permission", "devices:read")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+revoked.id, ""), "200")
	must(t, "pause", o.ask(t, o.token, "PATCH tokens/"+paused.id, `{"paused":true}`), "200")
	for _, test := range []struct{ policy, refused, requests string }{
		{`{}`, "", "0"},
		{`{"enforced_ip_filter":"` + office + `"}`, outside.id + " " + both.id, "12"},
		{`{"allowed":false}`, inside.id + " " + outside.id + " " + both.id + " " + idle.id, "17"},
		{`{"expiry_required":true,"custom_ip_filter_allowed":false,"permission_updates_allowed":false}`, "", "0"}, // rules of making
		{`{"max_lifetime_seconds":3600}`, "", "0"},
	} {
		p := must(t, test.policy, o.ask(t, o.token, "POST policies/organization/preview", test.policy), "200")
		var got []string
		for i := range p.count("tokens") {
			got = append(got, p.at(fmt.Sprintf("tokens.%d.id", i)))
		}
		want := strings.Fields(test.refused)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("preview of %s names %q, want %q", test.policy, got, want)
		}
		expectAt(t, "preview of "+test.policy, p, "refused_requests_30d", test.requests)
		expectAt(t, "preview of "+test.policy, p, "refused_tokens", fmt.Sprint(len(want)))
	}
	back := `{"allowed":true,"enforced_ip_filter":null,"max_lifetime_seconds":null}`
	expectPreview(t, o, "organization", `{"enforced_ip_filter":"`+office+`"}`, back, uses)
	expectPreview(t, o, "organization", `{"allowed":false}`, back, append(uses, use{idle, "192.0.2.1", 1}))
	mine := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, IPFilter: office})
	expectPreview(t, o, "organization", `{"enforced_ip_filter":"office"}`, back, append(uses, use{mine, "192.0.2.5", 1}))
	member := o.orgToken(t, "counterfoil.tokens:read")
	expect(t, "a preview needs the right to read policies", o.ask(t, member.secret, "POST policies/organization/preview", `{}`), "403 missing_permission")
	expect(t, "and no more", o.ask(t, o.orgToken(t, "counterfoil.policies:read").secret, "POST policies/organization/preview", `{}`), "200")
	if list := o.ask(t, o.token, "GET policies/organization", ""); list.at("allowed") != "true" {
		t.Error("a preview has changed the policy")
	}
}

// previewOfLifetimes: the longest lifetime, and uses that are older than 30 days (timed).
func previewOfLifetimes(t *testing.T, o *tenant) {
	old := o.draftWith(t, 400*24*time.Hour)
	o.expectVerdict(t, "use", old.secret, "ok", "ip", "192.0.2.1")
	o.advance(90 * time.Second)
	young := o.draftWith(t, 400*24*time.Hour)
	o.expectVerdict(t, "use", young.secret, "ok", "ip", "192.0.2.1")
	expectPreview(t, o, "organization", `{"max_lifetime_seconds":60}`, `{"max_lifetime_seconds":null}`, []use{{old, "192.0.2.1", 1}, {young, "192.0.2.1", 1}})
	if n := requests(t, o, "organization", `{"allowed":false}`); n == "0" {
		t.Errorf("the uses of the last minutes are %s", n)
	}
}
