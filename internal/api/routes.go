package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// route is one row of the table.
type route struct {
	method, path string
	op           *registry.Operation  // who may call it
	audience     counterfoil.Audience // what its tokens are for, if not this API; then its rate is limited
	open         bool                 // anyone may: the route checks its credentials itself, or shows nothing that is anyone's
	tag, summary string
	doc          string
	query        []param
	status       int
	once         bool // honours Idempotency-Key
	match        bool // honours If-Match
	bodyOptional bool
	limit        int64    // of the body in bytes, where bodyLimit is too small
	headers      []string // of the answer, beside those that every route has
	form         []param  // of a form body (RFC 7662, RFC 7009)

	body, answer reflect.Type
	schema       *huma.Schema // of body
	handle       func(*call) (any, error)
	plain        func(*API) http.HandlerFunc // in place of handle: the check and the documents
	media        string                      // of the answer, where it is not JSON
	hidden       bool                        // not in the OpenAPI document: a page for people
}

const anyMethod = "*"

func (r *route) param(name string) (param, bool) {
	for _, p := range r.query {
		if p.name == name {
			return p, true
		}
	}
	return param{}, false
}

// ask makes a route without a body, send one with; the types of body and answer are those that the handler has.
func ask[A any](r route, handle func(*call) (A, error)) route {
	r.answer = reflect.TypeFor[A]()
	r.handle = func(c *call) (any, error) {
		c.caller.Faults = c.faults
		return answered(handle(c))
	}
	return r.defaults()
}

func send[B, A any](r route, handle func(*call, B) (A, error)) route {
	r.body, r.answer = reflect.TypeFor[B](), reflect.TypeFor[A]()
	r.handle = func(c *call) (any, error) {
		var body B
		c.decode(&body)
		c.caller.Faults = c.faults
		return answered(handle(c, body))
	}
	return r.defaults()
}

// none is the answer of a route that has nothing to tell: 204.
type none struct{}

func answered[A any](answer A, err error) (any, error) {
	if _, nothing := any(answer).(none); nothing || err != nil {
		return nil, err
	}
	return answer, nil
}

func (r route) defaults() route {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.answer == reflect.TypeFor[none]() {
		r.status = http.StatusNoContent
	}
	return r
}

const (
	tagTokens        = "Tokens"
	tagSystem        = "System tokens"
	tagCheck         = "The check"
	tagRules         = "Rules"
	tagPeople        = "People and organizations"
	tagProvider      = "Provider"
	tagActivity      = "Activity"
	tagCatalogue     = "Catalogue"
	tagDocumentation = "Documentation"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	del    = http.MethodDelete
	orgs   = "/v1/organizations"
	org    = orgs + "/{org}"
	system = "/v1/system/tokens"
)

var tokenQuery = append([]param{
	{name: "kind", doc: "One kind only.", enum: []string{"personal", "organization", "integration"}},
	{name: "status", doc: "One status only; without it, all but revoked.", enum: []string{"active", "expired", "revoked", "paused"}},
	{name: "owner", doc: "A member's id: their personal tokens."},
	{name: "ip_filter", doc: "An IP filter's id or name: the tokens that have it as their own."},
	{name: "q", doc: "Part of the name, the id or the hint; case does not matter."},
	{name: "sort", doc: "By name; newest first; soonest to expire first; latest used first.", enum: []string{"name", "created_at", "expires_at", "last_used_at"}, standard: "created_at"},
}, paging...)

var systemTokenQuery = slices.DeleteFunc(slices.Clone(tokenQuery), func(p param) bool {
	return p.name == "kind" || p.name == "owner" || p.name == "ip_filter"
})

var refusalQuery = append([]param{
	{name: "token", doc: "A token's id."},
	{name: "code", doc: "Why it was refused.", enum: words(counterfoil.RefusalCodes)},
	{name: "ip", doc: "The client's address.", address: true},
}, paging...)

