package api

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

const provider = "/v1/provider"

var providerParam = param{name: "provider", doc: "From a system credential: the provider, by id or slug. Any other credential is for its own."}

var managedQuery = append([]param{
	providerParam,
	{name: "q", doc: "Part of the name or slug; case does not matter."},
	{name: "status", doc: "One status only.", enum: []string{"active", "suspended"}},
	{name: "assigned_to", doc: "A member's id: the organizations that they are assigned to. A technician sees no others."},
}, paging...)

func providerRoutes() []route {
	return []route{
		ask(route{method: get, path: provider + "/organizations", op: registry.OpListManaged, tag: tagProvider, query: managedQuery, summary: "List managed organizations"}, (*call).listManaged),
		send(route{method: post, path: provider + "/organizations", op: registry.OpCreateManaged, tag: tagProvider, status: 201, once: true, query: []param{providerParam}, summary: "Create a managed organization"}, (*call).createManaged),
		ask(route{method: get, path: provider + "/keys", op: registry.OpListProviderKeys, tag: tagProvider, query: append([]param{providerParam}, paging...), summary: "List a provider's keys"}, (*call).listProviderKeys),
		send(route{method: post, path: provider + "/keys", op: registry.OpCreateProviderKey, tag: tagProvider, status: 201, once: true, query: []param{providerParam}, summary: "Create a provider's key",
			doc: "A private key is made and shown this once, unless the body brings a public key. Two keys may be live."}, (*call).createProviderKey),
		ask(route{method: del, path: provider + "/keys/{id}", op: registry.OpRevokeProviderKey, tag: tagProvider, query: []param{providerParam}, summary: "Revoke a provider's key, for good"}, (*call).revokeProviderKey),
	}
}

// provider resolves the provider that the query or the body names.
func (c *call) provider(inBody string) (string, error) {
	name, pointer := c.query["provider"], "?provider"
	if name == "" && inBody != "" {
		name, pointer = inBody, "/provider"
	}
	return c.Registry.ResolveProvider(c.r.Context(), c.caller, name, pointer)
}

func (c *call) listManaged() (a counterfoil.Page[counterfoil.ManagedOrganization], err error) {
	of, err := c.provider("")
	if err != nil {
		return a, err
	}
	return c.Registry.ManagedOrganizations(c.r.Context(), c.caller, of, registry.ManagedQuery{
		Text: c.query["q"], Status: counterfoil.OrgStatus(c.query["status"]), AssignedTo: c.query["assigned_to"], Cursor: c.query["cursor"], Limit: c.limit()})
}

func (c *call) createManaged(d counterfoil.ManagedDraft) (a counterfoil.ManagedOrganization, err error) {
	of, err := c.provider(d.Provider)
	if err != nil {
		return a, err
	}
	return c.Registry.CreateManaged(c.r.Context(), c.caller, of, d)
}

func (c *call) listProviderKeys() (a counterfoil.Page[counterfoil.ProviderKey], err error) {
	of, err := c.provider("")
	if err != nil {
		return a, err
	}
	list, err := c.Registry.ProviderKeys(c.r.Context(), c.caller, of)
	if err != nil {
		return a, err
	}
	return page(c, list, func(k counterfoil.ProviderKey) string { return k.ID })
}

func (c *call) createProviderKey(d counterfoil.ProviderKeyDraft) (a counterfoil.CreatedKey, err error) {
	of, err := c.provider(d.Provider)
	if err != nil {
		return a, err
	}
	return c.Registry.CreateProviderKey(c.r.Context(), c.caller, of, d)
}

func (c *call) revokeProviderKey() (none, error) {
	of, err := c.provider("")
	if err != nil {
		return none{}, err
	}
	receipt, err := c.Registry.RevokeProviderKey(c.r.Context(), c.caller, of, c.r.PathValue("id"))
	c.receipt(receipt)
	return none{}, err
}

func (c *call) readAssignments() (a counterfoil.Assignments, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Assignments(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

func (c *call) writeAssignments(next counterfoil.Assignments) (a counterfoil.Assignments, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	a, receipt, err := c.Registry.SetAssignments(c.r.Context(), c.caller, org, c.r.PathValue("id"), next)
	c.receipt(receipt)
	return a, err
}
