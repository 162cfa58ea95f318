package e2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/counterfoil/counterfoil"
)

// envoy is a served instance that answers as Envoy's external authorization, and a client of it.
type envoy struct {
	*instance
	authv3.AuthorizationClient
}

func startEnvoy(t testing.TB) *envoy {
	t.Helper()
	address := freeAddress(t)
	e := &envoy{instance: serveNew(t, "", "--envoy-listen", address, "--trusted-proxies", "127.0.0.1")}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	e.AuthorizationClient = authv3.NewAuthorizationClient(conn)
	return e
}

// attempt is what Envoy says of a client's request.
type attempt struct {
	method, path string
	headers      []string          // "Name: value", as a client writes them
	from         string            // empty: 127.0.0.2
	says         map[string]string // the context extensions of the route
	raw          bool              // encode_raw_headers
}

// ask asks as Envoy does: names in small letters, several values of one joined by a comma, or as they came.
func (e *envoy) ask(t testing.TB, q attempt) *authv3.CheckResponse {
	t.Helper()
	r := &authv3.AttributeContext_HttpRequest{Method: q.method, Path: q.path, Protocol: "HTTP/1.1", Host: "api.example.com", Scheme: "http", Headers: map[string]string{}}
	if q.raw {
		r.HeaderMap = &corev3.HeaderMap{}
	}
	for _, line := range q.headers {
		name, value, _ := strings.Cut(line, ": ")
		name = strings.ToLower(name)
		if before, there := r.Headers[name]; q.raw {
			r.HeaderMap.Headers = append(r.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
		} else if there {
			r.Headers[name] = before + "," + value
		} else {
			r.Headers[name] = value
		}
	}
	if q.from == "" {
		q.from = "127.0.0.2"
	}
	source := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: q.from, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}}}}
	if strings.HasPrefix(q.from, "/") {
		source = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: q.from}}}
	}
	a, err := e.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: source}, Request: &authv3.AttributeContext_Request{Http: r}, ContextExtensions: q.says,
	}})
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if (a.GetStatus().GetCode() == int32(codes.OK)) != (a.GetOkResponse() != nil) {
		t.Fatalf("%+v: the answer says yes and no: %v", q, a)
	}
	return a
}

// get asks for GET /api/devices/7.
func (e *envoy) get(t testing.TB, headers ...string) *authv3.CheckResponse {
	t.Helper()
	return e.ask(t, attempt{method: "GET", path: "/api/devices/7", headers: headers})
}

// verdict is the status and the code that a client would see; 200 and "" where the request goes on.
func verdict(a *authv3.CheckResponse) (int, counterfoil.Code) {
	if a.GetOkResponse() != nil {
		return 200, ""
	}
	return int(a.GetDeniedResponse().GetStatus().GetCode()), response{Body: a.GetDeniedResponse().GetBody()}.code()
}

func (e *envoy) expect(t testing.TB, q attempt, status int, code counterfoil.Code) {
	t.Helper()
	if s, c := verdict(e.ask(t, q)); s != status || c != code {
		t.Errorf("%+v: %d %q, want %d %q", q, s, c, status, code)
	}
}

func headersOf(t testing.TB, options []*corev3.HeaderValueOption) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, o := range options {
		name := strings.ToLower(o.GetHeader().GetKey())
		if _, twice := found[name]; twice || o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || o.GetHeader().GetValue() == "" {
			t.Errorf("the header %v does not replace what the client sent", o)
		}
		found[name] = o.GetHeader().GetValue()
	}
	return found
}

