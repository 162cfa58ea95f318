package acceptance

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// idempotency: the same key and body create once.
func idempotency(t *testing.T, o *tenant) {
	const key = "Idempotency-Key"
	token := `{"kind":"organization","name":"once"}`
	first := must(t, "first", o.ask(t, o.token, "POST tokens", token, key, "k1"), "201")
	again := o.ask(t, o.token, "POST tokens", token, key, "k1")
	expect(t, "a token again", again, "409 already_created")
	expectAt(t, "a token again", again, "token.id", first.at("token.id"))
	expectAt(t, "a token again", again, "token.name", "once")
	if strings.Contains(again.text(), first.at("secret")[20:]) || again.at("secret") != "absent" {
		t.Errorf("the replay of a token's creation holds its value: %s", again.text())
	}
	expect(t, "another body", o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"twice"}`, key, "k1"), "422 validation_failed Idempotency-Key:")
	expect(t, "the same key on another route", o.ask(t, o.token, "POST roles", token, key, "k1"), "422 validation_failed /kind /permissions Idempotency-Key:")
	expect(t, "the same key, another route's good body", o.ask(t, o.token, "POST roles", `{"name":"r1","permissions":[]}`, key, "k1"), "422 validation_failed Idempotency-Key:")
	expect(t, "the same key of another caller", o.ask(t, o.personal(t, o.owner, "counterfoil.tokens:write").secret, "POST tokens", token, key, "k1"), "201")
	expect(t, "another key", o.ask(t, o.token, "POST tokens", token, key, "k2"), "201")
	must(t, "the token is revoked", o.ask(t, o.token, "DELETE tokens/"+first.at("token.id"), ""), "200")
	expectAt(t, "a replay shows it as it is", o.ask(t, o.token, "POST tokens", token, key, "k1"), "token.status", "revoked")

	system := o.ask(t, o.SystemToken, "POST /v1/system/tokens", `{"name":"once"}`, key, o.id)
	expect(t, "a system token", system, "201")
	again = o.ask(t, o.SystemToken, "POST /v1/system/tokens", `{"name":"once"}`, key, o.id)
	expect(t, "a system token again", again, "409 already_created")
	expectAt(t, "a system token again", again, "token.id", system.at("token.id"))

	enter := `{"member":"` + o.owner + `"}`
	console := "POST /v1/organizations/" + o.id + "/console-sessions"
	made := must(t, "an address", o.ask(t, o.SystemToken, console, enter, key, "c"+o.id), "201")
	again = o.ask(t, o.SystemToken, console, enter, key, "c"+o.id)
	expect(t, "an address again", again, "409 already_created")
	if _, ticket, found := strings.Cut(made.at("url"), "/enter?ticket="); !found || strings.Contains(again.text(), ticket) {
		t.Errorf("the replay of an address holds it: %s", again.text())
	}

	refused := `{"kind":"organization","name":"x","permissions":["devices:fly"]}`
	expect(t, "a refused request", o.ask(t, o.token, "POST tokens", refused, key, "k3"), "422 validation_failed /permissions/0")
	expect(t, "its key is still free", o.ask(t, o.token, "POST tokens", token, key, "k3"), "201")

	for _, test := range []struct{ line, token, body string }{
		{"POST roles", o.token, `{"name":"auditor","permissions":["devices:read"]}`},
		{"POST ip-filters", o.token, `{"name":"office","rules":"allow all"}`},
		{"POST members", o.token, `{"email":"once@` + o.slug + `.example","name":"Once","roles":["viewer"]}`},
		{"POST /v1/organizations", o.SystemToken, `{"name":"Once ` + o.slug + `"}`},
	} {
		expect(t, "a key with a blank", o.ask(t, test.token, test.line, test.body, key, "k "+test.line), "422 validation_failed Idempotency-Key:")
		expect(t, "two keys", o.ask(t, test.token, test.line, test.body, key, "k4", key, "k5"), "422 validation_failed Idempotency-Key:")
		first := must(t, test.line, o.ask(t, test.token, test.line, test.body, key, test.line[5:]), "201")
		again := must(t, test.line+" again", o.ask(t, test.token, test.line, test.body, key, test.line[5:]), "201")
		if again.text() != first.text() {
			t.Errorf("%s: the replay answers\n\t%s\nnot\n\t%s", test.line, again.text(), first.text())
		}
	}
	manyAtOnce(t, o)
}

// manyAtOnce: twenty requests with one key make one token, one role.
func manyAtOnce(t *testing.T, o *tenant) {
	tokens := together(20, func(int) answer {
		return o.ask(t, o.token, "POST tokens", `{"kind":"organization","name":"crowd"}`, "Idempotency-Key", "crowd")
	})
	if tokens["201"] != 1 || tokens["409 already_created"] != 19 {
		t.Errorf("twenty creations of a token with one key: %v", tokens)
	}
	if got := o.ask(t, o.token, "GET tokens?q=crowd", "").names(); got != "crowd" {
		t.Errorf("they made %q", got)
	}
	roles := together(20, func(int) answer {
		return o.ask(t, o.token, "POST roles", `{"name":"crowd","permissions":[]}`, "Idempotency-Key", "crowd-role")
	})
	if roles["201"] != 20 {
		t.Errorf("twenty creations of a role with one key: %v", roles)
	}
	without := together(5, func(int) answer { return o.ask(t, o.token, "POST roles", `{"name":"mob","permissions":[]}`) })
	if without["201"] != 1 || without["409 name_taken"] != 4 {
		t.Errorf("five creations of a role without a key: %v", without)
	}
}

// idempotencyForADay: a key is good for 24 hours (timed).
func idempotencyForADay(t *testing.T, o *tenant) {
	body := `{"kind":"organization","name":"daily"}`
	caller := o.draftWith(t, 72*time.Hour, "counterfoil.tokens:write")
	must(t, "first", o.ask(t, caller.secret, "POST tokens", body, "Idempotency-Key", "day"), "201")
	o.advance(23*time.Hour + 59*time.Minute)
	expect(t, "within 24 hours", o.ask(t, caller.secret, "POST tokens", body, "Idempotency-Key", "day"), "409 already_created")
	o.advance(2 * time.Minute)
	expect(t, "after 24 hours", o.ask(t, caller.secret, "POST tokens", body, "Idempotency-Key", "day"), "201")
}

// versions: policies, roles and filters honour If-Match.
func versions(t *testing.T, o *tenant) {
	role := must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"auditor","permissions":[]}`), "201").at("id")
	filter := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow all"}`), "201").at("id")
	for _, test := range []struct{ path, method, one, two string }{
		{"policies/organization", "PUT", `{"expiry_required":true}`, `{"expiry_required":false}`},
		{"roles/" + role, "PATCH", `{"permissions":["devices:read"]}`, `{"permissions":["sites:read"]}`},
		{"ip-filters/" + filter, "PATCH", `{"rules":"allow 192.0.2.0/24"}`, `{"name":"branch"}`},
	} {
		edit := test.method + " " + test.path
		read := must(t, "GET "+test.path, o.ask(t, o.token, "GET "+test.path, ""), "200")
		old := read.header.Get("ETag")
		if !strings.HasPrefix(old, `"`) {
			t.Fatalf("GET %s: ETag is %q", test.path, old)
		}
		next := must(t, edit+", current", o.ask(t, o.token, edit, test.one, "If-Match", old), "200").header.Get("ETag")
		if next == old || next == "" {
			t.Errorf("%s: ETag went from %s to %s", edit, old, next)
		}
		before := o.ask(t, o.token, "GET "+test.path, "")
		if before.header.Get("ETag") != next {
			t.Errorf("GET %s: ETag is %s, want %s as the edit said", test.path, before.header.Get("ETag"), next)
		}
		for name, match := range map[string]string{"stale": old, "weak": "W/" + next, "nobody's": `"x"`, "of the future": `"999"`} {
			expect(t, edit+", "+name, o.ask(t, o.token, edit, test.two, "If-Match", match), "412 version_mismatch")
		}
		expect(t, edit+", no entity tag", o.ask(t, o.token, edit, test.two, "If-Match", "7"), "400 invalid_request")
		if after := o.ask(t, o.token, "GET "+test.path, ""); after.text() != before.text() {
			t.Errorf("%s: a refused edit changed something", edit)
		}
		expect(t, edit+", any", o.ask(t, o.token, edit, test.two, "If-Match", "*"), "200")
		expect(t, edit+", unconditional", o.ask(t, o.token, edit, test.one), "200")
	}
	etag := o.ask(t, o.token, "GET policies/organization", "").header.Get("ETag")
	results := together(8, func(i int) answer {
		return o.ask(t, o.token, "PUT policies/organization", fmt.Sprintf(`{"max_lifetime_seconds":%d}`, 9000+i), "If-Match", etag)
	})
	if results["200"] != 1 || results["412 version_mismatch"] != 7 {
		t.Errorf("eight edits of one version at once: %v", results)
	}
}

