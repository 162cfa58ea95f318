package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// names lists the names in a list, in order.
func (a answer) names() string {
	var all []string
	for i := range a.count("data") {
		all = append(all, a.at(fmt.Sprintf("data.%d.name", i)))
	}
	return strings.Join(all, " ")
}

// P1, C2, H1: who sees which tokens, and how they are found.
func listTokens(t *testing.T, o *tenant) {
	m, filter := o.person(t, "operator"), must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow 192.0.2.0/24"}`), "201").at("id")
	make := func(d counterfoil.Draft) made { return o.draft(t, d) }
	soon, later := int64(3600), int64(7200)
	make(counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: m.id, Name: "zoe-personal", ExpiresIn: &later})
	make(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "collector", ExpiresIn: &soon, IPFilter: "office"})
	paused := make(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "paused-one"})
	gone := make(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "gone-one"})
	make(counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "splunk-one"})
	must(t, "pause", o.ask(t, o.token, "PATCH tokens/"+paused.id, `{"paused":true}`), "200")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+gone.id, ""), "200")
	own := strings.Fields(o.ask(t, o.token, "GET tokens?owner="+o.owner, "").names())
	setup := strings.Join(own, " ") // counterfoiltest names it "token 7"

	for _, test := range []struct{ query, want string }{
		{"kind=organization&sort=name", "collector paused-one"},
		{"kind=integration", "splunk-one"},
		{"kind=organization&status=active", "collector"},
		{"status=paused", "paused-one"},
		{"status=revoked", "gone-one"},
		{"status=expired", ""},
		{"ip_filter=office", "collector"},
		{"ip_filter=" + filter, "collector"},
		{"ip_filter=none-such", ""},
		{"q=COLLECTOR", "collector"},
		{"q=" + paused.id, "paused-one"},
		{"q=" + paused.secret[len("cfl_org_"):][:8], "paused-one"},
		{"q=%25", ""},
		{"q=-one&sort=name", "paused-one splunk-one"},
		{"owner=" + m.id + "&q=zoe-", "zoe-personal"},
		{"owner=mem_nobody", ""},
		{"kind=organization&sort=created_at", "paused-one collector"},
		{"kind=organization&sort=expires_at", "collector paused-one"},
		{"owner=" + o.owner, setup},
	} {
		if got := must(t, test.query, o.ask(t, o.token, "GET tokens?"+test.query, ""), "200").names(); got != test.want {
			t.Errorf("GET tokens?%s lists %q, want %q", test.query, got, test.want)
		}
	}
	for _, query := range []string{"kind=system", "kind=", "status=dead", "sort=id", "limit=0", "limit=201", "limit=ten", "cursor=nonsense", "page=2"} {
		name, _, _ := strings.Cut(query, "=")
		expect(t, query, o.ask(t, o.token, "GET tokens?"+query, ""), "422 validation_failed ?"+name)
	}
	expect(t, "two wrong parameters", o.ask(t, o.token, "GET tokens?limit=0&sort=id&page=2", ""), "422 validation_failed ?limit ?page ?sort")

	mine := o.ask(t, m.token, "GET tokens?sort=name", "").names()
	if !strings.Contains(mine, "zoe-personal") || strings.Contains(mine, "collector") || strings.Contains(mine, setup) {
		t.Errorf("a member without counterfoil.tokens:read sees %q", mine)
	}
	expect(t, "a member asks for the owner's", o.ask(t, m.token, "GET tokens?owner="+o.owner, ""), "200")
	if got := o.ask(t, m.token, "GET tokens?owner="+o.owner, "").names(); got != "" {
		t.Errorf("a member who asks for the owner's tokens sees %q", got)
	}
	expect(t, "a member reads an organization token", o.ask(t, m.token, "GET tokens/"+paused.id, ""), "404 not_found")
	expect(t, "an organization token without the right", o.ask(t, o.orgToken(t).secret, "GET tokens", ""), "403 missing_permission")
	reader := o.orgToken(t, "counterfoil.tokens:read").secret
	if got := o.ask(t, reader, "GET tokens?q=zoe-", "").names(); got != "zoe-personal" {
		t.Errorf("an organization token with counterfoil.tokens:read sees %q", got)
	}
	faceOfToken(t, o, gone)
}

// faceOfToken: every member of the contract's Token is there.
func faceOfToken(t *testing.T, o *tenant, gone made) {
	a := o.ask(t, o.token, "GET tokens/"+gone.id, "")
	for member, want := range map[string]string{
		"kind": "organization", "integration": "null", "organization_id": o.id, "owner": "null", "name": "gone-one", "permissions": "[]",
		"effective_permissions": "[]", "ip_filter": "null", "status": "revoked", "expires_at": "null", "effective_expires_at": "null", "last_used": "null",
		"previous_valid_until": "null", "revoked_by": o.owner, "revoked_reason": "null",
	} {
		expectAt(t, "the face", a, member, want)
	}
	for _, member := range []string{"created_at", "renewed_at", "revoked_at"} {
		at, err := time.Parse(time.RFC3339Nano, a.at(member))
		if err != nil || at.Location() != time.UTC || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s is %s, which is no recent time in UTC", member, a.at(member))
		}
	}
	if by := a.at("created_by"); !strings.HasPrefix(by, "tok_") {
		t.Errorf("created_by is %s, want the system token's id", by)
	}
	owned := o.ask(t, o.token, "GET tokens?owner="+o.owner, "")
	expectAt(t, "a personal token", owned, "data.0.owner.id", o.owner)
	expectAt(t, "a personal token", owned, "data.0.owner.email", o.ownerMail)
}

