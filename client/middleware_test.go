package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// TestMiddleware runs the example.
func TestMiddleware(t *testing.T) {
	s := counterfoiltest.Start(t)
	gateway, err := s.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "gateway", Permissions: []string{counterfoil.PermTokensVerify}})
	if err != nil {
		t.Fatal(err)
	}
	product := httptest.NewServer(guarded(s.As(gateway.Secret), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Organization-Id"))
	})))
	defer product.Close()
	ask := func(method, path, token string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, product.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := product.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	reader := s.Token(t, "devices:read").Secret
	if status, body := ask("GET", "/api/devices/7", reader); status != 200 || body != s.Organization.ID {
		t.Errorf("a reader who reads: %d %s", status, body)
	}
	for _, test := range []struct {
		name, method, path, token string
		want                      int
	}{
		{"a reader who writes", "DELETE", "/api/devices/7", reader, 403},
		{"an endpoint that is not listed", "GET", "/api/secrets", reader, 403},
		{"a token that is none", "GET", "/api/devices/7", "x", 401},
		{"no token", "GET", "/api/devices/7", "", 401},
	} {
		if status, body := ask(test.method, test.path, test.token); status != test.want {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	s.Stop()
	if status, body := ask("GET", "/api/devices/7", reader); status != 503 {
		t.Errorf("with the server gone: %d %s", status, body)
	}
}
