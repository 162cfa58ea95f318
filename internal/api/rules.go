package api

import (
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// policyBody sets a policy; members that are left out stay as they are.
type policyBody struct {
	Kind                     counterfoil.Kind `json:"kind,omitempty" enum:"personal,organization,integration" doc:"If given, the path's."`
	Allowed                  *bool            `json:"allowed,omitempty"`
	MaxLifetimeSeconds       orNull[int64]    `json:"max_lifetime_seconds,omitempty"`
	DefaultLifetimeSeconds   orNull[int64]    `json:"default_lifetime_seconds,omitempty"`
	ExpiryRequired           *bool            `json:"expiry_required,omitempty"`
	EnforcedIPFilter         orNull[string]   `json:"enforced_ip_filter,omitempty" doc:"An IP filter's id or name."`
	CustomIPFilterAllowed    *bool            `json:"custom_ip_filter_allowed,omitempty"`
	PermissionUpdatesAllowed *bool            `json:"permission_updates_allowed,omitempty"`
	AllowLockOut             bool             `json:"allow_lock_out,omitempty" doc:"Save it even if it refuses the very credential that saves it."`
}

func (b policyBody) over(t counterfoil.PolicyTerms) counterfoil.PolicyTerms {
	flag := func(to *bool, from *bool) {
		if from != nil {
			*to = *from
		}
	}
	flag(&t.Allowed, b.Allowed)
	flag(&t.ExpiryRequired, b.ExpiryRequired)
	flag(&t.CustomIPFilterAllowed, b.CustomIPFilterAllowed)
	flag(&t.PermissionUpdatesAllowed, b.PermissionUpdatesAllowed)
	if b.MaxLifetimeSeconds.set {
		t.MaxLifetimeSeconds = b.MaxLifetimeSeconds.value
	}
	if b.DefaultLifetimeSeconds.set {
		t.DefaultLifetimeSeconds = b.DefaultLifetimeSeconds.value
	}
	if b.EnforcedIPFilter.set {
		t.EnforcedIPFilter = b.EnforcedIPFilter.value
	}
	return t
}

func (c *call) policyOrg(b policyBody) (string, error) {
	if b.Kind != "" && b.Kind != c.kindOf() {
		c.caller.Faults = append(c.caller.Faults, counterfoil.Problem{Pointer: "/kind", Code: counterfoil.CodeValidationFailed, Detail: "the path names another kind"})
	}
	return c.org()
}

func (c *call) listPolicies() (a counterfoil.Page[counterfoil.Policy], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	list, err := c.Registry.Policies(c.r.Context(), c.caller, org)
	if err != nil {
		return a, err
	}
	return page(c, list, func(p counterfoil.Policy) string { return string(p.Kind) })
}

func (c *call) readPolicy() (a counterfoil.Policy, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	p, err := c.Registry.Policy(c.r.Context(), c.caller, org, c.kindOf())
	c.etag(p.Version)
	return p.Policy, err
}

func (c *call) writePolicy(b policyBody) (a counterfoil.Policy, err error) {
	org, err := c.policyOrg(b)
	if err != nil {
		return a, err
	}
	guarded, err := c.guarded(b.AllowLockOut)
	if err != nil {
		return a, err
	}
	p, receipt, err := c.Registry.SetPolicy(c.r.Context(), c.caller, org, c.kindOf(), b.over, guarded)
	if err != nil {
		return a, err
	}
	c.receipt(receipt)
	c.etag(p.Version)
	return p.Policy, nil
}

func (c *call) previewPolicy(b policyBody) (a counterfoil.PolicyPreview, err error) {
	org, err := c.policyOrg(b)
	if err != nil {
		return a, err
	}
	return c.Registry.PreviewPolicy(c.r.Context(), c.caller, org, c.kindOf(), b.over)
}

func (c *call) listIPFilters() (a counterfoil.Page[counterfoil.IPFilter], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	list, err := c.Registry.IPFilters(c.r.Context(), c.caller, org)
	if err != nil {
		return a, err
	}
	return page(c, list, func(f counterfoil.IPFilter) string { return f.ID })
}

func (c *call) createIPFilter(d counterfoil.IPFilterDraft) (a counterfoil.IPFilter, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.CreateIPFilter(c.r.Context(), c.caller, org, d)
}

func (c *call) testIPFilter(t counterfoil.IPFilterTest) (a counterfoil.IPFilterTestResult, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.TestIPFilter(c.r.Context(), c.caller, org, t)
}

func (c *call) readIPFilter() (a counterfoil.IPFilter, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	f, err := c.Registry.IPFilter(c.r.Context(), c.caller, org, c.r.PathValue("id"))
	c.etag(f.Version)
	return f.IPFilter, err
}

// ipFilterEdit changes what is given.
type ipFilterEdit struct {
	counterfoil.IPFilterEdit
	AllowLockOut bool `json:"allow_lock_out,omitempty" doc:"Save it even if it refuses the very credential that saves it."`
}

func (c *call) editIPFilter(e ipFilterEdit) (a counterfoil.IPFilter, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	guarded, err := c.guarded(e.AllowLockOut)
	if err != nil {
		return a, err
	}
	f, receipt, err := c.Registry.EditIPFilter(c.r.Context(), c.caller, org, c.r.PathValue("id"), e.IPFilterEdit, guarded)
	if err != nil {
		return a, err
	}
	c.receipt(receipt)
	c.etag(f.Version)
	return f.IPFilter, nil
}

func (c *call) deleteIPFilter() (none, error) {
	return c.ended(c.Registry.DeleteIPFilter)
}

// page cuts one page out of a short list. The cursor is the key of the last entry shown.
func page[T any](c *call, list []T, key func(T) string) (counterfoil.Page[T], error) {
	if cursor := c.query["cursor"]; cursor != "" {
		i := slices.IndexFunc(list, func(v T) bool { return key(v) == cursor })
		if i < 0 {
			return counterfoil.Page[T]{}, counterfoil.Invalid([]counterfoil.Problem{{Pointer: "?cursor", Code: counterfoil.CodeValidationFailed,
				Detail: "the cursor does not belong to this list: pass next_cursor back unchanged"}})
		}
		list = list[i+1:]
	}
	p := counterfoil.Page[T]{Data: append([]T{}, list...)}
	if limit := c.limit(); len(p.Data) > limit {
		p.Data = p.Data[:limit]
		next := key(p.Data[limit-1])
		p.NextCursor = &next
	}
	return p, nil
}

func (c *call) listPermissions() (a counterfoil.Page[registry.GrantablePermission], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	list, err := c.Registry.Permissions(c.r.Context(), c.caller, org)
	if err != nil {
		return a, err
	}
	return page(c, list, func(p registry.GrantablePermission) string { return p.Name })
}

// catalogueText is the catalogue as the text of its file.
type catalogueText struct {
	Source string `json:"source" doc:"YAML: permissions with their endpoints, and roles."`
}

// catalogueApplied tells whether anything changed.
type catalogueApplied struct {
	Applied bool `json:"applied" doc:"False: it was in force already."`
}

func (c *call) readCatalogue() (a catalogueText, err error) {
	a.Source, err = c.Registry.Catalogue(c.r.Context(), c.caller)
	return a, err
}

func (c *call) applyCatalogue(b catalogueText) (catalogueApplied, error) {
	applied, receipt, err := c.Registry.ApplyCatalogue(c.r.Context(), c.caller, b.Source)
	c.receipt(receipt)
	return catalogueApplied{applied}, err
}
