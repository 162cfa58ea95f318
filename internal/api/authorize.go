package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/web"
)

// authorize answers nginx auth_request, Traefik ForwardAuth and Caddy forward_auth: 200 and headers, or 401, 403 or 503
// and a problem; gateways turn any other status into a 500.
func (a *API) authorize(w http.ResponseWriter, r *http.Request) {
	v, err := a.gate.Ask(r.Context(), asked(r))
	if err != nil {
		gatewayProblem(w, r, err)
		return
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	toMachine(h)
	gateway.Identify(h, &v)
	gateway.SayExpiry(h, &v)
	w.WriteHeader(http.StatusOK)
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

// asked reads the question from the query and the headers.
func asked(r *http.Request) *gateway.Question {
	q := &gateway.Question{Client: r}
	if r.URL.RawQuery != "" {
		q.Fault = readWords(r, q)
	}
	if q.Fault == nil && len(q.Permissions) == 0 {
		q.Method, q.Path, q.Fault = endpointOf(r.Header)
	}
	return q
}

func readWords(r *http.Request, q *gateway.Question) error {
	words, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return gateway.ErrUnclear
	}
	if q.Permissions, err = gateway.Permissions(words); err != nil {
		return err
	}
	clients := clientsQuery(r)
	for name := range words {
		if name != "permission" && name != "consistency" && !clients { // misspelt it would ask for nothing
			return gateway.UnknownWord(name)
		}
	}
	if q.Strict, err = gateway.Strictly(words); err != nil && !clients {
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "The gateway asks with a parameter consistency other than strict.")
	}
	if len(q.Permissions) > 0 && clients {
		return gateway.ErrUnclear
	}
	return nil
}

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
		return "", "", gateway.ErrUnclear
	}
	path, ok = agreed(h, "X-Forwarded-Uri", "X-Original-Uri")
	if !ok {
		return "", "", gateway.ErrUnclear
	}
	if whole := h["X-Original-Url"]; len(whole) > 0 {
		u, err := url.Parse(whole[0])
		if err != nil || len(whole) > 1 {
			return "", "", gateway.ErrUnclear
		}
		target := u.EscapedPath()
		if u.RawQuery != "" {
			target += "?" + u.RawQuery
		}
		if path != "" && path != target {
			return "", "", gateway.ErrUnclear
		}
		path = target
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