// together asks n times at once and counts the answers.
func together(n int, ask func(i int) answer) map[string]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	counts := map[string]int{}
	for i := range n {
		all.Go(func() {
			got := ask(i).String()
			mu.Lock()
			defer mu.Unlock()
			counts[got]++
		})
	}
	all.Wait()
	return counts
}

// receipts: every change that narrows what is accepted has one, in a header and to be read again.
func receipts(t *testing.T, o *tenant) {
	m := o.person(t, "operator")
	token := o.orgToken(t, "devices:read", "devices:write")
	filter := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow all"}`), "201").at("id")
	unused := must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"unused","rules":"allow all"}`), "201").at("id")
	role := must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"auditor","permissions":["devices:read"]}`), "201").at("id")
	soon := o.now().Add(time.Hour).UTC().Format(time.RFC3339)
	last := ""
	for _, test := range []struct{ line, token, body string }{
		{"PATCH tokens/" + token.id, o.token, `{"permissions":["devices:read"]}`},
		{"PATCH tokens/" + token.id, o.token, `{"expires_at":"` + soon + `"}`},
		{"PATCH tokens/" + token.id, o.token, `{"paused":true}`},
		{"POST tokens/" + token.id + "/rotate", o.token, `{"grace_seconds":0}`},
		{"PUT policies/organization", o.token, `{"allowed":false}`},
		{"PUT policies/organization", o.token, `{"allowed":true}`},
		{"PATCH ip-filters/" + filter, o.token, `{"rules":"deny all"}`},
		{"DELETE ip-filters/" + unused, o.token, ""},
		{"PATCH roles/" + role, o.token, `{"permissions":[]}`},
		{"DELETE roles/" + role, o.token, ""},
		{"PATCH members/" + m.id, o.token, `{"roles":["viewer"]}`},
		{"PATCH members/" + m.id, o.token, `{"status":"suspended"}`},
		{"DELETE members/" + m.id, o.token, ""},
		{"PATCH /v1/organizations/" + o.id, o.SystemToken, `{"status":"suspended"}`},
		{"PATCH /v1/organizations/" + o.id, o.SystemToken, `{"status":"active"}`},
		{"DELETE tokens/" + token.id, o.token, ""},
	} {
		what := test.line + " " + test.body
		a := o.ask(t, test.token, test.line, test.body)
		if a.status >= 300 {
			t.Fatalf("%s: %s", what, a)
		}
		parts := strings.Split(a.header.Get("Counterfoil-Receipt"), "; ")
		if len(parts) != 3 || !strings.HasPrefix(parts[0], "rcp_") || parts[1] != "complete" || !strings.HasPrefix(parts[2], "took=") || !strings.HasSuffix(parts[2], "ms") {
			t.Errorf("%s: Counterfoil-Receipt is %q", what, parts)
			continue
		}
		r := o.ask(t, test.token, "GET /v1/receipts/"+parts[0], "")
		expect(t, "the receipt of "+what, r, "200")
		expectAt(t, what, r, "id", parts[0])
		expectAt(t, what, r, "complete", "true")
		if r.count("nodes") != 1 || r.at("nodes.0.confirmed_in_ms") == "null" || r.at("took_ms") == "absent" || r.at("revoked_at") == "absent" {
			t.Errorf("%s: the receipt is %s", what, r.text())
		}
		last = parts[0]
	}
	again := o.ask(t, o.token, "DELETE tokens/"+token.id, `{"reason":"once more"}`)
	expectAt(t, "revoked twice", again, "receipt.id", last)
	expectAt(t, "revoked twice keeps the first reason", again, "token.revoked_reason", "null")
	eventually(t, "the receipt's final form in storage", func() bool {
		return o.ask(t, o.SystemToken, "GET /v1/receipts/"+last, "").count("nodes") == 1
	})
	nothing := o.ask(t, o.token, "PATCH tokens/"+o.draftWith(t, time.Hour).id, `{}`)
	if got := nothing.header.Get("Counterfoil-Receipt"); nothing.status != http.StatusOK || got != "" {
		t.Errorf("an edit of nothing: %s with a receipt %q", nothing, got)
	}
}