func TestEnvoy(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	made := e.create(t, counterfoil.Draft{Permissions: []string{"devices:read", "sites:read"}})
	filter, err := e.system().CreateIPFilter(t.Context(), e.Organization.ID, counterfoil.IPFilterDraft{Name: "office", Rules: "allow 192.0.2.0/24\ndeny all"})
	if err != nil {
		t.Fatal(err)
	}
	inside := bearer(e.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}, IPFilter: filter.ID}).Secret)
	good, key := bearer(made.Secret), "X-API-Key: "+made.Secret
	const get, path = "GET", "/api/devices/7"
	permission := func(words string) map[string]string { return map[string]string{"permission": words} }
	for _, test := range []struct {
		name   string
		q      attempt
		status int
		code   counterfoil.Code
	}{
		{"Bearer", attempt{get, path, []string{good}, "", nil, false}, 200, ""},
		{"X-API-Key", attempt{get, path + "?full=1", []string{key}, "", nil, false}, 200, ""},
		{"bare", attempt{get, path, []string{"Authorization: " + made.Secret}, "", nil, false}, 200, ""},
		{"one token in both", attempt{get, path, []string{good, key}, "", nil, false}, 200, ""},
		{"headers as they came", attempt{get, path, []string{good}, "", nil, true}, 200, ""},
		{"two tokens", attempt{get, path, []string{good, "X-API-Key: " + e.OwnerToken}, "", nil, false}, 400, "multiple_credentials"},
		{"two tokens in headers of one name", attempt{get, path, []string{good, bearer(e.OwnerToken)}, "", nil, false}, 400, "multiple_credentials"},
		{"two tokens as they came", attempt{get, path, []string{good, bearer(e.OwnerToken)}, "", nil, true}, 400, "multiple_credentials"},
		{"no token", attempt{get, path, nil, "", nil, false}, 401, "missing_credentials"},
		{"a token in the query", attempt{get, path + "?access_token=" + made.Secret, nil, "", nil, false}, 401, "missing_credentials"},
		{"a wrong token", attempt{get, path, []string{good + "x"}, "", nil, false}, 401, "invalid_token"},
		{"not what it may", attempt{"DELETE", path, []string{good}, "", nil, false}, 403, "missing_permission"},
		{"not in the catalogue", attempt{get, "/api/admin", []string{good}, "", nil, false}, 403, "missing_permission"},
		{"the client's own ?permission=", attempt{get, "/api/admin?permission=devices:read", []string{good}, "", nil, false}, 403, "missing_permission"},
		{"the client names another endpoint", attempt{get, "/api/admin", []string{good, "X-Original-Uri: " + path, "X-Forwarded-Uri: " + path, "X-HTTP-Method-Override: GET"}, "", nil, false}, 403, "missing_permission"},
		{"no endpoint", attempt{"", "", []string{good}, "", nil, false}, 403, "missing_permission"},
		{"no path", attempt{"CONNECT", "", []string{good}, "", nil, false}, 403, "missing_permission"},
		{"no method", attempt{"", path, []string{good}, "", nil, false}, 403, "missing_permission"},
		{"the route's permission", attempt{get, "/elsewhere", []string{good}, "", permission("devices:read"), false}, 200, ""},
		{"two of the route's", attempt{get, "/elsewhere", []string{good}, "", permission("devices:read sites:read"), false}, 200, ""},
		{"one of two not held", attempt{get, path, []string{good}, "", permission("devices:read devices:write"), false}, 403, "missing_permission"},
		{"an empty permission", attempt{get, path, []string{good}, "", permission(" "), false}, 403, "missing_permission"},
		{"a slip of the operator's", attempt{get, path, []string{good}, "", map[string]string{"permissions": "devices:read"}, false}, 403, "missing_permission"},
		{"strict", attempt{get, path, []string{good}, "", map[string]string{"consistency": "strict"}, false}, 200, ""},
		{"another consistency", attempt{get, path, []string{good}, "", map[string]string{"consistency": "lax"}, false}, 403, "missing_permission"},
		{"from the office", attempt{get, path, []string{inside}, "192.0.2.7", nil, false}, 200, ""},
		{"from elsewhere", attempt{get, path, []string{inside}, "198.51.100.1", nil, false}, 403, "ip_not_allowed"},
		{"a spoofed hop", attempt{get, path, []string{inside, "X-Forwarded-For: 192.0.2.7"}, "198.51.100.1", nil, false}, 403, "ip_not_allowed"},
		{"through a trusted proxy", attempt{get, path, []string{inside, "X-Forwarded-For: 192.0.2.7"}, "127.0.0.1", nil, false}, 200, ""},
		{"through a trusted proxy, with Envoy's own hop", attempt{get, path, []string{inside, "X-Forwarded-For: 192.0.2.7, 127.0.0.1"}, "127.0.0.1", nil, false}, 200, ""},
		{"two lines, the left one spoofed", attempt{get, path, []string{inside, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 198.51.100.1"}, "127.0.0.1", nil, false}, 403, "ip_not_allowed"},
		{"the same as they came", attempt{get, path, []string{inside, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 198.51.100.1"}, "127.0.0.1", nil, true}, 403, "ip_not_allowed"},
		{"an IPv4-mapped address", attempt{get, path, []string{inside}, "::ffff:192.0.2.7", nil, false}, 200, ""},
		{"an unknown address", attempt{get, path, []string{inside}, "nowhere", nil, false}, 403, "ip_not_allowed"},
		{"a unix socket", attempt{get, path, []string{inside}, "/run/envoy.sock", nil, false}, 403, "ip_not_allowed"},
		{"an unknown address and no filter", attempt{get, path, []string{good}, "nowhere", nil, false}, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) { e.expect(t, test.q, test.status, test.code) })
	}
	for _, q := range []*authv3.CheckRequest{{}, {Attributes: &authv3.AttributeContext{}}} {
		a, err := e.Check(t.Context(), q)
		if status, code := verdict(a); err != nil || status != 401 || code != "missing_credentials" {
			t.Errorf("an empty question: %v, %v", a, err)
		}
	}
}

// What the API is told comes from Counterfoil, whatever the client says.
func TestEnvoyIdentity(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	made := e.create(t, counterfoil.Draft{Permissions: []string{"devices:read", "sites:read"}})
	forged := []string{"X-Token-Id: forged", "X-Organization-Id: forged", "X-Owner-Id: forged", "X-Token-Permissions: forged", "Token-Expires-At: forged"}
	names := []string{"token-expires-at", "x-organization-id", "x-owner-id", "x-token-id", "x-token-permissions"}
	for _, test := range []struct{ token, id, owner, expires string }{
		{made.Secret, made.Token.ID, "", ""},
		{e.OwnerToken, "tok_" + e.OwnerToken[8:20], e.Owner.ID, "soon"},
	} {
		ok := e.get(t, append(forged, bearer(test.token))...).GetOkResponse()
		if ok == nil {
			t.Fatal("refused")
		}
		told := headersOf(t, ok.GetHeaders())
		if told["x-token-id"] != test.id || told["x-owner-id"] != test.owner || told["x-organization-id"] != e.Organization.ID || !strings.Contains(told["x-token-permissions"], "devices:read") || (told["token-expires-at"] != "") != (test.expires != "") {
			t.Errorf("the API is told %v", told)
		}
		replaced := slices.Sorted(maps.Keys(told))
		for _, name := range ok.GetHeadersToRemove() {
			replaced = append(replaced, strings.ToLower(name))
		}
		if slices.Sort(replaced); !slices.Equal(replaced, names) {
			t.Errorf("of %v, only %v are replaced or removed", names, replaced)
		}
		client := headersOf(t, ok.GetResponseHeadersToAdd())
		if at, err := time.Parse(time.RFC3339, client["token-expires-soon"]); (test.expires != "") != (err == nil) || err == nil && at.Format(time.RFC3339) != told["token-expires-at"] {
			t.Errorf("the client is told %v", client)
		}
	}
}

// A refusal is the problem that forward authentication answers with.
func TestEnvoyRefusal(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	made := e.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	if status, _ := verdict(e.get(t, bearer(made.Secret))); status != 200 {
		t.Fatal(status)
	}
	if _, err := e.system().RevokeToken(t.Context(), e.Organization.ID, made.Token.ID, "lost"); err != nil {
		t.Fatal(err)
	}
	a := e.ask(t, attempt{method: "GET", path: "/api/devices/7", headers: []string{bearer(made.Secret)}, from: "127.0.0.1"}) // as the other: one refusal, one reference
	overHTTP := send(t, e.address, request{line: "GET /v1/authorize", headers: []string{bearer(made.Secret), "X-Original-Method: GET", "X-Original-URI: /api/devices/7"}})
	problem := func(body string) (p map[string]any) {
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		return p
	}
	headers := headersOf(t, a.GetDeniedResponse().GetHeaders())
	here, there := problem(a.GetDeniedResponse().GetBody()), problem(overHTTP.Body)
	if here["request_id"] != headers["x-request-id"] || len(headers["x-request-id"]) < 10 {
		t.Errorf("the request id is %v and %q", here["request_id"], headers["x-request-id"])
	}
	delete(here, "request_id")
	delete(there, "request_id")
	if status, _ := verdict(a); status != 401 || a.GetStatus().GetCode() != int32(codes.Unauthenticated) || !maps.Equal(here, there) || here["code"] != "token_revoked" {
		t.Errorf("%v, and over HTTP %v", here, there)
	}
	for _, name := range []string{"WWW-Authenticate", "Content-Type", "Cache-Control"} {
		if got, want := headers[strings.ToLower(name)], overHTTP.Header.Get(name); got != want || got == "" {
			t.Errorf("%s is %q, and over HTTP %q", name, got, want)
		}
	}
}

// However a path is written, no reading of it is one that the token does not open.
func TestEnvoyPaths(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	made := e.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	for _, target := range tricks {
		if status, _ := verdict(e.ask(t, attempt{method: "GET", path: target, headers: []string{bearer(made.Secret)}})); status != 200 {
			continue
		}
		for _, p := range readings(target) {
			if strings.HasPrefix(strings.TrimLeft(p, "/"), "api/admin") {
				t.Errorf("%s is let through, and it is also %s", target, p)
			}
		}
	}
	for _, target := range []string{"/api/devices/7", "/api/devices/a%20b", "/api/devices/%41", "/api/devices?x=..%2fadmin", "/api/devices/a..b"} {
		e.expect(t, attempt{method: "GET", path: target, headers: []string{bearer(made.Secret)}}, 200, "")
	}
}
