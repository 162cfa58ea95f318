package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Verify asks whether a token may be used. A token that may not is a Verdict, not an error: an error means that nobody
// knows, and then nobody is let in.
func (c *Client) Verify(ctx context.Context, q counterfoil.Question, options ...CallOption) (counterfoil.Verdict, error) {
	return call[counterfoil.Verdict](ctx, c, request{doing: "verifying a token", method: http.MethodPost, path: path{"v1", "verify"}, body: q}, options)
}

// VerifyBatch asks up to 100 questions. The verdicts are in their order.
func (c *Client) VerifyBatch(ctx context.Context, questions []counterfoil.Question, options ...CallOption) ([]counterfoil.Verdict, error) {
	body := struct {
		Questions []counterfoil.Question `json:"questions"`
	}{questions}
	answer, err := call[struct {
		Verdicts []counterfoil.Verdict `json:"verdicts"`
	}](ctx, c, request{doing: "verifying tokens", method: http.MethodPost, path: path{"v1", "verify", "batch"}, body: body}, options)
	return answer.Verdicts, err
}

// Introspection is the answer of RFC 7662 section 2.2. Of an inactive token it tells nothing but that.
type Introspection struct {
	Active         bool             `json:"active"`
	Scope          string           `json:"scope"`     // the effective permissions, separated by spaces
	ClientID       string           `json:"client_id"` // the token's id
	Username       string           `json:"username"`  // the owner's e-mail address, for a personal token
	TokenType      string           `json:"token_type"`
	Exp            int64            `json:"exp"` // Unix seconds; 0: no expiry
	Sub            string           `json:"sub"` // the owner's id for a personal token, else the token's
	Jti            string           `json:"jti"` // the token's id
	Kind           counterfoil.Kind `json:"kind"`
	OrganizationID string           `json:"organization_id"` // empty for a system token
}

// Introspect asks about a token as RFC 7662 does. IP is the end client's address; it may be empty where no IP filter
// applies.
func (c *Client) Introspect(ctx context.Context, token, ip string, options ...CallOption) (Introspection, error) {
	form := params("ip", ip)
	form.Set("token", token)
	return call[Introspection](ctx, c, request{doing: "introspecting a token", method: http.MethodPost, path: path{"oauth2", "introspect"}, form: form, strict: true}, options)
}

// Revoke ends a token by its value, as RFC 7009 does. A token that is not known is no error: it is gone.
func (c *Client) Revoke(ctx context.Context, token string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "revoking a presented token", method: http.MethodPost, path: path{"oauth2", "revoke"}, form: url.Values{"token": {token}}}, options)
	return err
}

// Use is what a gateway asks of the token that the client presents: permissions that it has to hold, or an endpoint of
// the catalogue. The zero Use asks whether the token is good at all.
type Use struct {
	Permissions []string
	Method, URI string
}

// Authorized is what a gateway learns of a token that was let in.
type Authorized struct {
	TokenID        string
	OrganizationID string // empty for a system token
	OwnerID        string // empty unless personal
	Permissions    counterfoil.Permissions
	ExpiresAt      *time.Time
}

// Authorize asks, as a gateway's forward authentication does, whether the client's own token may be used. A token that
// may not is an *Error with the verdict's code.
func (c *Client) Authorize(ctx context.Context, use Use, options ...CallOption) (Authorized, error) {
	header := http.Header{}
	if use.Method != "" || use.URI != "" {
		header.Set("X-Forwarded-Method", use.Method)
		header.Set("X-Forwarded-Uri", use.URI)
	}
	q := request{doing: "authorizing", method: http.MethodGet, path: path{"v1", "authorize"}, query: url.Values{"permission": use.Permissions}, header: header, strict: true}
	answer, _, err := c.exchange(ctx, &q, options)
	if err != nil {
		return Authorized{}, err
	}
	r := answer.Header
	a := Authorized{TokenID: r.Get("X-Token-Id"), OrganizationID: r.Get("X-Organization-Id"), OwnerID: r.Get("X-Owner-Id"),
		Permissions: counterfoil.NewPermissions(strings.Fields(r.Get("X-Token-Permissions"))...)}
	if at, err := time.Parse(time.RFC3339Nano, r.Get("Token-Expires-At")); err == nil {
		a.ExpiresAt = &at
	}
	return a, nil
}