// revokedTokens: revoked is for good.
func revokedTokens(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read")
	first := must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+token.id, ""), "200")
	for _, line := range []string{"DELETE tokens/" + token.id, "DELETE tokens/" + token.id} {
		again := must(t, "again", o.ask(t, o.token, line, ""), "200")
		expectAt(t, "again", again, "receipt", first.at("receipt"))
	}
	for _, test := range []struct{ line, body string }{
		{"PATCH", `{"name":"x"}`}, {"PATCH", `{"paused":true}`}, {"PATCH", `{"paused":false}`}, {"PATCH", `{}`}, {"POST", ""},
	} {
		path := " tokens/" + token.id
		if test.line == "POST" {
			path += "/rotate"
		}
		expect(t, test.line+" "+test.body, o.ask(t, o.token, test.line+path, test.body), "409 already_revoked")
	}
	o.expectVerdict(t, "still", token.secret, "token_revoked")
	another := o.orgToken(t, "devices:read")
	ids := map[string]bool{}
	var mu sync.Mutex
	together(10, func(int) answer {
		a := o.ask(t, o.token, "DELETE tokens/"+another.id, "")
		mu.Lock()
		defer mu.Unlock()
		ids[a.at("receipt.id")] = true
		return a
	})
	if len(ids) != 1 {
		t.Errorf("ten revocations at once have the receipts %v", ids)
	}
}
