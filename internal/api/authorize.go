package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// authorize answers nginx auth_request, Traefik ForwardAuth and Caddy forward_auth: 200 and headers, or 401, 403 or 503
// and a problem; gateways turn any other status into a 500.
func (a *API) authorize(w http.ResponseWriter, r *http.Request) {
	v, err := a.authorized(r)
	if err != nil {
		gatewayProblem(w, r, err)
		return
	}
	a.Checked("authorize", v.Code)
	if !v.Active() {
		gatewayProblem(w, r, refusal(&v))
		return
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	h["X-Token-Id"] = []string{v.TokenID()}
	if id, _ := v.Organization(); id != "" {
		h["X-Organization-Id"] = []string{id}
	}
	if id, _ := v.Owner(); id != "" {
		h["X-Owner-Id"] = []string{id}
	}
	h["X-Token-Permissions"] = []string{strings.Join(v.Permissions(), " ")}
	if t := v.ExpiresAt(); t != nil {
		h["Token-Expires-At"] = []string{t.Format(time.RFC3339)}
	}
	sayExpiry(w, &v)
	w.WriteHeader(http.StatusOK)
}

const expiresSoon = "Token-Expires-Soon"

// sayExpiry names, in the header of an answer, when the token that was checked expires, where that is soon.
func sayExpiry(w http.ResponseWriter, v *verify.Result) {
	if at, soon := v.ExpiresSoon(); soon {
		w.Header()[expiresSoon] = []string{at.Time().Format(time.RFC3339)}
	}
}

// gatewayProblem writes a problem under one of the three statuses that gateways pass on; its code stays.
func gatewayProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := web.NewProblem(err)
	switch {
	case p.Status == http.StatusForbidden, p.Status == http.StatusUnauthorized:
		web.WriteProblem(w, r, err)
	case p.Status >= 500:
		web.WriteProblemAs(w, r, err, http.StatusServiceUnavailable)
	default:
		web.WriteProblemAs(w, r, err, http.StatusUnauthorized)
	}
}

func (a *API) authorized(r *http.Request) (v verify.Result, err error) {
	q := verify.Request{Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct, IP: a.Proxies.ClientIP(r)}}
	if q.Token, err = web.Credential(r); err != nil {
		return v, err
	}
	if r.URL.RawQuery != "" {
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return v, errUnclear
		}
		for name := range values {
			if name != "permission" && strings.HasPrefix(name, "permission") {
				return v, errUnclear // "permissions" would ask for nothing
			}
		}
		if q.Strict, err = strictly(values); err != nil && !clientsQuery(r) {
			return v, errUnclear
		}
		if q.Permissions = values["permission"]; len(q.Permissions) > 0 && clientsQuery(r) {
			return v, errUnclear
		}
	}
	if len(q.Permissions) == 0 {
		if q.Method, q.Path, err = endpointOf(r.Header); err != nil {
			return v, err
		}
	}
	return a.Verifier.Verify(r.Context(), &q)
}

// errUnclear refuses a request of which the gateway does not say clearly what is asked: a client may have added headers
// of its own beside the gateway's.
var errUnclear = counterfoil.Refuse(counterfoil.CodeMissingPermission, "The gateway does not say clearly which endpoint is asked for.")

// clientsQuery reports whether the query of the question is the one that the end client sent to the gateway: a gateway
// that passes it on lets clients choose the permission that they are asked for.
func clientsQuery(r *http.Request) bool {
	for _, name := range [...]string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url"} {
		for _, target := range r.Header[name] {
			if _, query, _ := strings.Cut(target, "?"); query == r.URL.RawQuery {
				return true
			}
		}
	}
	return false
}

// endpointOf reads the method and path that the gateway was asked for. Each of them may be named by several headers, but
// all that are there must agree; with no path at all the token is only authenticated.
func endpointOf(h http.Header) (method, path string, err error) {
	method, ok := agreed(h, "X-Forwarded-Method", "X-Original-Method")
	if !ok {
		return "", "", errUnclear
	}
	path, ok = agreed(h, "X-Forwarded-Uri", "X-Original-Uri")
	if !ok {
		return "", "", errUnclear
	}
	if whole := h["X-Original-Url"]; len(whole) > 0 {
		u, err := url.Parse(whole[0])
		if err != nil || len(whole) > 1 {
			return "", "", errUnclear
		}
		target := u.EscapedPath()
		if u.RawQuery != "" {
			target += "?" + u.RawQuery
		}
		if path != "" && path != target {
			return "", "", errUnclear
		}
		path = target
	}
	if path == "" && method == "" {
		return "", "", nil
	}
	if !strings.HasPrefix(path, "/") || method == "" {
		return "", "", errUnclear
	}
	return method, path, nil
}

func agreed(h http.Header, one, other string) (value string, ok bool) {
	for _, name := range [...]string{one, other} {
		for _, v := range h[name] {
			if value != "" && v != value {
				return "", false
			}
			value = v
		}
	}
	return value, true
}
