package envoy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// A refusal reaches a client through the product's host, where a relative type would point: where the public address is known, the
// type is whole.
func TestRefusalsPointHere(t *testing.T) {
	for public, want := range map[string]string{"": "/docs/errors#", "https://tokens.example.com/": "https://tokens.example.com/docs/errors#"} {
		s := counterfoiltest.Start(t, counterfoiltest.WithConfig(func(c *server.Config) { c.URL, c.EnvoyListen = public, "127.0.0.1:0" }))
		a, err := authv3.NewAuthorizationClient(dial(t, s.EnvoyAddress)).Check(t.Context(), question("nonsense", "/api/devices", nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := typeOf(t, a.GetDeniedResponse().GetBody()); got != want+"invalid_token" {
			t.Errorf("at %q Envoy gets the type %q", public, got)
		}
		for path, code := range map[string]string{"/v1/authorize": "missing_credentials", "/v1/nowhere": "not_found", "/v1/tokens/current": "missing_credentials"} {
			r, err := http.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if got := typeOf(t, string(body)); got != want+code {
				t.Errorf("at %q %s has the type %q", public, path, got)
			}
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

func typeOf(t *testing.T, body string) string {
	t.Helper()
	var p struct{ Type string }
	if err := json.NewDecoder(strings.NewReader(body)).Decode(&p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return p.Type
}
