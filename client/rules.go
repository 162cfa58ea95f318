package client

import (
	"context"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// list reads every page of a short list.
func list[T any](ctx context.Context, c *Client, doing string, at path, options []CallOption) ([]T, error) {
	return collect(follow("", func(cursor string) (counterfoil.Page[T], error) {
		return call[counterfoil.Page[T]](ctx, c, request{doing: doing, method: http.MethodGet, path: at, query: params("cursor", cursor, "limit", number(longestPage))}, options)
	}))
}

// Policies reads the security policy of each kind of token.
func (c *Client) Policies(ctx context.Context, org string, options ...CallOption) ([]counterfoil.Policy, error) {
	return list[counterfoil.Policy](ctx, c, "listing the policies", within(org, "policies"), options)
}

// Policy reads the security policy of one kind of token. Its ETag comes with [Into].
func (c *Client) Policy(ctx context.Context, org string, kind counterfoil.Kind, options ...CallOption) (counterfoil.Policy, error) {
	return call[counterfoil.Policy](ctx, c, request{doing: "reading a policy", method: http.MethodGet, path: within(org, "policies", string(kind))}, options)
}

// SetPolicy changes the security policy of one kind of token; what edit leaves nil stays. To set all of it, use
// [counterfoil.PolicyTerms.Edit]. It takes [IfMatch] and [AllowLockOut].
func (c *Client) SetPolicy(ctx context.Context, org string, kind counterfoil.Kind, edit counterfoil.PolicyEdit, options ...CallOption) (counterfoil.Policy, error) {
	return call[counterfoil.Policy](ctx, c, request{doing: "setting a policy", method: http.MethodPut, path: within(org, "policies", string(kind)), body: edit, match: true, lockOut: true}, options)
}

// PreviewPolicy says what SetPolicy with the same edit would refuse. It changes nothing.
func (c *Client) PreviewPolicy(ctx context.Context, org string, kind counterfoil.Kind, edit counterfoil.PolicyEdit, options ...CallOption) (counterfoil.PolicyPreview, error) {
	return call[counterfoil.PolicyPreview](ctx, c, request{doing: "previewing a policy", method: http.MethodPost, path: within(org, "policies", string(kind), "preview"), body: edit}, options)
}

// IPFilters reads every IP filter.
func (c *Client) IPFilters(ctx context.Context, org string, options ...CallOption) ([]counterfoil.IPFilter, error) {
	return list[counterfoil.IPFilter](ctx, c, "listing IP filters", within(org, "ip-filters"), options)
}

// CreateIPFilter makes an IP filter. It takes [IdempotencyKey].
func (c *Client) CreateIPFilter(ctx context.Context, org string, draft counterfoil.IPFilterDraft, options ...CallOption) (counterfoil.IPFilter, error) {
	return call[counterfoil.IPFilter](ctx, c, request{doing: "creating an IP filter", method: http.MethodPost, path: within(org, "ip-filters"), body: draft, once: true}, options)
}

// IPFilter reads one IP filter. Its ETag comes with [Into].
func (c *Client) IPFilter(ctx context.Context, org, id string, options ...CallOption) (counterfoil.IPFilter, error) {
	return call[counterfoil.IPFilter](ctx, c, request{doing: "reading an IP filter", method: http.MethodGet, path: within(org, "ip-filters", id)}, options)
}

// EditIPFilter changes an IP filter. It takes [IfMatch] and [AllowLockOut].
func (c *Client) EditIPFilter(ctx context.Context, org, id string, edit counterfoil.IPFilterEdit, options ...CallOption) (counterfoil.IPFilter, error) {
	return call[counterfoil.IPFilter](ctx, c, request{doing: "editing an IP filter", method: http.MethodPatch, path: within(org, "ip-filters", id), body: edit, match: true, lockOut: true}, options)
}

// DeleteIPFilter deletes an IP filter; one that a token or a policy uses is refused with in_use.
func (c *Client) DeleteIPFilter(ctx context.Context, org, id string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "deleting an IP filter", method: http.MethodDelete, path: within(org, "ip-filters", id)}, options)
	return err
}

// TestIPFilter asks what a filter, stored or not, says to an address.
func (c *Client) TestIPFilter(ctx context.Context, org string, test counterfoil.IPFilterTest, options ...CallOption) (counterfoil.IPFilterTestResult, error) {
	return call[counterfoil.IPFilterTestResult](ctx, c, request{doing: "testing an IP filter", method: http.MethodPost, path: within(org, "ip-filters", "test"), body: test}, options)
}
