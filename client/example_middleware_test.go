package client_test

import (
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// guarded lets a request through to next only when its token may be used for this endpoint, as the catalogue lists it,
// from this address.
func guarded(counter *client.Client, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ip, _, _ := net.SplitHostPort(r.RemoteAddr)
		verdict, err := counter.Verify(r.Context(), counterfoil.Question{
			Token:    strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
			Endpoint: r.Method + " " + r.URL.EscapedPath(),
			IP:       ip,
		})
		switch {
		case err != nil: // nobody knows, so nobody is let in
			log.Print(err)
			http.Error(w, "Try again shortly.", http.StatusServiceUnavailable)
		case verdict.Active:
			r.Header.Set("X-Organization-Id", organization(verdict))
			next.ServeHTTP(w, r)
		case verdict.Code == counterfoil.CodeMissingPermission, verdict.Code == counterfoil.CodeIPNotAllowed:
			http.Error(w, verdict.Message+" "+verdict.Reference, http.StatusForbidden)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, verdict.Message, http.StatusUnauthorized)
		}
	})
}

func organization(v counterfoil.Verdict) string {
	if v.Organization == nil { // a system token
		return ""
	}
	return v.Organization.ID
}

// A product asks the server about each request's token. Its own token, the gateway's, holds counterfoil.tokens:verify.
func Example_middleware() {
	counter := client.New("https://tokens.example.com", os.Getenv("COUNTERFOIL_TOKEN"))
	devices := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("devices of " + r.Header.Get("X-Organization-Id")))
	})
	http.Handle("/api/devices/", guarded(counter, devices))
}
