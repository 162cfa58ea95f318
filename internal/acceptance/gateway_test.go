package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// forwardAuth: what nginx, Traefik and Caddy send, what they get, and what a client may add to it.
func forwardAuth(t *testing.T, o *tenant) {
	reader := o.personal(t, o.owner, "devices:read", "sites:read")
	const (
		fm, fu = "X-Forwarded-Method", "X-Forwarded-Uri"
		om, ou = "X-Original-Method", "X-Original-URI"
		ol     = "X-Original-URL"
	)
	for _, test := range []struct {
		name, want string
		query      string
		headers    []string
	}{
		{"neither permission nor endpoint: authenticated", "200", "", nil},
		{"a permission", "200", "?permission=devices:read", nil},
		{"two permissions", "200", "?permission=devices:read&permission=sites:read", nil},
		{"one of two not held", "403 missing_permission", "?permission=devices:read&permission=devices:write", nil},
		{"an empty permission", "403 missing_permission", "?permission=", nil},
		{"a query that cannot be read", "403 missing_permission", "?permission=%zz", nil},
		{"Traefik and Caddy", "200", "", []string{fm, "GET", fu, "/api/devices/7?x=1"}},
		{"nginx", "200", "", []string{om, "GET", ou, "/api/devices/7?x=1"}},
		{"an ingress with the whole URL", "200", "", []string{om, "GET", ol, "https://app.example/api/devices/7?x=1"}},
		{"both families, agreeing", "200", "", []string{fm, "GET", fu, "/api/devices", om, "GET", ou, "/api/devices"}},
		{"not what the token may", "403 missing_permission", "", []string{fm, "DELETE", fu, "/api/devices/7"}},
		{"not in the catalogue", "403 missing_permission", "", []string{fm, "GET", fu, "/admin"}},
		{"a method that is not listed", "403 missing_permission", "", []string{fm, "PATCH", fu, "/api/devices/7"}},
		{"a method in small letters", "403 missing_permission", "", []string{fm, "get", fu, "/api/devices/7"}},
		{"a path alone", "403 missing_permission", "", []string{fu, "/api/devices"}},
		{"a method alone", "403 missing_permission", "", []string{fm, "GET"}},
		{"no path at all in it", "403 missing_permission", "", []string{fm, "GET", fu, "api/devices"}},

		{"spoofed: the client adds a path to the gateway's", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices", ou, "/admin"}},
		{"spoofed: the gateway's is the other family", "403 missing_permission", "", []string{om, "DELETE", ou, "/api/devices/7", fm, "GET", fu, "/api/devices/7"}},
		{"spoofed: a method beside the gateway's", "403 missing_permission", "", []string{fm, "DELETE", fu, "/api/devices/7", om, "GET"}},
		{"spoofed: the same header twice", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices", fu, "/admin"}},
		{"spoofed: a whole URL beside the gateway's path", "403 missing_permission", "", []string{om, "GET", ou, "/api/devices", ol, "https://app.example/admin"}},
		{"spoofed: another host's URL with two values", "403 missing_permission", "", []string{om, "GET", ol, "https://a/api/devices", ol, "https://b/admin"}},

		{"a permission, and the client's own query beside it", "200", "?permission=devices:read", []string{fm, "GET", fu, "/api/devices?x=1"}},
		{"spoofed: the client's query is the gateway's question", "403 missing_permission", "?permission=devices:read", []string{fm, "GET", fu, "/admin?permission=devices:read"}},
		{"dot segments", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/../secrets"}},
		{"dot segments, encoded", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/%2e%2e/secrets"}},
		{"dot segments, encoded twice", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/%252e%252e"}},
		{"one dot", "403 missing_permission", "", []string{fm, "GET", fu, "/api/./devices"}},
		{"an encoded slash", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/7%2fsecrets"}},
		{"a backslash", "403 missing_permission", "", []string{fm, "GET", fu, `/api/devices/7\secrets`}},
		{"an encoded backslash", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/7%5csecrets"}},
		{"a path parameter", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/7;admin=1"}},
		{"two slashes", "403 missing_permission", "", []string{fm, "GET", fu, "/api//devices"}},
		{"a trailing slash", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/"}},
		{"other case", "403 missing_permission", "", []string{fm, "GET", fu, "/API/devices"}},
		{"an invalid encoding", "403 missing_permission", "", []string{fm, "GET", fu, "/api/devices/%zz"}},
		{"an encoded letter is that letter", "200", "", []string{fm, "GET", fu, "/api/%64evices"}},
		{"dot segments in the whole URL", "403 missing_permission", "", []string{om, "GET", ol, "https://app.example/api/devices/../secrets"}},
	} {
		a := o.ask(t, reader.secret, "GET /v1/authorize"+test.query, "", test.headers...)
		expect(t, test.name, a, test.want)
		if a.status != 200 && a.header.Get("X-Token-Id") != "" {
			t.Errorf("%s: a refusal names the token in its headers", test.name)
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		a := o.ask(t, reader.secret, method+" /v1/authorize?permission=devices:read", "")
		if a.status != 200 {
			t.Errorf("%s /v1/authorize: %s", method, a)
		}
	}
	whatTheUpstreamLearns(t, o, reader)
	// The client's own headers of the answer's names are no credential and change nothing.
	a := o.ask(t, "", "GET /v1/authorize", "", "X-Token-Id", reader.id, "X-Owner-Id", o.owner)
	expect(t, "a client that names itself", a, "401 missing_credentials")
	spoofed := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, IPFilter: officeFilter(t, o)})
	for _, headers := range [][]string{{"X-Forwarded-For", "192.0.2.1"}, {"X-Real-IP", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1"}, {"X-Forwarded-For", "192.0.2.1, 127.0.0.1"}} {
		expect(t, "an untrusted peer's "+headers[0], o.ask(t, spoofed.secret, "GET /v1/authorize", "", headers...), "403 ip_not_allowed")
		expect(t, "an untrusted peer's "+headers[0]+" at this API", o.ask(t, spoofed.secret, "GET permissions", "", headers...), "403 ip_not_allowed")
	}
}

// officeFilter makes a filter that has 192.0.2.0/24 alone.
func officeFilter(t *testing.T, o *tenant) string {
	t.Helper()
	return must(t, "filter", o.ask(t, o.token, "POST ip-filters", `{"name":"office","rules":"allow 192.0.2.0/24"}`), "201").at("id")
}

func whatTheUpstreamLearns(t *testing.T, o *tenant, reader made) {
	a := o.ask(t, reader.secret, "GET /v1/authorize", "")
	for name, want := range map[string]string{"X-Token-Id": reader.id, "X-Organization-Id": o.id, "X-Owner-Id": o.owner, "X-Token-Permissions": "devices:read sites:read", "Cache-Control": "no-store"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("an accepted personal token: %s is %q, want %q", name, got, want)
		}
	}
	at, err := time.Parse(time.RFC3339, a.header.Get("Token-Expires-At"))
	if err != nil || (time.Until(at)-90*24*time.Hour).Abs() > time.Minute {
		t.Errorf("Token-Expires-At is %q", a.header.Get("Token-Expires-At"))
	}
	b := o.ask(t, o.orgToken(t).secret, "GET /v1/authorize", "")
	for _, name := range []string{"X-Owner-Id", "Token-Expires-At"} {
		if got, there := b.header[name]; there {
			t.Errorf("an organization token without an expiry: %s is %q", name, got)
		}
	}
	if len(a.body) != 0 {
		t.Errorf("an accepted request has the body %q", a.body)
	}
	refused := o.ask(t, "hello", "GET /v1/authorize", "")
	expectAt(t, "a refused request's problem", refused, "code", "invalid_token")
	if !strings.HasPrefix(refused.header.Get("WWW-Authenticate"), "Bearer") {
		t.Error("a 401 without WWW-Authenticate")
	}
}

// TestBehindProxies: X-Forwarded-For counts hop by hop from the right through trusted_proxies.
func TestBehindProxies(t *testing.T) {
	w := newWorld(t, "", counterfoiltest.WithConfig(func(c *server.Config) { c.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.0/8"} }))
	o := w.tenant(t)
	token := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"devices:read"}, IPFilter: officeFilter(t, o)})
	for _, test := range []struct {
		name, want string
		lines      []string
	}{
		{"the peer itself", "403", nil},
		{"the client", "200", []string{"192.0.2.7"}},
		{"the client, through another trusted hop", "200", []string{"192.0.2.7, 10.1.1.1"}},
		{"two lines are one list", "200", []string{"192.0.2.7", "10.1.1.1"}},
		{"what the client wrote itself is not believed", "403", []string{"192.0.2.7, 198.51.100.1"}},
		{"nor what stands left of the client", "200", []string{"198.51.100.1, 192.0.2.7, 10.1.1.1"}},
		{"a hop that cannot be read", "403", []string{"192.0.2.7, unknown"}},
		{"an empty hop", "403", []string{"192.0.2.7, "}},
		{"with a port", "200", []string{"192.0.2.7:4711"}},
		{"IPv4-mapped", "200", []string{"::ffff:192.0.2.7"}},
		{"in brackets with a port", "200", []string{"[::ffff:192.0.2.7]:4711"}},
		{"Forwarded is not read", "403", []string{""}},
	} {
		headers := []string{"Forwarded", "for=192.0.2.7", "X-Real-IP", "192.0.2.7"}
		for _, line := range test.lines {
			headers = append(headers, "X-Forwarded-For", line)
		}
		want := test.want
		if want == "403" {
			want = "403 ip_not_allowed"
		}
		expect(t, test.name, o.ask(t, token.secret, "GET /v1/authorize?permission=devices:read", "", headers...), want)
		expect(t, test.name+", this API", o.ask(t, token.secret, "GET permissions", "", headers...), want)
	}
	a := o.ask(t, o.token, "GET tokens/"+token.id, "")
	eventually(t, "the client's address as the last use", func() bool {
		a = o.ask(t, o.token, "GET tokens/"+token.id, "")
		return a.at("last_used.ip") == "192.0.2.7"
	})
}
