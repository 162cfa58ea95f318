package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/nginxtest"
)

// gateway is an nginx with examples/nginx.conf before an upstream and a served instance.
type gateway struct {
	*instance
	upstream *upstream
	address  string
}

func startGateway(t testing.TB) *gateway { t.Helper(); return startGatewayAs(t, "127.0.0.1", nil) }

// startGatewayAs starts one whose Counterfoil believes these proxies, and changes the example further.
func startGatewayAs(t testing.TB, proxies string, changes map[string]string) *gateway {
	t.Helper()
	g := &gateway{instance: serveNew(t, "", "--trusted-proxies", proxies), upstream: startUpstream(t)}
	text, err := os.ReadFile("../../examples/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	base := nginxtest.Start(t, func(port int, _ string) string {
		conf := string(text)
		all := map[string]string{
			"listen 80;":             fmt.Sprintf("listen 127.0.0.1:%d;", port),
			"server 127.0.0.1:8080;": "server " + g.instance.address + ";",
			"server 127.0.0.1:9000;": "server " + g.upstream.address() + ";",
		}
		maps.Copy(all, changes)
		for from, to := range all {
			if strings.Count(conf, from) != 1 {
				t.Fatalf("examples/nginx.conf has %q %d times", from, strings.Count(conf, from))
			}
			conf = strings.Replace(conf, from, to, 1)
		}
		return conf
	})
	g.address = strings.TrimPrefix(base, "http://")
	return g
}

func (g *gateway) send(t testing.TB, q request) response { t.Helper(); return send(t, g.address, q) }

// create makes an organization token.
func (in *instance) create(t testing.TB, draft counterfoil.Draft) counterfoil.Created {
	t.Helper()
	draft.Kind = counterfoil.KindOrganization
	if draft.Name == "" {
		draft.Name = t.Name()
	}
	made, err := in.system().CreateToken(t.Context(), in.Organization.ID, draft)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestGateway(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	good := bearer(made.Secret)
	for _, test := range []struct {
		name    string
		request request
		status  int
		code    counterfoil.Code // "" where the API answers
	}{
		{"Bearer", request{line: "GET /api/devices/7", headers: []string{good}}, 200, ""},
		{"X-API-Key", request{line: "GET /api/devices/7?full=1", headers: []string{"X-API-Key: " + made.Secret}}, 200, ""},
		{"bare Authorization", request{line: "GET /api/devices", headers: []string{"Authorization: " + made.Secret}}, 200, ""},
		{"HEAD", request{line: "HEAD /api/devices/7", headers: []string{good}}, 200, ""},
		{"HEAD without permission", request{line: "HEAD /api/sites/7", headers: []string{good}}, 403, ""},
		{"no permission", request{line: "DELETE /api/devices/7", headers: []string{good}}, 403, counterfoil.CodeMissingPermission},
		{"no permission, with a body", request{line: "POST /api/devices", headers: []string{good}, body: strings.Repeat("x", 1<<17)}, 403, counterfoil.CodeMissingPermission},
		{"an endpoint that nobody lists", request{line: "GET /api/admin", headers: []string{good}}, 403, counterfoil.CodeMissingPermission},
		{"?permission= of the client's own", request{line: "GET /api/admin?permission=devices:read", headers: []string{good}}, 403, counterfoil.CodeMissingPermission},
		{"no token", request{line: "GET /api/devices/7"}, 401, counterfoil.CodeMissingCredentials},
		{"a token in the query", request{line: "GET /api/devices/7?access_token=" + made.Secret}, 401, counterfoil.CodeMissingCredentials},
		{"a wrong token", request{line: "GET /api/devices/7", headers: []string{bearer(made.Secret[:len(made.Secret)-1] + "!")}}, 401, counterfoil.CodeInvalidToken},
		{"two tokens", request{line: "GET /api/devices/7", headers: []string{good, "X-API-Key: " + g.OwnerToken}}, 401, counterfoil.CodeMultipleCredentials},
		{"the API's own 403", request{line: "GET /api/devices/upstream-says-403", headers: []string{good}}, 403, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.upstream.take()
			r := g.send(t, test.request)
			if r.StatusCode != test.status || r.code() != test.code {
				t.Errorf("%d %q, want %d %q; %s", r.StatusCode, r.code(), test.status, test.code, r.Body)
			}
			head := strings.HasPrefix(test.request.line, "HEAD")
			opened := test.code == "" && (test.status == 200 || !head)
			if came := g.upstream.take(); len(came) != map[bool]int{true: 1}[opened] {
				t.Errorf("upstream saw %+v", came)
			}
			g.checkHeaders(t, r, opened)
		})
	}
}

// checkHeaders looks for what a refusal must tell, and what no answer may.
func (g *gateway) checkHeaders(t *testing.T, r response, opened bool) {
	t.Helper()
	challenges := r.Header.Values("WWW-Authenticate")
	if want := !opened && (r.StatusCode == 401 || r.code() == counterfoil.CodeMissingPermission); want && (len(challenges) != 1 || !strings.HasPrefix(challenges[0], "Bearer ")) {
		t.Errorf("WWW-Authenticate is %q", challenges)
	}
	if !opened && (r.Header.Get("Content-Type") != "application/problem+json" || r.Header.Get("Cache-Control") != "no-store") {
		t.Errorf("a refusal has the headers %v", r.Header)
	}
	for _, name := range []string{"X-Token-Id", "X-Organization-Id", "X-Owner-Id", "X-Token-Permissions", "Token-Expires-At"} {
		if r.Header.Get(name) != "" {
			t.Errorf("the client is told %s", name)
		}
	}
}