// paging: every list, a row a page, with rows added in between: nothing is left out or doubled.
func paging(t *testing.T, o *tenant) {
	system := func(string) string { return o.SystemToken }
	owner := func(string) string { return o.token }
	for _, list := range []struct {
		path   string
		who    func(string) string
		insert func(n int) (line, body string)
	}{
		{"tokens", owner, func(n int) (string, string) {
			return "POST tokens", fmt.Sprintf(`{"kind":"organization","name":"t%d"}`, 900-n)
		}},
		{"tokens?sort=name", owner, func(n int) (string, string) {
			return "POST tokens", fmt.Sprintf(`{"kind":"organization","name":"T%d"}`, 800-n)
		}},
		{"tokens?sort=expires_at", owner, func(n int) (string, string) {
			return "POST tokens", fmt.Sprintf(`{"kind":"organization","name":"e%d","expires_in":%d}`, n, 9000-n)
		}},
		{"tokens?sort=last_used_at", owner, func(n int) (string, string) { return "POST tokens", `{"kind":"organization","name":"u"}` }},
		{"ip-filters", owner, func(n int) (string, string) {
			return "POST ip-filters", fmt.Sprintf(`{"name":"f%d","rules":"allow all"}`, 900-n)
		}},
		{"roles", owner, func(n int) (string, string) {
			return "POST roles", fmt.Sprintf(`{"name":"r%d","permissions":[]}`, 900-n)
		}},
		{"members", owner, func(n int) (string, string) {
			return "POST members", fmt.Sprintf(`{"email":"p%d@%s.example","name":"P","roles":[]}`, n, o.slug)
		}},
		{"permissions", owner, nil},
		{"policies", owner, nil},
		{"/v1/organizations", system, func(n int) (string, string) { return "POST /v1/organizations", `{"name":"More"}` }},
		{"/v1/system/tokens", system, func(n int) (string, string) {
			return "POST /v1/system/tokens", fmt.Sprintf(`{"name":"s%d"}`, 900-n)
		}},
	} {
		n := 0
		add := func() {
			if list.insert != nil {
				line, body := list.insert(n)
				must(t, line, o.ask(t, list.who(line), line, body), "201")
				n++
			}
		}
		for range 5 {
			add()
		}
		page := func(query string) (keys []string, next string) {
			mark := "?"
			if strings.Contains(list.path, "?") {
				mark = "&"
			}
			a := must(t, list.path, o.ask(t, list.who(""), "GET "+list.path+mark+query, ""), "200")
			for i := range a.count("data") {
				key := a.at(fmt.Sprintf("data.%d.id", i))
				if key == "absent" {
					key = a.at(fmt.Sprintf("data.%d.name", i)) + a.at(fmt.Sprintf("data.%d.kind", i))
				}
				keys = append(keys, key)
			}
			return keys, a.at("next_cursor")
		}
		if list.path == "/v1/organizations" || list.path == "/v1/system/tokens" {
			pagesOfTheInstance(t, list.path, page)
			continue
		}
		before, next := page("limit=200")
		if next != "null" || len(before) < 3 {
			t.Fatalf("%s: %d rows, then %s", list.path, len(before), next)
		}
		var seen []string
		for cursor, pages := "", 0; ; pages++ {
			keys, next := page("limit=1&cursor=" + cursor)
			seen = append(seen, keys...)
			if next == "null" {
				break
			}
			if cursor = next; pages < 3 {
				add()
			}
		}
		kept := slices.DeleteFunc(slices.Clone(seen), func(key string) bool { return !slices.Contains(before, key) })
		if !slices.Equal(kept, before) {
			t.Errorf("%s: read a row at a time with rows added in between\n got %q\nwant %q", list.path, kept, before)
		}
		if slices.Sort(seen); len(slices.Compact(slices.Clone(seen))) != len(seen) {
			t.Errorf("%s: a row came twice: %q", list.path, seen)
		}
	}
}

// defaultPage: fifty rows unless asked otherwise.
func defaultPage(t *testing.T, o *tenant) {
	for n := range 51 {
		must(t, "filter", o.ask(t, o.token, "POST ip-filters", fmt.Sprintf(`{"name":"f%02d","rules":"allow all"}`, n)), "201")
	}
	for query, want := range map[string]int{"": 50, "?limit=50": 50, "?limit=51": 51, "?limit=200": 51} {
		a := o.ask(t, o.token, "GET ip-filters"+query, "")
		if got := a.count("data"); got != want || (a.at("next_cursor") == "null") != (want == 51) {
			t.Errorf("GET ip-filters%s has %d of 51 rows, then %s", query, got, a.at("next_cursor"))
		}
	}
	if empty := o.ask(t, o.token, "GET members?q=nobody", ""); empty.text() != `{"data":[],"next_cursor":null}` {
		t.Errorf("an empty list is %s", empty.text())
	}
}

// pagesOfTheInstance looks at lists that other tests add to at the same time: no row twice, five at least.
func pagesOfTheInstance(t *testing.T, path string, page func(string) ([]string, string)) {
	t.Helper()
	seen := map[string]bool{}
	for cursor := ""; cursor != "null"; {
		var keys []string
		keys, cursor = page("limit=3&cursor=" + cursor)
		for _, key := range keys {
			if seen[key] {
				t.Errorf("%s: %s came twice", path, key)
			}
			seen[key] = true
		}
	}
	if len(seen) < 5 {
		t.Errorf("%s: %d rows", path, len(seen))
	}
}