func words[T ~string](list []T) (out []string) {
	for _, word := range list {
		out = append(out, string(word))
	}
	return out
}

// routes is the API: one visible table.
func routes() []route {
	return slices.Concat(checkRoutes(), changeRoutes(), activityRoutes(), webhookRoutes(), providerRoutes(), usageRoutes(), docsRoutes(), []route{
		send(route{method: post, path: org + "/tokens", op: registry.OpCreateToken, tag: tagTokens, status: 201, once: true, summary: "Create a token"}, (*call).createToken),
		ask(route{method: get, path: org + "/tokens", op: registry.OpListTokens, tag: tagTokens, query: tokenQuery, summary: "List tokens"}, (*call).listTokens),
		ask(route{method: get, path: org + "/tokens/{id}", op: registry.OpReadToken, tag: tagTokens, summary: "Show a token"}, (*call).readToken),
		send(route{method: patch, path: org + "/tokens/{id}", op: registry.OpEditToken, tag: tagTokens, summary: "Edit, pause or resume a token"}, (*call).editToken),
		send(route{method: del, path: org + "/tokens/{id}", op: registry.OpRevokeToken, tag: tagTokens, bodyOptional: true, summary: "Revoke a token, for good"}, (*call).revokeToken),
		send(route{method: post, path: org + "/tokens/{id}/rotate", op: registry.OpRotateToken, tag: tagTokens, bodyOptional: true, summary: "Give a token a new value"}, (*call).rotateToken),
		ask(route{method: get, path: org + "/tokens/{id}/previous", op: registry.OpReadToken, tag: tagTokens, summary: "Say who still uses a token's old value"}, (*call).readPrevious),
		send(route{method: del, path: org + "/tokens/{id}/previous", op: registry.OpEndPrevious, tag: tagTokens, bodyOptional: true, summary: "End a token's old value"}, (*call).endPrevious),
		ask(route{method: get, path: "/v1/tokens/current", op: registry.OpReadSelf, tag: tagTokens, summary: "Show the presented token"}, (*call).currentToken),
		send(route{method: del, path: "/v1/tokens/current", op: registry.OpRevokeSelf, tag: tagTokens, bodyOptional: true, summary: "Revoke the presented token"}, (*call).revokeCurrent),
		ask(route{method: get, path: "/v1/receipts/{id}", op: registry.OpReadReceipt, tag: tagTokens, summary: "Show a receipt",
			doc: "To every credential of the organization, and of the instance. One without nodes was never confirmed by name: whoever made the change died before the answer."}, (*call).readReceipt),
		ask(route{method: get, path: org + "/refusals", op: registry.OpReadRefusal, tag: tagTokens, query: refusalQuery, summary: "List refused checks, the latest first"}, (*call).listRefusals),
		ask(route{method: get, path: org + "/refusals/{id}", op: registry.OpReadRefusal, tag: tagTokens, summary: "Explain a refused check"}, (*call).readRefusal),

		send(route{method: post, path: system, op: registry.OpCreateSystemToken, tag: tagSystem, status: 201, once: true, summary: "Create a system token"}, (*call).createSystemToken),
		ask(route{method: get, path: system, op: registry.OpListSystemTokens, tag: tagSystem, query: systemTokenQuery, summary: "List system tokens"}, (*call).listTokens),
		ask(route{method: get, path: system + "/{id}", op: registry.OpReadSystemToken, tag: tagSystem, summary: "Show a system token"}, (*call).readToken),
		send(route{method: patch, path: system + "/{id}", op: registry.OpEditSystemToken, tag: tagSystem, summary: "Edit, pause or resume a system token"}, (*call).editToken),
		send(route{method: del, path: system + "/{id}", op: registry.OpRevokeSystemToken, tag: tagSystem, bodyOptional: true, summary: "Revoke a system token, for good"}, (*call).revokeToken),
		send(route{method: post, path: system + "/{id}/rotate", op: registry.OpRotateSystemToken, tag: tagSystem, bodyOptional: true, summary: "Give a system token a new value"}, (*call).rotateToken),
		ask(route{method: get, path: system + "/{id}/previous", op: registry.OpReadSystemToken, tag: tagSystem, summary: "Say who still uses a system token's old value"}, (*call).readPrevious),
		send(route{method: del, path: system + "/{id}/previous", op: registry.OpEndSystemPrevious, tag: tagSystem, bodyOptional: true, summary: "End a system token's old value"}, (*call).endPrevious),

		ask(route{method: get, path: org + "/policies", op: registry.OpReadPolicies, tag: tagRules, query: paging, summary: "List the security policies"}, (*call).listPolicies),
		ask(route{method: get, path: org + "/policies/{kind}", op: registry.OpReadPolicies, tag: tagRules, summary: "Show the policy for a kind of token"}, (*call).readPolicy),
		send(route{method: put, path: org + "/policies/{kind}", op: registry.OpWritePolicy, tag: tagRules, match: true, summary: "Set the policy for a kind of token",
			doc: "Members that are left out stay as they are."}, (*call).writePolicy),
		send(route{method: post, path: org + "/policies/{kind}/preview", op: registry.OpPreviewPolicy, tag: tagRules, summary: "Say what a policy would refuse"}, (*call).previewPolicy),
		ask(route{method: get, path: org + "/ip-filters", op: registry.OpReadIPFilters, tag: tagRules, query: paging, summary: "List IP filters"}, (*call).listIPFilters),
		send(route{method: post, path: org + "/ip-filters", op: registry.OpCreateIPFilter, tag: tagRules, status: 201, once: true, summary: "Create an IP filter"}, (*call).createIPFilter),
		send(route{method: post, path: org + "/ip-filters/test", op: registry.OpReadIPFilters, tag: tagRules, summary: "Test an address against rules"}, (*call).testIPFilter),
		ask(route{method: get, path: org + "/ip-filters/{id}", op: registry.OpReadIPFilters, tag: tagRules, summary: "Show an IP filter"}, (*call).readIPFilter),
		send(route{method: patch, path: org + "/ip-filters/{id}", op: registry.OpEditIPFilter, tag: tagRules, match: true, summary: "Edit an IP filter"}, (*call).editIPFilter),
		ask(route{method: del, path: org + "/ip-filters/{id}", op: registry.OpDeleteIPFilter, tag: tagRules, summary: "Delete an IP filter"}, (*call).deleteIPFilter),

		ask(route{method: get, path: org + "/permissions", op: registry.OpListPermissions, tag: tagCatalogue, query: paging, summary: "List the catalogue's permissions"}, (*call).listPermissions),
		ask(route{method: get, path: "/v1/catalogue", op: registry.OpReadCatalogue, tag: tagCatalogue, summary: "Show the catalogue in force"}, (*call).readCatalogue),
		send(route{method: put, path: "/v1/catalogue", op: registry.OpApplyCatalogue, tag: tagCatalogue, limit: 2 << 20, summary: "Apply a catalogue"}, (*call).applyCatalogue),

		ask(route{method: get, path: org + "/roles", op: registry.OpReadRoles, tag: tagPeople, query: paging, summary: "List roles"}, (*call).listRoles),
		send(route{method: post, path: org + "/roles", op: registry.OpCreateRole, tag: tagPeople, status: 201, once: true, summary: "Create a role"}, (*call).createRole),
		ask(route{method: get, path: org + "/roles/{id}", op: registry.OpReadRoles, tag: tagPeople, summary: "Show a role"}, (*call).readRole),
		send(route{method: patch, path: org + "/roles/{id}", op: registry.OpEditRole, tag: tagPeople, match: true, summary: "Set a role's permissions"}, (*call).editRole),
		ask(route{method: del, path: org + "/roles/{id}", op: registry.OpDeleteRole, tag: tagPeople, summary: "Delete a role"}, (*call).deleteRole),
		ask(route{method: get, path: org + "/members", op: registry.OpReadMembers, tag: tagPeople, query: append([]param{{name: "q", doc: "Part of the e-mail or name."}}, paging...), summary: "List members"}, (*call).listMembers),
		send(route{method: post, path: org + "/members", op: registry.OpAddMember, tag: tagPeople, status: 201, once: true, summary: "Add a member"}, (*call).addMember),
		ask(route{method: get, path: org + "/members/{id}", op: registry.OpReadMembers, tag: tagPeople, summary: "Show a member"}, (*call).readMember),
		send(route{method: patch, path: org + "/members/{id}", op: registry.OpEditMember, tag: tagPeople, summary: "Change a member's roles or status"}, (*call).editMember),
		ask(route{method: del, path: org + "/members/{id}", op: registry.OpRemoveMember, tag: tagPeople, summary: "Remove a member"}, (*call).removeMember),
		ask(route{method: get, path: org + "/members/{id}/assignments", op: registry.OpReadAssignments, tag: tagProvider, summary: "Show in which organizations a provider's technician acts"}, (*call).readAssignments),
		send(route{method: put, path: org + "/members/{id}/assignments", op: registry.OpAssign, tag: tagProvider, limit: 256 << 10, summary: "Say in which organizations a provider's technician acts",
			doc: "The whole list, in place of the one before. It counts while the member holds the role technician."}, (*call).writeAssignments),
		send(route{method: post, path: org + "/console-sessions", op: registry.OpCreateConsoleSession, tag: tagPeople, status: 201, once: true, summary: "Sign a member in to the console",
			doc: "The answer is an address that is good once, for 60 seconds: send the member's browser there at once. The session is good for this organization alone."}, (*call).createConsoleSession),
		ask(route{method: get, path: orgs, op: registry.OpListOrganizations, tag: tagPeople, query: paging, summary: "List organizations"}, (*call).listOrganizations),
		send(route{method: post, path: orgs, op: registry.OpCreateOrganization, tag: tagPeople, status: 201, once: true, summary: "Create an organization"}, (*call).createOrganization),
		ask(route{method: get, path: org, op: registry.OpReadOrganization, tag: tagPeople, summary: "Show an organization"}, (*call).readOrganization),
		send(route{method: patch, path: org, op: registry.OpEditOrganization, tag: tagPeople, summary: "Change an organization"}, (*call).editOrganization),
		ask(route{method: del, path: org, op: registry.OpDeleteOrganization, tag: tagPeople, summary: "Delete an organization, for good"}, (*call).deleteOrganization),

		ask(route{method: get, path: org + "/exports/splunk", op: registry.OpReadExport, tag: tagActivity, summary: "Show the push to a Splunk collector, and how far it is"}, (*call).readExport),
		send(route{method: put, path: org + "/exports/splunk", op: registry.OpWriteExport, tag: tagActivity, summary: "Push the log to a Splunk HTTP Event Collector",
			doc: "The whole of the settings, but for the token: left out it stays, unless scheme, host or port of the url change. Then it is forgotten, and nothing is delivered before another is set."}, (*call).writeExport),
		ask(route{method: del, path: org + "/exports/splunk", op: registry.OpDeleteExport, tag: tagActivity, summary: "End the push to Splunk"}, (*call).deleteExport),
		ask(route{method: post, path: org + "/exports/splunk/test", op: registry.OpTestExport, tag: tagActivity, summary: "Send a test event to the Splunk collector",
			doc: "The answer is 200 whatever comes of it: ok, and in words what is wrong. It can take 20 seconds."}, (*call).testExport),

		{method: get, path: "/openapi.json", open: true, tag: tagDocumentation, summary: "This document", plain: func(a *API) http.HandlerFunc { return a.serveOpenAPI }},
	})
}

// kindOf is the policy kind that the path names.
func (c *call) kindOf() counterfoil.Kind { return counterfoil.Kind(c.r.PathValue("kind")) }
