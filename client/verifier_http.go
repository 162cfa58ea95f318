package client

import (
	"cmp"
	"context"
	"crypto/rand"
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
			refuse(w, counterfoil.Verdict{Code: code, Message: details[code]})
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
			refuse(w, counterfoil.Verdict{Code: counterfoil.CodeUnavailable, Message: details[counterfoil.CodeUnavailable]})
		case !verdict.Active:
			refuse(w, verdict)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), verdictKey{}, verdict)))
		}
	})
}

// presented is the one credential of a request, or why there is none: by the service's rules.
func presented(h http.Header) (token string, code counterfoil.Code) {
	const blanks = " \t"
	var values []string
	for _, value := range h["Authorization"] {
		value = strings.Trim(value, blanks)
		scheme := value
		if end := strings.IndexAny(value, blanks); end >= 0 {
			scheme = value[:end]
		}
		switch {
		case strings.EqualFold(scheme, "Bearer"):
			values = append(values, strings.Trim(value[len(scheme):], blanks))
		case scheme == value:
			values = append(values, value)
		}
	}
	for _, value := range h["X-Api-Key"] {
		values = append(values, strings.Trim(value, blanks))
	}
	for _, value := range values {
		switch {
		case value == "" || value == token:
		case token != "":
			return "", counterfoil.CodeMultipleCredentials
		default:
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

// titles are the service's.
var titles = map[counterfoil.Code]string{
	counterfoil.CodeMultipleCredentials:   "The request carries two different credentials",
	counterfoil.CodeMissingCredentials:    "The request carries no token",
	counterfoil.CodeInvalidToken:          "The token is not valid",
	counterfoil.CodeTokenExpired:          "The token has expired",
	counterfoil.CodeTokenRevoked:          "The token was revoked",
	counterfoil.CodeTokenPaused:           "The token is paused",
	counterfoil.CodeMissingPermission:     "The token lacks a permission",
	counterfoil.CodeIPNotAllowed:          "The client address is not allowed",
	counterfoil.CodeKindDisabled:          "The organization does not allow this kind of token",
	counterfoil.CodeMaxLifetimeExceeded:   "The token is older than the organization allows",
	counterfoil.CodeOrganizationSuspended: "The organization is suspended",
	counterfoil.CodeOwnerInactive:         "The owner of the token is not active",
	counterfoil.CodeWrongAudience:         "The token is for another API",
	counterfoil.CodeWrongDataCenter:       "The token belongs to another data center",
	counterfoil.CodeUnavailable:           "Unavailable for the moment",
}

// details are the service's, of refusals without a verdict of its.
var details = map[counterfoil.Code]string{
	counterfoil.CodeMultipleCredentials: "The request carries two different credentials; send one.",
	counterfoil.CodeMissingCredentials:  "Send a token as Authorization: Bearer <token> or X-API-Key: <token>.",
	counterfoil.CodeUnavailable:         "The service cannot answer right now. Try again.",
}

// refusalBody is the problem of a refusal, with the members of the service's own.
type refusalBody struct {
	Type      string           `json:"type"`
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Code      counterfoil.Code `json:"code"`
	Detail    string           `json:"detail"`
	RequestID string           `json:"request_id"`
}

// refuse answers with a problem. Its request id is what X-Request-Id of the answer names already, or else a new one.
func refuse(w http.ResponseWriter, v counterfoil.Verdict) {
	h := w.Header()
	p := refusalBody{Type: "/docs/errors#" + string(v.Code), Title: cmp.Or(titles[v.Code], "The token may not be used"), Status: http.StatusForbidden, Code: v.Code, RequestID: h.Get("X-Request-Id")}
	p.Detail = cmp.Or(v.Message, p.Title+".")
	if v.Reference != "" {
		p.Detail += " Reference: " + v.Reference
	}
	if p.RequestID == "" {
		p.RequestID = strings.ToLower(rand.Text()[:16])
		h.Set("X-Request-Id", p.RequestID)
	}
	const bearer, described = `Bearer realm="counterfoil"`, `, error_description="`
	switch v.Code { // RFC 6750 section 3.1
	case counterfoil.CodeMultipleCredentials:
		p.Status = http.StatusBadRequest
	case counterfoil.CodeMissingCredentials:
		p.Status = http.StatusUnauthorized
		h.Set("WWW-Authenticate", bearer)
	case counterfoil.CodeInvalidToken, counterfoil.CodeTokenExpired, counterfoil.CodeTokenRevoked, counterfoil.CodeTokenPaused:
		p.Status = http.StatusUnauthorized
		h.Set("WWW-Authenticate", bearer+`, error="invalid_token"`+described+p.Title+`"`)
	case counterfoil.CodeMissingPermission:
		h.Set("WWW-Authenticate", bearer+`, error="insufficient_scope"`+described+p.Title+`"`)
	case counterfoil.CodeWrongDataCenter:
		p.Status = http.StatusMisdirectedRequest
	case counterfoil.CodeUnavailable:
		p.Status = http.StatusServiceUnavailable
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(p.Status)
	body, _ := json.Marshal(p)
	_, _ = w.Write(body)
}
