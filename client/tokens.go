package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

// TokenQuery selects tokens. The zero TokenQuery selects all but the revoked ones, newest first.
type TokenQuery struct {
	Kind     counterfoil.Kind
	Status   counterfoil.Status
	Owner    string // a member's id
	IPFilter string // id or name
	Text     string // part of the name, the id or the hint
	Sort     string // name, created_at (the default), expires_at or last_used_at
	Cursor   string // NextCursor of the page before
	Limit    int    // entries a page, at most 200; 0: 50
}

// tokens is the path of an organization's tokens, or of the instance's.
func tokens(org string, more ...string) path {
	if org == System {
		return append(path{"v1", "system", "tokens"}, more...)
	}
	return append(path{"v1", "organizations", org, "tokens"}, more...)
}

// CreateToken makes a token. The answer holds its value, which is shown this once. It takes [IdempotencyKey].
func (c *Client) CreateToken(ctx context.Context, org string, draft counterfoil.Draft, options ...CallOption) (counterfoil.Created, error) {
	if org == System && draft.Kind == "" {
		draft.Kind = counterfoil.KindSystem
	}
	return call[counterfoil.Created](ctx, c, request{doing: "creating a token", method: http.MethodPost, path: tokens(org), body: draft, once: true}, options)
}

// ListTokens reads one page of tokens.
func (c *Client) ListTokens(ctx context.Context, org string, q TokenQuery, options ...CallOption) (counterfoil.Page[counterfoil.Token], error) {
	if org == System && q.Kind == counterfoil.KindSystem {
		q.Kind = "" // the route has no other
	}
	return call[counterfoil.Page[counterfoil.Token]](ctx, c, request{doing: "listing tokens", method: http.MethodGet, path: tokens(org), query: params(
		"kind", string(q.Kind), "status", string(q.Status), "owner", q.Owner, "ip_filter", q.IPFilter, "q", q.Text, "sort", q.Sort,
		"cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// Tokens yields every token that q selects, reading page after page. It ends with the first error.
func (c *Client) Tokens(ctx context.Context, org string, q TokenQuery) iter.Seq2[counterfoil.Token, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Token], error) {
		q := q
		q.Cursor = cursor
		return c.ListTokens(ctx, org, q)
	})
}

// Token reads one token.
func (c *Client) Token(ctx context.Context, org, id string, options ...CallOption) (counterfoil.Token, error) {
	return call[counterfoil.Token](ctx, c, request{doing: "reading a token", method: http.MethodGet, path: tokens(org, id)}, options)
}

// EditToken changes a token, pauses or resumes it. Its receipt comes with [Into].
func (c *Client) EditToken(ctx context.Context, org, id string, edit counterfoil.Edit, options ...CallOption) (counterfoil.Token, error) {
	return call[counterfoil.Token](ctx, c, request{doing: "editing a token", method: http.MethodPatch, path: tokens(org, id), body: edit}, options)
}

// RotateToken gives a token a new value, which is shown this once. The old one is accepted for grace longer: whole
// seconds, at most 7 days; 0 ends it at once.
func (c *Client) RotateToken(ctx context.Context, org, id string, grace time.Duration, options ...CallOption) (counterfoil.Rotated, error) {
	const doing = "rotating a token"
	if grace%time.Second != 0 {
		return counterfoil.Rotated{}, fmt.Errorf("%s: %w", doing, errors.New("the grace has to be whole seconds"))
	}
	body := struct {
		GraceSeconds int64 `json:"grace_seconds"`
	}{int64(grace / time.Second)}
	return call[counterfoil.Rotated](ctx, c, request{doing: doing, method: http.MethodPost, path: tokens(org, id, "rotate"), body: body}, options)
}

// PreviousValue tells from where the value before a token's last rotation is still used, while its grace lasts.
func (c *Client) PreviousValue(ctx context.Context, org, id string, options ...CallOption) (counterfoil.PreviousValue, error) {
	return call[counterfoil.PreviousValue](ctx, c, request{doing: "reading the use of a token's previous value", method: http.MethodGet, path: tokens(org, id, "previous")}, options)
}

// EndPreviousValue ends the value before a token's last rotation before its grace does. Where that value was used within quiet,
// in whole seconds, it is refused with in_use; 0 ends it in any case. Where no old value is accepted any more there is no receipt.
func (c *Client) EndPreviousValue(ctx context.Context, org, id string, quiet time.Duration, options ...CallOption) (counterfoil.Finished, error) {
	const doing = "ending a token's previous value"
	if quiet%time.Second != 0 {
		return counterfoil.Finished{}, fmt.Errorf("%s: %w", doing, errors.New("the quiet time has to be whole seconds"))
	}
	body := struct {
		QuietSeconds int64 `json:"quiet_seconds,omitempty"`
	}{int64(quiet / time.Second)}
	return call[counterfoil.Finished](ctx, c, request{doing: doing, method: http.MethodDelete, path: tokens(org, id, "previous"), body: body}, options)
}

// RevokeToken ends a token, for good. Reason is kept with it and may be empty. Again, it answers with the first receipt.
func (c *Client) RevokeToken(ctx context.Context, org, id, reason string, options ...CallOption) (counterfoil.Revoked, error) {
	return call[counterfoil.Revoked](ctx, c, request{doing: "revoking a token", method: http.MethodDelete, path: tokens(org, id), body: because(reason)}, options)
}

// because is the body of a revocation; without a reason there is none.
func because(reason string) any {
	if reason == "" {
		return nil
	}
	return map[string]string{"reason": reason}
}

// CurrentToken reads the token that the client presents.
func (c *Client) CurrentToken(ctx context.Context, options ...CallOption) (counterfoil.Token, error) {
	return call[counterfoil.Token](ctx, c, request{doing: "reading the current token", method: http.MethodGet, path: path{"v1", "tokens", "current"}}, options)
}

// RevokeCurrentToken ends the token that the client presents, for good.
func (c *Client) RevokeCurrentToken(ctx context.Context, reason string, options ...CallOption) (counterfoil.Revoked, error) {
	return call[counterfoil.Revoked](ctx, c, request{doing: "revoking the current token", method: http.MethodDelete, path: path{"v1", "tokens", "current"}, body: because(reason)}, options)
}

// Receipt reads a receipt: on which nodes a change took effect, and when.
func (c *Client) Receipt(ctx context.Context, id string, options ...CallOption) (counterfoil.Receipt, error) {
	return call[counterfoil.Receipt](ctx, c, request{doing: "reading a receipt", method: http.MethodGet, path: path{"v1", "receipts", id}}, options)
}

// Refusal explains the reference of a refused check.
func (c *Client) Refusal(ctx context.Context, org, reference string, options ...CallOption) (counterfoil.Refusal, error) {
	return call[counterfoil.Refusal](ctx, c, request{doing: "reading a refusal", method: http.MethodGet, path: within(org, "refusals", reference)}, options)
}

// RefusalQuery selects refusals. The zero RefusalQuery selects all that are kept.
type RefusalQuery struct {
	Token  string // id
	Code   counterfoil.Code
	IP     string
	Cursor string // NextCursor of the page before
	Limit  int    // entries a page, at most 200; 0: 50
}

// ListRefusals reads one page of an organization's refused checks, the latest first.
func (c *Client) ListRefusals(ctx context.Context, org string, q RefusalQuery, options ...CallOption) (counterfoil.Page[counterfoil.Refusal], error) {
	return call[counterfoil.Page[counterfoil.Refusal]](ctx, c, request{doing: "listing refusals", method: http.MethodGet, path: within(org, "refusals"), query: params(
		"token", q.Token, "code", string(q.Code), "ip", q.IP, "cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// Refusals yields every refusal that q selects, reading page after page. It ends with the first error.
func (c *Client) Refusals(ctx context.Context, org string, q RefusalQuery) iter.Seq2[counterfoil.Refusal, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Refusal], error) {
		q := q
		q.Cursor = cursor
		return c.ListRefusals(ctx, org, q)
	})
}

// within is a path inside an organization.
func within(org string, more ...string) path {
	return append(path{"v1", "organizations", org}, more...)
}
