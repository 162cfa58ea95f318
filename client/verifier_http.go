package client

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Guard configures [Verifier.Middleware]. The zero value asks the catalogue which permissions open a request's endpoint, and takes
// the connection's peer for the client.
type Guard struct {
	// Permissions are what a request needs; nil: its method and path are looked up in the catalogue.
	Permissions func(*http.Request) []string
	// ClientIP is the end client's address; nil: the connection's peer. Behind a proxy that is the proxy.
	ClientIP func(*http.Request) netip.Addr
}

type verdictKey struct{}

// VerdictOf is the verdict by which the middleware let a request through.
func VerdictOf(ctx context.Context) (counterfoil.Verdict, bool) {
	v, ok := ctx.Value(verdictKey{}).(counterfoil.Verdict)
	return v, ok
}

// Middleware lets a request through to next when its token may be used for it, with the verdict in its context (VerdictOf). Any
// other is answered with a problem (RFC 9457): 401, 403, or 503 where nobody knows. The token is that of Authorization, with or
// without Bearer, or of X-API-Key; two different ones are 400.
func (v *Verifier) Middleware(next http.Handler, g Guard) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, code := presented(r.Header)
		if code != "" {
			refuse(w, counterfoil.Verdict{Code: code})
			return
		}
		attempt := counterfoil.Attempt{IP: peer(r)}
		if g.ClientIP != nil {
			attempt.IP = g.ClientIP(r)
		}
		if g.Permissions != nil {
			attempt.Permissions = g.Permissions(r)
		} else {
			attempt.Method, attempt.Path = r.Method, r.URL.EscapedPath()
		}
		verdict, err := v.Verify(r.Context(), token, attempt)
		switch {
		case err != nil:
			refuse(w, counterfoil.Verdict{Code: counterfoil.CodeUnavailable, Message: "The token could not be checked. Try again shortly."})
		case !verdict.Active:
			refuse(w, verdict)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), verdictKey{}, verdict)))
		}
	})
}

// presented is the one credential of a request, or why there is none.
func presented(h http.Header) (token string, code counterfoil.Code) {
	for _, name := range []string{"Authorization", "X-Api-Key"} {
		for _, value := range h[name] {
			value = strings.TrimSpace(value)
			if name == "Authorization" {
				if scheme, rest, two := strings.Cut(value, " "); two {
					if !strings.EqualFold(scheme, "Bearer") {
						continue
					}
					value = strings.TrimSpace(rest)
				}
			}
			if value == "" || value == token {
				continue
			}
			if token != "" {
				return "", counterfoil.CodeMultipleCredentials
			}
			token = value
		}
	}
	if token == "" {
		return "", counterfoil.CodeMissingCredentials
	}
	return token, ""
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip, _ := netip.ParseAddr(host) // an unknown address is refused by every filter
	return ip.Unmap().WithZone("")
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, v counterfoil.Verdict) {
	status, title := http.StatusForbidden, "The token may not be used for this"
	switch v.Code {
	case counterfoil.CodeMultipleCredentials:
		status, title = http.StatusBadRequest, "Two different credentials were presented"
	case counterfoil.CodeMissingCredentials, counterfoil.CodeInvalidToken, counterfoil.CodeTokenExpired, counterfoil.CodeTokenRevoked, counterfoil.CodeTokenPaused:
		status, title = http.StatusUnauthorized, "The request needs a token that is good"
		challenge := "Bearer"
		if v.Code != counterfoil.CodeMissingCredentials {
			challenge += ` error="invalid_token"` // RFC 6750 section 3.1
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case counterfoil.CodeWrongDataCenter:
		status, title = http.StatusMisdirectedRequest, "The token belongs to another data centre"
	case counterfoil.CodeUnavailable:
		status, title = http.StatusServiceUnavailable, "The service is unavailable"
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	body := map[string]any{"type": "about:blank", "title": title, "status": status, "code": v.Code, "detail": v.Message}
	if v.Reference != "" {
		body["reference"] = v.Reference
	}
	_ = json.NewEncoder(w).Encode(body)
}
