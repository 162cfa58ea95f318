package counterfoil

import (
	"encoding/json"
	"slices"
	"strings"
)

// Permissions is a sorted set of permission names. The zero value holds none. Treat it as immutable: sets are shared.
type Permissions []string

// NewPermissions sorts and deduplicates names into a set of its own.
func NewPermissions(names ...string) Permissions {
	p := slices.Clone(names)
	slices.Sort(p)
	return slices.Compact(p)
}

// Has reports whether name is in the set. It allocates nothing.
func (p Permissions) Has(name string) bool {
	_, ok := slices.BinarySearch(p, name)
	return ok
}

// Within returns the part of p that is also in q.
func (p Permissions) Within(q Permissions) Permissions {
	out := make(Permissions, 0, min(len(p), len(q)))
	for _, name := range p {
		if q.Has(name) {
			out = append(out, name)
		}
	}
	return out
}

// Beyond returns the part of p that is not in q, in order.
func (p Permissions) Beyond(q Permissions) Permissions {
	var out Permissions
	for _, name := range p {
		if !q.Has(name) {
			out = append(out, name)
		}
	}
	return out
}

// Union returns a new set of what is in p or q.
func (p Permissions) Union(q Permissions) Permissions {
	return NewPermissions(slices.Concat(p, q)...)
}

// MarshalJSON writes an array; an empty set is [], never null.
func (p Permissions) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(p))
}

// Permission is one row of the catalogue: an exact name, no wildcard.
type Permission struct {
	Name        string   `json:"name" doc:"resource:action" example:"devices:read"`
	Title       string   `json:"title"`
	Group       string   `json:"group"`
	Description string   `json:"description"`
	Kinds       []Kind   `json:"kinds" doc:"The kinds of token that may hold it; a system token may hold any."`
	Default     bool     `json:"default" doc:"Held by the built-in role member."`
	Endpoints   []string `json:"endpoints" doc:"What it opens at the gateway: METHOD /path/{parameter}."`
}

// Reserved is the prefix of the permissions that open this service's own API.
const Reserved = "counterfoil."

// The service's own permissions.
const (
	PermTokensRead           = "counterfoil.tokens:read"
	PermTokensWrite          = "counterfoil.tokens:write"
	PermTokensVerify         = "counterfoil.tokens:verify"
	PermMembersRead          = "counterfoil.members:read"
	PermMembersWrite         = "counterfoil.members:write"
	PermPoliciesRead         = "counterfoil.policies:read"
	PermPoliciesWrite        = "counterfoil.policies:write"
	PermIPFiltersRead        = "counterfoil.ip_filters:read"
	PermIPFiltersWrite       = "counterfoil.ip_filters:write"
	PermActivityRead         = "counterfoil.activity:read"
	PermActivityWrite        = "counterfoil.activity:write"
	PermExportsRead          = "counterfoil.exports:read"
	PermExportsWrite         = "counterfoil.exports:write"
	PermOrganizationsRead    = "counterfoil.organizations:read"
	PermOrganizationsWrite   = "counterfoil.organizations:write"
	PermUsageRead            = "counterfoil.usage:read"
	PermProviderKeysWrite    = "counterfoil.provider_keys:write"
	PermConsoleSessionsWrite = "counterfoil.console_sessions:write"
)

// OwnPermissions returns the rows of the service's own permissions, which every catalogue holds.
func OwnPermissions() []Permission {
	org := []Kind{KindPersonal, KindOrganization}
	row := func(name, title, description string, kinds []Kind) Permission {
		return Permission{Name: name, Title: title, Group: "Counterfoil", Description: description, Kinds: kinds, Endpoints: []string{}}
	}
	return []Permission{
		row(PermActivityRead, "Read the activity log", "Query the organization's events.", org),
		row(PermActivityWrite, "Write activity events", "Add the product's own events to the log.", org),
		row(PermConsoleSessionsWrite, "Open console sessions", "Sign a member in to the token pages.", []Kind{}),
		row(PermExportsRead, "Read exports", "See where events are delivered.", org),
		row(PermExportsWrite, "Change exports", "Deliver events elsewhere.", org),
		row(PermIPFiltersRead, "Read IP filters", "See the organization's IP filters.", org),
		row(PermIPFiltersWrite, "Change IP filters", "Make, edit and delete IP filters.", org),
		row(PermMembersRead, "Read members and roles", "See who belongs to the organization.", org),
		row(PermMembersWrite, "Change members and roles", "Add, edit and remove members and roles.", org),
		row(PermOrganizationsRead, "Read the organization", "See the organization's record.", org),
		row(PermOrganizationsWrite, "Change the organization", "Rename the organization; an owner's credential may also delete it, for good.", org),
		row(PermPoliciesRead, "Read security policies", "See the policy of each kind of token.", org),
		row(PermPoliciesWrite, "Change security policies", "Set the policy of each kind of token.", org),
		row(PermProviderKeysWrite, "Change provider keys", "Make and revoke the provider's keys.", org),
		row(PermTokensRead, "Read tokens", "See every token of the organization.", org),
		row(PermTokensVerify, "Check tokens", "Ask whether a token of the organization may be used.", org),
		row(PermTokensWrite, "Change tokens", "Make organization and integration tokens; pause and revoke any.", org),
		row(PermUsageRead, "Read usage", "Read the usage of managed organizations.", org),
	}
}

// IsReserved reports whether name belongs to this service's own API.
func IsReserved(name string) bool { return strings.HasPrefix(name, Reserved) }
