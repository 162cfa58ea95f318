package api

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// checkRoutes are asked for every request that a gateway sees. They are plain handlers: nothing between the connection
// and the judgement but reading the question.
func checkRoutes() []route {
	return []route{
		{method: post, path: "/v1/verify", op: registry.OpVerify, tag: tagCheck, status: 200, summary: "Check a token",
			doc:     "Always 200 for a well-formed question. A credential of an organization gets answers about its own tokens; others are invalid_token.",
			headers: []string{gateway.ExpiresSoon},
			body:    reflect.TypeFor[counterfoil.Question](), answer: reflect.TypeFor[counterfoil.Verdict](), plain: func(a *API) http.HandlerFunc { return a.verify }},
		{method: post, path: "/v1/verify/batch", op: registry.OpVerify, tag: tagCheck, status: 200, summary: "Check up to 100 tokens",
			doc:  "The answers are in the order of the questions.",
			body: reflect.TypeFor[batch](), answer: reflect.TypeFor[verdicts](), plain: func(a *API) http.HandlerFunc { return a.batch }},
		{method: post, path: "/oauth2/introspect", op: registry.OpVerify, tag: tagCheck, status: 200, summary: "Introspect a token (RFC 7662)",
			doc:     "The caller authenticates by Bearer or by HTTP Basic (user: token id, password: token).",
			headers: []string{gateway.ExpiresSoon},
			form:    []param{{name: "token", doc: "The token to check."}, {name: "token_type_hint", doc: "Not needed."}, {name: "ip", doc: "The end client's address."}, {name: "consistency", doc: "strict: go by the database as it is now."}},
			answer:  reflect.TypeFor[introspection](), plain: func(a *API) http.HandlerFunc { return a.introspect }},
		{method: post, path: "/oauth2/revoke", op: registry.OpRevokeSelf, tag: tagCheck, status: 200, summary: "Revoke a presented token (RFC 7009)",
			doc:  "A token may revoke itself; another one only with the right to. A token that is not known is answered 200 as well.",
			form: []param{{name: "token", doc: "The token to revoke."}, {name: "token_type_hint", doc: "Not needed."}}, answer: reflect.TypeFor[none](), plain: func(a *API) http.HandlerFunc { return a.revoke }},
		{method: anyMethod, path: "/v1/authorize", open: true, tag: tagCheck, status: 200, summary: "Forward authentication for gateways",
			doc: "Any method. The credential is the end client's. The permission comes from ?permission=, or from the catalogue's endpoints by " +
				"X-Forwarded-Method and X-Forwarded-Uri, or X-Original-Method and X-Original-URI or X-Original-URL. 200 with headers, else 401, 403 or 503.",
			query: []param{{name: "permission", doc: "What the token must hold; may be given more than once."}, {name: "consistency", doc: "strict: go by the database as it is now."}}, answer: reflect.TypeFor[none](),
			headers: []string{"X-Token-Id", "X-Organization-Id", "X-Owner-Id", "X-Token-Permissions", "Token-Expires-At", gateway.ExpiresSoon}, plain: func(a *API) http.HandlerFunc { return a.authorize }},
	}
}

// batch is up to 100 questions.
type batch struct {
	Questions []counterfoil.Question `json:"questions" minItems:"1" maxItems:"100"`
}

// verdicts answers a batch, in its order.
type verdicts struct {
	Verdicts []counterfoil.Verdict `json:"verdicts"`
}

const (
	maxBatch = 100 // questions
	maxAsked = 100 // permissions of one question
)

// permit checks the caller of a check route and returns the organization whose tokens it may ask about; empty: all.
func (a *API) permit(r *http.Request, token string) (within string, err error) {
	q := verify.Request{Token: token, Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceAPI, Permissions: verifyPermission, IP: a.Proxies.ClientIP(r)}}
	v, err := a.Verifier.Verify(r.Context(), &q)
	if err != nil {
		return "", err
	}
	if !v.Active() {
		return "", gateway.Refusal(&v)
	}
	within, _ = v.Organization()
	return within, nil
}

var verifyPermission = []string{counterfoil.PermTokensVerify}

// question reads a JSON body into dst and finds the caller. Faults of schema are not an error yet: what is right is in
// dst, so that one answer can name what is wrong with the rest.
func (a *API) question(w http.ResponseWriter, r *http.Request, dst any) (within string, faults []counterfoil.Problem, err error) {
	token, err := web.Credential(r)
	if err != nil {
		return "", nil, err
	}
	if within, err = a.permit(r, token); err != nil {
		return "", nil, err
	}
	if err := web.RequireJSON(r); err != nil {
		return "", nil, err
	}
	body, err := web.ReadBody(w, r, bodyLimit)
	if err != nil {
		return "", nil, err
	}
	if err = web.DecodeStrict(body, dst); err != nil {
		if refused, ok := errors.AsType[*counterfoil.Error](err); ok && len(refused.Problems) > 0 {
			return within, refused.Problems, nil
		}
	}
	return within, nil, err
}

