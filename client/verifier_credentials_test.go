package client

import (
	"errors"
	"net/http"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// The middleware takes for the credential what the service does.
func TestCredentialIsTheServices(t *testing.T) {
	values := []string{"", " ", "a", "b", "Bearer a", "bearer  a", "Bearer\ta", "BEARER b ", "Bearer", "Bearer ", "Basic a", "Basic", "a b", "\ta", "Bearer Bearer a", "Token a", "Bearer a b",
		" Bearer a", "\u00a0a", "a\u00a0", "Bearer \u00a0a", "a,b", "\u00a0", "\va"}
	for _, first := range values {
		for _, second := range values {
			for _, key := range values {
				h := http.Header{"Authorization": {first, second}, "X-Api-Key": {key}}
				want, err := web.Credential(&http.Request{Header: h})
				refused := &counterfoil.Error{}
				_ = errors.As(err, &refused)
				if token, code := presented(h); token != want || code != refused.Code {
					t.Errorf("%q: %q %q, the service has %q %q", h, token, code, want, refused.Code)
				}
			}
		}
	}
}