// What the API is told comes from Counterfoil, whatever the client says.
func TestGatewayIdentity(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read", "sites:read"}})
	identities := []string{"X-Token-Id", "X-Organization-Id", "X-Owner-Id", "X-Token-Permissions"}
	for _, test := range []struct {
		token string
		want  []string
	}{
		{made.Secret, []string{made.Token.ID, g.Organization.ID, "", "devices:read sites:read"}},
		{g.OwnerToken, []string{"tok_" + g.OwnerToken[8:20], g.Organization.ID, g.Owner.ID, ""}},
	} {
		headers := []string{bearer(test.token), "X_Token_Id: forged", "X-HTTP-Method-Override: DELETE", "X-Original-Method: DELETE", "X-Forwarded-Uri: /api/sites", "X-Original-URL: /api/sites"}
		for _, name := range identities {
			headers = append(headers, name+": forged", strings.ToLower(name)+": forged")
		}
		r := g.send(t, request{line: "GET /api/devices/7", headers: headers})
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.Body)
		}
		came := g.upstream.take()[0]
		for i, name := range identities {
			got := came.Header.Values(name)
			if name == "X-Token-Permissions" && test.want[i] == "" {
				if len(got) != 1 || !slices.Contains(strings.Fields(got[0]), "counterfoil.tokens:write") {
					t.Errorf("%s is %q", name, got)
				}
			} else if strings.Join(got, "|") != test.want[i] {
				t.Errorf("%s is %q, want %q", name, got, test.want[i])
			}
		}
		if text := fmt.Sprint(came); strings.Contains(text, "forged") || strings.Contains(text, test.token) || strings.Contains(text, "Method-Override") {
			t.Errorf("upstream sees %s", text)
		}
	}
}

// The next call after a revocation, an edit, a pause or the end of its life is refused.
func TestGatewayTakesBack(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	get := func(t *testing.T, token string, status int, code counterfoil.Code) {
		t.Helper()
		r := g.send(t, request{line: "GET /api/devices/7", headers: []string{bearer(token)}})
		if r.StatusCode != status || r.code() != code {
			t.Errorf("%d %q, want %d %q", r.StatusCode, r.code(), status, code)
		}
	}
	system, org := g.system(), g.Organization.ID
	draft := counterfoil.Draft{Permissions: []string{"devices:read"}}
	t.Run("revoke", func(t *testing.T) {
		for range 20 {
			made := g.create(t, draft)
			get(t, made.Secret, 200, "")
			if _, err := system.RevokeToken(t.Context(), org, made.Token.ID, "lost"); err != nil {
				t.Fatal(err)
			}
			get(t, made.Secret, 401, counterfoil.CodeTokenRevoked)
		}
	})
	t.Run("revoke itself", func(t *testing.T) {
		made := g.create(t, draft)
		if _, err := g.as(made.Secret).RevokeCurrentToken(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		get(t, made.Secret, 401, counterfoil.CodeTokenRevoked)
	})
	t.Run("edit, pause and rotate", func(t *testing.T) {
		made := g.create(t, draft)
		get(t, made.Secret, 200, "")
		edit := func(e counterfoil.Edit) {
			t.Helper()
			if _, err := system.EditToken(t.Context(), org, made.Token.ID, e); err != nil {
				t.Fatal(err)
			}
		}
		edit(counterfoil.Edit{Permissions: &[]string{"sites:read"}})
		get(t, made.Secret, 403, counterfoil.CodeMissingPermission)
		edit(counterfoil.Edit{Permissions: &draft.Permissions, Paused: new(true)})
		get(t, made.Secret, 401, counterfoil.CodeTokenPaused)
		edit(counterfoil.Edit{Paused: new(false)})
		get(t, made.Secret, 200, "")
		rotated, err := system.RotateToken(t.Context(), org, made.Token.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		get(t, made.Secret, 401, counterfoil.CodeTokenRevoked)
		get(t, rotated.Secret, 200, "")
	})
	t.Run("expire", func(t *testing.T) {
		made := g.create(t, counterfoil.Draft{Permissions: draft.Permissions, ExpiresIn: new(int64(2))})
		get(t, made.Secret, 200, "")
		time.Sleep(time.Until(*made.Token.ExpiresAt)) // the very moment is too late
		get(t, made.Secret, 401, counterfoil.CodeTokenExpired)
	})
	if v, err := system.ListTokens(t.Context(), org, client.TokenQuery{Status: counterfoil.StatusRevoked}); err != nil || len(v.Data) != 21 {
		t.Errorf("%d revoked tokens, %v; want 21", len(v.Data), err)
	}
}

// A client learns from the gateway that its token expires within 14 days.
func TestGatewaySaysExpiry(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	for seconds, want := range map[int64]bool{13 * 86400: true, 15 * 86400: false} {
		made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}, ExpiresIn: &seconds})
		r := g.send(t, request{line: "GET /api/devices/7", headers: []string{bearer(made.Secret)}})
		at, err := time.Parse(time.RFC3339, r.Header.Get("Token-Expires-Soon"))
		if r.StatusCode != 200 || (err == nil) != want || want && !at.Equal(made.Token.ExpiresAt.Truncate(time.Second)) {
			t.Errorf("a token that expires in %d days: %d, %v", seconds/86400, r.StatusCode, r.Header)
		}
	}
}
