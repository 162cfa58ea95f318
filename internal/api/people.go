package api

import (
	"context"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// ended runs a deletion of what the path names.
func (c *call) ended(do func(context.Context, registry.Caller, string, string) (counterfoil.Receipt, error)) (none, error) {
	org, err := c.org()
	if err != nil {
		return none{}, err
	}
	receipt, err := do(c.r.Context(), c.caller, org, c.r.PathValue("id"))
	c.receipt(receipt)
	return none{}, err
}

func (c *call) listRoles() (a counterfoil.Page[counterfoil.Role], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	list, err := c.Registry.Roles(c.r.Context(), c.caller, org)
	if err != nil {
		return a, err
	}
	return page(c, list, func(r counterfoil.Role) string { return r.ID })
}

func (c *call) createRole(d counterfoil.RoleDraft) (a counterfoil.Role, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.CreateRole(c.r.Context(), c.caller, org, d)
}

func (c *call) readRole() (a counterfoil.Role, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	r, err := c.Registry.Role(c.r.Context(), c.caller, org, c.r.PathValue("id"))
	c.etag(r.Version)
	return r.Role, err
}

func (c *call) editRole(e counterfoil.RoleEdit) (a counterfoil.Role, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	guarded, err := c.guarded(false)
	if err != nil {
		return a, err
	}
	r, receipt, err := c.Registry.EditRole(c.r.Context(), c.caller, org, c.r.PathValue("id"), e, guarded)
	if err != nil {
		return a, err
	}
	c.receipt(receipt)
	c.etag(r.Version)
	return r.Role, nil
}

func (c *call) deleteRole() (none, error) { return c.ended(c.Registry.DeleteRole) }

func (c *call) listMembers() (a counterfoil.Page[counterfoil.Member], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Members(c.r.Context(), c.caller, org, c.query["q"], c.query["cursor"], c.limit())
}

func (c *call) addMember(d counterfoil.MemberDraft) (a counterfoil.Member, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.AddMember(c.r.Context(), c.caller, org, d)
}

func (c *call) readMember() (a counterfoil.Member, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Member(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

func (c *call) editMember(e counterfoil.MemberEdit) (a counterfoil.Member, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	a, receipt, err := c.Registry.EditMember(c.r.Context(), c.caller, org, c.r.PathValue("id"), e)
	c.receipt(receipt)
	return a, err
}

func (c *call) removeMember() (none, error) { return c.ended(c.Registry.RemoveMember) }

func (c *call) listOrganizations() (counterfoil.Page[counterfoil.Organization], error) {
	return c.Registry.Organizations(c.r.Context(), c.caller, c.query["cursor"], c.limit())
}

func (c *call) createOrganization(d counterfoil.OrganizationDraft) (counterfoil.Organization, error) {
	return c.Registry.CreateOrganization(c.r.Context(), c.caller, d)
}

func (c *call) readOrganization() (a counterfoil.Organization, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Organization(c.r.Context(), c.caller, org)
}

func (c *call) editOrganization(e counterfoil.OrganizationEdit) (a counterfoil.Organization, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	a, receipt, err := c.Registry.EditOrganization(c.r.Context(), c.caller, org, e)
	c.receipt(receipt)
	return a, err
}

func (c *call) deleteOrganization() (none, error) {
	org, err := c.org()
	if err != nil {
		return none{}, err
	}
	receipt, err := c.Registry.DeleteOrganization(c.r.Context(), c.caller, org)
	c.receipt(receipt)
	return none{}, err
}

func (c *call) createConsoleSession(d counterfoil.ConsoleSessionDraft) (a counterfoil.ConsoleSession, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.CreateConsoleSession(c.r.Context(), c.caller, org, d)
}
