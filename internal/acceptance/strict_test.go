package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// strictJSON: what is not one JSON object as the route wants it is refused: 400 where it cannot be read, 422 else.
func strictJSON(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read")
	routes := []struct{ line, token, good string }{
		{"POST tokens", o.token, `{"kind":"organization","name":"x"}`},
		{"PATCH tokens/" + token.id, o.token, `{"name":"x"}`},
		{"PUT policies/organization", o.token, `{"allowed":true}`},
		{"POST ip-filters/test", o.token, `{"rules":"allow all","ip":"192.0.2.1"}`},
		{"PATCH members/" + o.owner, o.token, `{"status":"active"}`},
		{"POST /v1/verify", o.SystemToken, `{"token":"x"}`},
		{"POST /v1/verify/batch", o.SystemToken, `{"questions":[{"token":"x"}]}`},
		{"POST /v1/organizations", o.SystemToken, `{"name":"x"}`},
	}
	for _, route := range routes {
		body := strings.TrimSuffix(route.good, "}")
		first, _, _ := strings.Cut(strings.TrimPrefix(route.good, "{"), ":")
		for _, test := range []struct{ name, body, want string }{
			{"nothing", "", "415 unsupported_media_type"},
			{"blanks", "  ", "400 malformed_json"},
			{"half an object", body, "400 malformed_json"},
			{"a trailing comma", body + ",}", "400 malformed_json"},
			{"something behind it", route.good + "x", "400 malformed_json"},
			{"another object behind it", route.good + "{}", "400 malformed_json"},
			{"a member twice", body + "," + first + `:"x"}`, "400 malformed_json"},
			{"a member twice, one escaped", body + `,"\u00` + fmt.Sprintf("%x", first[1]) + first[2:] + `:"x"}`, "400 malformed_json"},
			{"an unknown member twice inside", body + `,"x":{"a":1,"a":2}}`, "400 malformed_json"},
			{"a comment", body + "/* */}", "400 malformed_json"},
			{"single quotes", "{'name':'x'}", "400 malformed_json"},
			{"bytes that are no UTF-8", body + ",\"x\":\"\xff\"}", "400 malformed_json"},
			{"a byte order mark", "\ufeff" + route.good, "400 malformed_json"},
			{"too deep", body + `,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", "400 malformed_json"},
			{"an unknown member", body + `,"bogus":1}`, "422 validation_failed /bogus"},
			{"a member in other case", body + "," + `"Bogus":1,"NAME":"x"}`, "422 validation_failed /Bogus /NAME"},
			{"an array", "[" + route.good + "]", "422 validation_failed"},
			{"a word", "true", "422 validation_failed"},
			{"null", "null", "422 validation_failed"},
		} {
			a := o.ask(t, route.token, route.line, test.body)
			if noObject := strings.HasPrefix(test.body, "[") || test.body == "true" || test.body == "null"; noObject && strings.HasPrefix(a.String(), test.want) && a.at("errors.0.pointer") == "" {
				continue // what the object would have needed may be named too
			}
			if test.name == "too deep" && strings.HasPrefix(a.String(), "422 validation_failed /x") {
				continue // how deep is too deep is not in the contract
			}
			expect(t, route.line+", "+test.name, a, test.want)
		}
		for name, content := range map[string]string{
			"no type": "", "text": "text/plain", "a form": "application/x-www-form-urlencoded", "like JSON": "application/jsonp", "problem": "application/problem+json", "Latin-1": "application/json; charset=iso-8859-1",
		} {
			h := []string{"Content-Type", content}
			expect(t, route.line+" as "+name, o.ask(t, route.token, route.line, route.good, h...), "415 unsupported_media_type")
		}
		expect(t, route.line+", compressed", o.ask(t, route.token, route.line, route.good, "Content-Encoding", "gzip"), "415 unsupported_media_type")
		for _, content := range []string{"application/json; charset=utf-8", "application/json; charset=UTF-8", "Application/JSON"} {
			a := o.ask(t, route.token, route.line, route.good, "Content-Type", content)
			if a.status >= 300 {
				t.Errorf("%s as %s: %s", route.line, content, a)
			}
		}
	}
}

// allFaultsAtOnce: every fault in one answer, each at its place, the worst one's code on top.
func allFaultsAtOnce(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read")
	must(t, "policy", o.ask(t, o.token, "PUT policies/integration", `{"allowed":false}`), "200")
	for _, test := range []struct{ line, body, want string }{
		{"POST tokens", `{"kind":"organization","name":"","permissions":["devices:fly",7],"expires_in":"soon","bogus":1}`,
			"422 validation_failed /bogus /expires_in /name /permissions/0 /permissions/1"},
		{"POST tokens", `{"kind":"organisation","name":"","expires_in":"soon","integration":"syslog"}`, "422 validation_failed /expires_in /integration /kind /name"},
		{"POST tokens", `{}`, "422 validation_failed /kind /name"},
		{"POST tokens", `{"kind":"organization","name":"x","permissions":["sites:write","devices:fly"]}`, "422 validation_failed /permissions/0:permission_not_held /permissions/1"},
		{"POST tokens", `{"kind":"personal","name":"x","permissions":["counterfoil.console_sessions:write"],"expires_in":99999999}`,
			"422 permission_not_held /expires_in:policy_violation /permissions/0"},
		{"POST tokens", `{"kind":"personal","name":"x","permissions":["counterfoil.console_sessions:write"],"expires_in":99999999,"bogus":null}`,
			"422 validation_failed /bogus /expires_in:policy_violation /permissions/0:permission_not_held"},
		{"POST tokens", `{"kind":"integration","name":"x","integration":"custom","expires_in":99999999}`, "422 policy_violation /expires_in /kind"},
		{"POST tokens", `{"kind":"organization","name":null,"permissions":"devices:read","expires_at":5,"ip_filter":[]}`,
			"422 validation_failed /expires_at /ip_filter /name /permissions"},
		{"POST tokens?dry_run=1", `{"kind":"organization"}`, "422 validation_failed /name ?dry_run"},
		{"PATCH tokens/" + token.id, `{"name":"","permissions":["devices:fly"],"paused":"no","expires_at":"never","id":"tok_x"}`,
			"422 validation_failed /expires_at /id /name /paused /permissions/0"},
		{"POST members", `{"email":"nobody","name":"","roles":["king","owner"],"status":"active"}`, "422 validation_failed /email /name /roles/0 /status"},
		{"PATCH members/" + o.owner, `{"roles":["king"],"status":"dead","name":"x"}`, "422 validation_failed /name /roles/0 /status"},
		{"POST roles", `{"name":"A B","permissions":["devices:fly","counterfoil.console_sessions:write"]}`,
			"422 validation_failed /name /permissions/0 /permissions/1:permission_not_held"},
		{"POST ip-filters", `{"name":"","rules":5,"id":"ipf_x"}`, "422 validation_failed /id /name /rules"},
		{"DELETE tokens/" + token.id, `{"reason":7,"force":true}`, "422 validation_failed /force /reason"},
	} {
		expect(t, test.line+" "+test.body, o.ask(t, o.token, test.line, test.body), test.want)
	}
	for _, test := range []struct{ line, body, want string }{
		{"POST /v1/verify", `{}`, "422 validation_failed /token"},
		{"POST /v1/verify", `{"token":5,"permissions":["a",5],"endpoint":"devices","ip":"x","bogus":1}`, "422 validation_failed /bogus /endpoint /ip /permissions/1 /token"},
		{"POST /v1/verify", `{"token":"x","endpoint":"GET devices","ip":"10.0.0"}`, "422 validation_failed /endpoint /ip"},
		{"POST /v1/verify/batch", `{"questions":[]}`, "422 validation_failed /questions"},
		{"POST /v1/verify/batch", `{"questions":[{"token":"x"},{"token":"x","ip":"y"},{"bogus":1},5]}`,
			"422 validation_failed /questions/1/ip /questions/2/bogus /questions/2/token /questions/3"},
		{"POST /v1/organizations", `{"name":"","plan":"gold","license":"free","slug":"A","data_center":"moon","status":"active"}`,
			"422 validation_failed /data_center /license /name /plan /slug /status"},
		{"POST /v1/system/tokens", `{"name":"","permissions":["devices:fly"],"kind":"personal","owner":"x"}`, "422 validation_failed /kind /name /owner /permissions/0"},
		{"PUT /v1/catalogue", `{"source":"permissions: 7"}`, "422 validation_failed /source"},
	} {
		a := o.ask(t, o.SystemToken, test.line, test.body)
		expect(t, test.line+" "+test.body, a, test.want)
	}
	expectAt(t, "nothing was done", o.ask(t, o.token, "GET tokens/"+token.id, ""), "status", "active")
	long := strings.Repeat("k", 300)
	a := o.ask(t, o.token, "POST tokens", fmt.Sprintf(`{"kind":"organization","name":"x",%q:1}`, token.secret))
	if a.status != 422 || strings.Contains(a.text(), token.secret[20:]) {
		t.Errorf("a secret as a member's name: %s", a.text())
	}
	if a := o.ask(t, o.token, "GET tokens?"+long+"=1", ""); a.status != 422 || strings.Contains(a.text(), long) {
		t.Errorf("a long parameter: %s", a.text())
	}
}

// bodies: 64 KiB and no more, whether the length is announced or not.
func bodies(t *testing.T, o *tenant) {
	const limit = 64 << 10
	for _, route := range []struct{ line, token, head, tail, fits string }{
		{"POST tokens", o.token, `{"kind":"organization","name":"x"`, "}", "201"},
		{"POST /v1/verify", o.SystemToken, `{"token":"x"`, "}", "200 invalid_token"},
		{"POST /v1/verify/batch", o.SystemToken, `{"questions":[{"token":"x"}]`, "}", "200"},
	} {
		full := route.head + strings.Repeat(" ", limit-len(route.head)-len(route.tail)) + route.tail
		method, path, _ := strings.Cut(route.line, " ")
		if !strings.HasPrefix(path, "/") {
			path = "/v1/organizations/" + o.id + "/" + path
		}
		h := func() http.Header {
			return http.Header{"Authorization": {"Bearer " + route.token}, "Content-Type": {"application/json"}}
		}
		expect(t, route.line+", 64 KiB", o.ask(t, route.token, route.line, full), route.fits)
		expect(t, route.line+", a byte more", o.ask(t, route.token, route.line, " "+full), "413 body_too_large")
		unannounced := struct{ io.Reader }{strings.NewReader(" " + full)}
		expect(t, route.line+", a byte more, unannounced", send(t, o.URL, method, path, h(), unannounced), "413 body_too_large")
	}
	form := "token=" + strings.Repeat("x", limit-len("token="))
	formType := []string{"Content-Type", "application/x-www-form-urlencoded"}
	expect(t, "a form of 64 KiB", o.ask(t, o.SystemToken, "POST /oauth2/introspect", form, formType...), "200 inactive")
	expect(t, "a form with a byte more", o.ask(t, o.SystemToken, "POST /oauth2/introspect", form+"x", formType...), "413 body_too_large")
	expect(t, "JSON where a form is wanted", o.ask(t, o.SystemToken, "POST /oauth2/introspect", `{"token":"x"}`), "415 unsupported_media_type")
	expect(t, "a form without its token", o.ask(t, o.SystemToken, "POST /oauth2/introspect", "ip=10.0.0.1", formType...), "400 invalid_request")

	token := o.orgToken(t)
	path := "/v1/organizations/" + o.id + "/tokens/" + token.id + "/rotate"
	h := http.Header{"Authorization": {"Bearer " + o.token}}
	unnamed := send(t, o.URL, "POST", path, h, struct{ io.Reader }{strings.NewReader(`{"grace_seconds":3600}`)})
	expect(t, "an optional body, unannounced and without a type", unnamed, "415 unsupported_media_type")
	o.expectVerdict(t, "a rotation that was refused", token.secret, "ok")
	none := send(t, o.URL, "POST", path, h, struct{ io.Reader }{strings.NewReader("")})
	expect(t, "no body, unannounced", none, "200")
}

// methodsAndPaths: 405 with Allow, 404 elsewhere, always a problem.
func methodsAndPaths(t *testing.T, o *tenant) {
	for _, test := range []struct{ line, want, allow string }{
		{"DELETE tokens", "405 method_not_allowed", "GET, HEAD, POST"},
		{"PUT tokens/tok_x", "405 method_not_allowed", "DELETE, GET, HEAD, PATCH"},
		{"GET /v1/verify", "405 method_not_allowed", "POST"},
		{"GET /oauth2/introspect", "405 method_not_allowed", "POST"},
		{"POST policies/personal", "405 method_not_allowed", "GET, HEAD, PUT"},
		{"OPTIONS members", "405 method_not_allowed", "GET, HEAD, POST"},
		{"POST /openapi.json", "405 method_not_allowed", "GET, HEAD"},
		{"POST /v1/tokens/current", "405 method_not_allowed", "DELETE, GET, HEAD"},
		{"GET /", "404 not_found", ""},
		{"GET /v1", "404 not_found", ""},
		{"GET /v1/tokens", "404 not_found", ""},
		{"GET tokens/", "404 not_found", ""},
		{"GET tokens/a/b", "404 not_found", ""},
		{"POST /v1/verify/", "404 not_found", ""},
	} {
		a := o.ask(t, o.token, test.line, "")
		expect(t, test.line, a, test.want)
		if got := a.header.Get("Allow"); got != test.allow {
			t.Errorf("%s: Allow is %q, want %q", test.line, got, test.allow)
		}
		if got := a.header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: Content-Type is %q", test.line, got)
		}
	}
	head := o.ask(t, o.token, "HEAD tokens", "")
	if head.status != 200 || len(head.body) != 0 {
		t.Errorf("HEAD tokens: %d with %d bytes", head.status, len(head.body))
	}
	for _, name := range []string{o.id, o.slug, "current"} {
		expectAt(t, "an organization as "+name, must(t, name, o.ask(t, o.token, "GET /v1/organizations/"+name, ""), "200"), "id", o.id)
	}
	expect(t, "a system credential has no current organization", o.ask(t, o.SystemToken, "GET /v1/organizations/current", ""), "404 not_found")
}
