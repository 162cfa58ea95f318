package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// Roles reads every role: the built-in ones, the catalogue's and the organization's own.
func (c *Client) Roles(ctx context.Context, org string, options ...CallOption) ([]counterfoil.Role, error) {
	return list[counterfoil.Role](ctx, c, "listing roles", within(org, "roles"), options)
}

// CreateRole makes a role of the organization's own. It takes [IdempotencyKey].
func (c *Client) CreateRole(ctx context.Context, org string, draft counterfoil.RoleDraft, options ...CallOption) (counterfoil.Role, error) {
	return call[counterfoil.Role](ctx, c, request{doing: "creating a role", method: http.MethodPost, path: within(org, "roles"), body: draft, once: true}, options)
}

// Role reads one role. Its ETag comes with [Into].
func (c *Client) Role(ctx context.Context, org, id string, options ...CallOption) (counterfoil.Role, error) {
	return call[counterfoil.Role](ctx, c, request{doing: "reading a role", method: http.MethodGet, path: within(org, "roles", id)}, options)
}

// EditRole sets a role's permissions. It takes [IfMatch].
func (c *Client) EditRole(ctx context.Context, org, id string, edit counterfoil.RoleEdit, options ...CallOption) (counterfoil.Role, error) {
	return call[counterfoil.Role](ctx, c, request{doing: "editing a role", method: http.MethodPatch, path: within(org, "roles", id), body: edit, match: true}, options)
}

// DeleteRole deletes a role; one that members hold is refused with in_use.
func (c *Client) DeleteRole(ctx context.Context, org, id string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "deleting a role", method: http.MethodDelete, path: within(org, "roles", id)}, options)
	return err
}

// MemberQuery selects members. The zero MemberQuery selects all, oldest first.
type MemberQuery struct {
	Text   string // part of the e-mail address or name
	Cursor string // NextCursor of the page before
	Limit  int    // entries a page, at most 200; 0: 50
}

// ListMembers reads one page of members.
func (c *Client) ListMembers(ctx context.Context, org string, q MemberQuery, options ...CallOption) (counterfoil.Page[counterfoil.Member], error) {
	return call[counterfoil.Page[counterfoil.Member]](ctx, c, request{doing: "listing members", method: http.MethodGet, path: within(org, "members"),
		query: params("q", q.Text, "cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// Members yields every member that q selects, reading page after page. It ends with the first error.
func (c *Client) Members(ctx context.Context, org string, q MemberQuery) iter.Seq2[counterfoil.Member, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Member], error) {
		q := q
		q.Cursor = cursor
		return c.ListMembers(ctx, org, q)
	})
}

// AddMember invites a person to the organization. It takes [IdempotencyKey].
func (c *Client) AddMember(ctx context.Context, org string, draft counterfoil.MemberDraft, options ...CallOption) (counterfoil.Member, error) {
	if draft.Roles == nil {
		draft.Roles = []string{}
	}
	return call[counterfoil.Member](ctx, c, request{doing: "adding a member", method: http.MethodPost, path: within(org, "members"), body: draft, once: true}, options)
}

// Member reads one member.
func (c *Client) Member(ctx context.Context, org, id string, options ...CallOption) (counterfoil.Member, error) {
	return call[counterfoil.Member](ctx, c, request{doing: "reading a member", method: http.MethodGet, path: within(org, "members", id)}, options)
}

// EditMember changes a member's roles or status. Its receipt comes with [Into].
func (c *Client) EditMember(ctx context.Context, org, id string, edit counterfoil.MemberEdit, options ...CallOption) (counterfoil.Member, error) {
	return call[counterfoil.Member](ctx, c, request{doing: "editing a member", method: http.MethodPatch, path: within(org, "members", id), body: edit}, options)
}

// RemoveMember takes a member out of the organization; their tokens are revoked with it.
func (c *Client) RemoveMember(ctx context.Context, org, id string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "removing a member", method: http.MethodDelete, path: within(org, "members", id)}, options)
	return err
}

// OrganizationQuery selects organizations, oldest first.
type OrganizationQuery struct {
	Cursor string // NextCursor of the page before
	Limit  int    // entries a page, at most 200; 0: 50
}

var organizations = path{"v1", "organizations"}

// ListOrganizations reads one page of organizations.
func (c *Client) ListOrganizations(ctx context.Context, q OrganizationQuery, options ...CallOption) (counterfoil.Page[counterfoil.Organization], error) {
	return call[counterfoil.Page[counterfoil.Organization]](ctx, c, request{doing: "listing organizations", method: http.MethodGet, path: organizations,
		query: params("cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// Organizations yields every organization, reading page after page. It ends with the first error.
func (c *Client) Organizations(ctx context.Context, q OrganizationQuery) iter.Seq2[counterfoil.Organization, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Organization], error) {
		q := q
		q.Cursor = cursor
		return c.ListOrganizations(ctx, q)
	})
}

// CreateOrganization makes an organization without members. It takes [IdempotencyKey].
func (c *Client) CreateOrganization(ctx context.Context, draft counterfoil.OrganizationDraft, options ...CallOption) (counterfoil.Organization, error) {
	return call[counterfoil.Organization](ctx, c, request{doing: "creating an organization", method: http.MethodPost, path: organizations, body: draft, once: true}, options)
}

// Organization reads one organization.
func (c *Client) Organization(ctx context.Context, org string, options ...CallOption) (counterfoil.Organization, error) {
	return call[counterfoil.Organization](ctx, c, request{doing: "reading an organization", method: http.MethodGet, path: within(org)}, options)
}

// EditOrganization changes an organization. Its receipt comes with [Into].
func (c *Client) EditOrganization(ctx context.Context, org string, edit counterfoil.OrganizationEdit, options ...CallOption) (counterfoil.Organization, error) {
	return call[counterfoil.Organization](ctx, c, request{doing: "editing an organization", method: http.MethodPatch, path: within(org), body: edit}, options)
}

// DeleteOrganization ends an organization, for good; its log stays.
func (c *Client) DeleteOrganization(ctx context.Context, org string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "deleting an organization", method: http.MethodDelete, path: within(org)}, options)
	return err
}

// CreateConsoleSession makes an address that signs a member in to the console, once, within 60 seconds. It takes a system
// token with the permission counterfoil.console_sessions:write, and [IdempotencyKey].
func (c *Client) CreateConsoleSession(ctx context.Context, org string, draft counterfoil.ConsoleSessionDraft, options ...CallOption) (counterfoil.ConsoleSession, error) {
	return call[counterfoil.ConsoleSession](ctx, c, request{doing: "creating a console session", method: http.MethodPost, path: within(org, "console-sessions"), body: draft, once: true}, options)
}