// attemptOf turns a question into an attempt on the product's API, and says what cannot be read of it.
func attemptOf(q *counterfoil.Question, at string) (attempt counterfoil.Attempt, problems []counterfoil.Problem) {
	attempt = counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: q.Permissions}
	if len(q.Permissions) > maxAsked {
		problems = append(problems, counterfoil.Problem{Pointer: at + "/permissions", Code: counterfoil.CodeValidationFailed, Detail: "ask for 100 permissions at most"})
	}
	if q.Endpoint != "" {
		method, path, ok := strings.Cut(q.Endpoint, " ")
		if !ok || method == "" || !strings.HasPrefix(path, "/") {
			problems = append(problems, counterfoil.Problem{Pointer: at + "/endpoint", Code: counterfoil.CodeValidationFailed, Detail: "an endpoint is a method, a space and a path: GET /api/devices/7"})
		}
		attempt.Method, attempt.Path = method, path
	}
	if q.IP != "" {
		ip, err := netip.ParseAddr(q.IP)
		if err != nil {
			problems = append(problems, counterfoil.Problem{Pointer: at + "/ip", Code: counterfoil.CodeValidationFailed, Detail: "this is not an IP address"})
		}
		attempt.IP = ip.Unmap().WithZone("")
	}
	if q.Consistency != "" && q.Consistency != counterfoil.ConsistencyStrict {
		problems = append(problems, counterfoil.Problem{Pointer: at + "/consistency", Code: counterfoil.CodeValidationFailed, Detail: "consistency is strict, or left out"})
	}
	return attempt, problems
}

// unchecked answers a question that came to no verdict. It is counted where nobody knew: a caller that may not ask, or asks for
// nothing that can be read, is no check.
func (a *API) unchecked(w http.ResponseWriter, r *http.Request, surface string, err error) {
	if code := gateway.CodeOf(err); code == counterfoil.CodeUnavailable {
		a.Checked(surface, code)
	}
	web.WriteProblem(w, r, err)
}

func (a *API) verify(w http.ResponseWriter, r *http.Request) {
	var q counterfoil.Question
	within, problems, err := a.question(w, r, &q)
	if err != nil {
		a.unchecked(w, r, "verify", err)
		return
	}
	attempt, found := attemptOf(&q, "")
	if problems = append(problems, found...); len(problems) > 0 {
		web.WriteProblem(w, r, counterfoil.Invalid(problems))
		return
	}
	v, err := a.Verifier.Verify(r.Context(), &verify.Request{Token: q.Token, Attempt: attempt, Within: within, Strict: q.Consistency != ""})
	if err != nil {
		a.unchecked(w, r, "verify", err)
		return
	}
	a.Checked("verify", v.Code)
	gateway.SayExpiry(w.Header(), &v)
	buf := getBuffer()
	*buf = append(appendVerdict((*buf)[:0], &v), '\n')
	toMachine(w.Header())
	writeJSON(w, *buf)
	putBuffer(buf)
}

func (a *API) batch(w http.ResponseWriter, r *http.Request) {
	var b batch
	within, problems, err := a.question(w, r, &b)
	if err != nil {
		a.unchecked(w, r, "batch", err)
		return
	}
	attempts := make([]counterfoil.Attempt, len(b.Questions))
	if n := len(b.Questions); n > maxBatch || n == 0 && len(problems) == 0 {
		problems = append(problems, counterfoil.Problem{Pointer: "/questions", Code: counterfoil.CodeValidationFailed, Detail: "ask 1 to 100 questions"})
	} else {
		for i := range b.Questions {
			var found []counterfoil.Problem
			attempts[i], found = attemptOf(&b.Questions[i], "/questions/"+itoa(i))
			problems = append(problems, found...)
		}
	}
	if len(problems) > 0 {
		web.WriteProblem(w, r, counterfoil.Invalid(problems))
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	*buf = append((*buf)[:0], `{"verdicts":[`...)
	for i := range b.Questions {
		v, err := a.Verifier.Verify(r.Context(), &verify.Request{Token: b.Questions[i].Token, Attempt: attempts[i], Within: within, Strict: b.Questions[i].Consistency != ""})
		if err != nil {
			a.unchecked(w, r, "batch", err)
			return
		}
		a.Checked("batch", v.Code)
		if i > 0 {
			*buf = append(*buf, ',')
		}
		*buf = appendVerdict(*buf, &v)
	}
	*buf = append(*buf, "]}\n"...)
	toMachine(w.Header())
	writeJSON(w, *buf)
}
