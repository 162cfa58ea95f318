package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/counterfoil/counterfoil"
)

// ManagedQuery selects the organizations that a provider manages, oldest first.
type ManagedQuery struct {
	Provider string // from a system credential: the provider, by id or slug
	Text     string // part of the name or slug
	Status   counterfoil.OrgStatus
	// AssignedTo is a member of the provider: the organizations that they are assigned to. A technician sees no others.
	AssignedTo string
	Cursor     string // NextCursor of the page before
	Limit      int    // entries a page, at most 200; 0: 50
}

func provider(segments ...string) path { return append(path{"v1", "provider"}, segments...) }

// ListManagedOrganizations reads one page of what a provider manages.
func (c *Client) ListManagedOrganizations(ctx context.Context, q ManagedQuery, options ...CallOption) (counterfoil.Page[counterfoil.ManagedOrganization], error) {
	return call[counterfoil.Page[counterfoil.ManagedOrganization]](ctx, c, request{doing: "listing managed organizations", method: http.MethodGet, path: provider("organizations"),
		query: params("provider", q.Provider, "q", q.Text, "status", string(q.Status), "assigned_to", q.AssignedTo, "cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// ManagedOrganizations yields everything that q selects, reading page after page. It ends with the first error.
func (c *Client) ManagedOrganizations(ctx context.Context, q ManagedQuery) iter.Seq2[counterfoil.ManagedOrganization, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.ManagedOrganization], error) {
		q := q
		q.Cursor = cursor
		return c.ListManagedOrganizations(ctx, q)
	})
}

// named is the query of a request that names the provider; a credential of the provider's own leaves it out.
func named(of string) url.Values { return params("provider", of) }

// CreateManagedOrganization makes an organization that a provider manages. It takes [IdempotencyKey].
func (c *Client) CreateManagedOrganization(ctx context.Context, draft counterfoil.ManagedDraft, options ...CallOption) (counterfoil.ManagedOrganization, error) {
	return call[counterfoil.ManagedOrganization](ctx, c, request{doing: "creating a managed organization", method: http.MethodPost, path: provider("organizations"), query: named(draft.Provider), body: draft, once: true}, options)
}

// ProviderKeyQuery selects the keys of a provider, oldest first; revoked ones too.
type ProviderKeyQuery struct {
	Provider string // from a system credential: the provider, by id or slug
	Cursor   string // NextCursor of the page before
	Limit    int    // entries a page, at most 200; 0: 50
}

// ListProviderKeys reads one page of a provider's keys.
func (c *Client) ListProviderKeys(ctx context.Context, q ProviderKeyQuery, options ...CallOption) (counterfoil.Page[counterfoil.ProviderKey], error) {
	return call[counterfoil.Page[counterfoil.ProviderKey]](ctx, c, request{doing: "listing a provider's keys", method: http.MethodGet, path: provider("keys"),
		query: params("provider", q.Provider, "cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// ProviderKeys yields every key that q selects, reading page after page. It ends with the first error.
func (c *Client) ProviderKeys(ctx context.Context, q ProviderKeyQuery) iter.Seq2[counterfoil.ProviderKey, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.ProviderKey], error) {
		q := q
		q.Cursor = cursor
		return c.ListProviderKeys(ctx, q)
	})
}

// CreateProviderKey makes a key for a provider. Its private half is in the answer alone, unless the draft brings a public
// key. It takes [IdempotencyKey].
func (c *Client) CreateProviderKey(ctx context.Context, draft counterfoil.ProviderKeyDraft, options ...CallOption) (counterfoil.CreatedKey, error) {
	return call[counterfoil.CreatedKey](ctx, c, request{doing: "creating a provider's key", method: http.MethodPost, path: provider("keys"), query: named(draft.Provider), body: draft, once: true}, options)
}

// RevokeProviderKey ends a key, for good. of names the provider, by id or slug, for a system
// credential; it is empty for any other.
func (c *Client) RevokeProviderKey(ctx context.Context, of, id string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "revoking a provider's key", method: http.MethodDelete, path: provider("keys", id), query: named(of)}, options)
	return err
}

// Assignments reads in which organizations a provider's technician acts.
func (c *Client) Assignments(ctx context.Context, provider, member string, options ...CallOption) (counterfoil.Assignments, error) {
	return call[counterfoil.Assignments](ctx, c, request{doing: "reading assignments", method: http.MethodGet, path: within(provider, "members", member, "assignments")}, options)
}

// SetAssignments says in which organizations a provider's technician acts, in place of those before. Its receipt comes with
// [Into].
func (c *Client) SetAssignments(ctx context.Context, provider, member string, organizations []string, options ...CallOption) (counterfoil.Assignments, error) {
	if organizations == nil {
		organizations = []string{}
	}
	return call[counterfoil.Assignments](ctx, c, request{doing: "assigning organizations", method: http.MethodPut, path: within(provider, "members", member, "assignments"),
		body: counterfoil.Assignments{Organizations: organizations}}, options)
}
