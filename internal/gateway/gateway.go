// Package gateway is the question that a gateway asks before it lets a client's request through, the same whether it
// comes over HTTP or over gRPC: the credential is the end client's, the words about it are the gateway's. It refuses to
// know how the question travelled, and it never guesses what a gateway meant.
package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Gate answers. Verifier is required.
type Gate struct {
	Verifier *verify.Verifier
	Proxies  web.Proxies
	Checked  func(counterfoil.Code) // is told the outcome of every question, CodeUnavailable where nobody knew; may be nil
}

// Question is what a gateway asks about one request.
type Question struct {
	// Client is read for its headers and its RemoteAddr alone: the credential, and the way that the request came.
	Client       *http.Request
	Permissions  []string // each must be held; without any the endpoint decides
	Method, Path string   // the endpoint, as the client wrote it; both empty: is the token good at all
	Strict       bool     // go by the database as it is now
	Fault        error    // what is unclear about the question; a request without a credential hears of that first
}

// Ask judges. The error is a refusal (*counterfoil.Error) or says that nobody knows; only a nil error lets anybody in.
func (g *Gate) Ask(ctx context.Context, q *Question) (v verify.Result, err error) {
	r := verify.Request{Strict: q.Strict, Attempt: counterfoil.Attempt{
		Audience: counterfoil.AudienceProduct, IP: g.Proxies.ClientIP(q.Client), Permissions: q.Permissions,
	}}
	if r.Token, err = web.Credential(q.Client); err != nil {
		return v, g.unasked(err)
	}
	if q.Fault != nil {
		return v, g.unasked(q.Fault)
	}
	if len(q.Permissions) == 0 {
		if r.Method, r.Path = q.Method, q.Path; (r.Method != "" || r.Path != "") && (r.Method == "" || !strings.HasPrefix(r.Path, "/")) {
			return v, g.unasked(ErrUnclear)
		}
	}
	if v, err = g.Verifier.Verify(ctx, &r); err != nil {
		return v, g.unasked(err)
	}
	if g.Checked != nil {
		g.Checked(v.Code)
	}
	if !v.Active() {
		return v, Refusal(&v)
	}
	return v, nil
}

// unasked counts a question that came to no verdict, and returns why.
func (g *Gate) unasked(err error) error {
	if g.Checked != nil {
		g.Checked(CodeOf(err))
	}
	return err
}

// CodeOf is what a failed check is counted as: a refusal under its own code; anything else is that nobody knew.
func CodeOf(err error) counterfoil.Code {
	if p := web.NewProblem(err); p.Status < http.StatusInternalServerError {
		return p.Code
	}
	return counterfoil.CodeUnavailable
}

// ErrUnclear refuses a request of which the gateway does not say clearly what is asked: a client may have added headers
// of its own beside the gateway's.
var ErrUnclear = counterfoil.Refuse(counterfoil.CodeMissingPermission, "The gateway does not say clearly which endpoint is asked for.")

// Permissions reads the gateway's word permission. A name that only begins so is refused: "permissions" would ask for nothing.
func Permissions(words url.Values) ([]string, error) {
	for name := range words {
		if name != "permission" && strings.HasPrefix(strings.ToLower(name), "permission") {
			return nil, UnknownWord(name)
		}
	}
	return words["permission"], nil
}

// UnknownWord refuses a request whose gateway asks with a word that there is not: it would ask for nothing.
func UnknownWord(name string) error {
	return counterfoil.Refuse(counterfoil.CodeMissingPermission, fmt.Sprintf("The gateway asks with the parameter %q; there are permission and consistency.", name))
}

// Strictly reads the word consistency, for every question that has it.
func Strictly(words url.Values) (bool, error) {
	given := words["consistency"]
	if len(given) == 0 {
		return false, nil
	}
	if len(given) > 1 || given[0] != counterfoil.ConsistencyStrict {
		return false, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "The parameter consistency is strict, or left out.")
	}
	return true, nil
}

// Refusal turns a verdict into an error. Its detail names the reference that an admin can open.
func Refusal(v *verify.Result) error {
	detail := v.Message()
	if v.Reference != "" {
		detail += " Reference: " + v.Reference
	}
	return counterfoil.Refuse(v.Code, detail)
}

// IdentityHeaders are those that tell the API behind the gateway who is calling.
var IdentityHeaders = [...]string{"X-Token-Id", "X-Organization-Id", "X-Owner-Id", "X-Token-Permissions", "Token-Expires-At"}

// Identify sets IdentityHeaders, each where there is one.
func Identify(h http.Header, v *verify.Result) {
	values := make([]string, 5)
	set := func(name, value string) {
		values[0] = value
		h[name], values = values[:1:1], values[1:]
	}
	set("X-Token-Id", v.TokenID())
	if id, _ := v.Organization(); id != "" {
		set("X-Organization-Id", id)
	}
	if id, _ := v.Owner(); id != "" {
		set("X-Owner-Id", id)
	}
	set("X-Token-Permissions", strings.Join(v.Permissions(), " "))
	if at := v.ExpiresAt(); at != 0 {
		set("Token-Expires-At", at.Time().Format(time.RFC3339))
	}
}

// ExpiresSoon is the header that tells a client when its token expires, where that is soon.
const ExpiresSoon = "Token-Expires-Soon"

// SayExpiry sets ExpiresSoon for the token that was checked.
func SayExpiry(h http.Header, v *verify.Result) {
	if at, soon := v.ExpiresSoon(); soon {
		h[ExpiresSoon] = []string{at.Time().Format(time.RFC3339)}
	}
}
