package counterfoil

import "time"

// Organization is a customer of the product: it has members, rules and tokens.
type Organization struct {
	ID         string    `json:"id" doc:"org_…"`
	Slug       string    `json:"slug" doc:"Lower-case letters, digits and hyphens; usable in place of the id."`
	Name       string    `json:"name"`
	Plan       string    `json:"plan"`
	License    License   `json:"license" enum:"standard,trial,nfr"`
	Status     OrgStatus `json:"status" enum:"active,suspended"`
	DataCenter string    `json:"data_center"`
	CreatedAt  time.Time `json:"created_at"`

	Provider    bool       `json:"provider" doc:"Whether it manages organizations."`
	ManagedBy   *string    `json:"managed_by" doc:"The provider that manages it, org_…; null: none."`
	TrialEndsAt *time.Time `json:"trial_ends_at" doc:"For a trial: when it becomes standard by itself."`
}

// License is how an organization is billed.
type License string

const (
	LicenseStandard License = "standard"
	LicenseTrial    License = "trial"
	LicenseNFR      License = "nfr"
)

// OrgStatus says whether an organization's credentials are honoured at all.
type OrgStatus string

const (
	OrgActive    OrgStatus = "active"
	OrgSuspended OrgStatus = "suspended"
)

// OrganizationDraft asks for an organization. A new organization has no members.
type OrganizationDraft struct {
	Name       string  `json:"name" minLength:"1" maxLength:"100"`
	Slug       string  `json:"slug,omitempty" pattern:"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$" patternDescription:"lower-case letters, digits and hyphens" doc:"Derived from the name when absent."`
	Plan       string  `json:"plan,omitempty"`
	License    License `json:"license,omitempty" enum:"standard,trial,nfr"`
	DataCenter string  `json:"data_center,omitempty"`
	Provider   bool    `json:"provider,omitempty" doc:"From a system credential only: the organization is a provider, which manages others."`
}

// OrganizationEdit changes what is not nil. An organization's own credentials may change Name only.
type OrganizationEdit struct {
	Name       *string    `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Plan       *string    `json:"plan,omitempty"`
	License    *License   `json:"license,omitempty" enum:"standard,trial,nfr"`
	Status     *OrgStatus `json:"status,omitempty" enum:"active,suspended"`
	DataCenter *string    `json:"data_center,omitempty"`
	ManagedBy  *string    `json:"managed_by,omitempty" doc:"From a system credential only: the provider that manages it from now on; empty: none."`
}

// MemberStatus says whether a member may act. Only an active member's tokens are honoured.
type MemberStatus string

const (
	MemberInvited   MemberStatus = "invited" // counts as pending
	MemberActive    MemberStatus = "active"
	MemberSuspended MemberStatus = "suspended"
)

// Member is a person in one organization. The same person (one e-mail) may be a member of several.
type Member struct {
	ID         string       `json:"id" doc:"mem_…"`
	UserID     string       `json:"user_id" doc:"usr_…: the person, anywhere."`
	Email      string       `json:"email"`
	Name       string       `json:"name"`
	Roles      []string     `json:"roles" doc:"Names of roles; the member holds exactly their union."`
	Status     MemberStatus `json:"status" enum:"invited,active,suspended"`
	ExternalID *string      `json:"external_id" doc:"The product's own id for the person."`
	CreatedAt  time.Time    `json:"created_at"`
}

// MemberDraft asks for a member; a new one is invited.
type MemberDraft struct {
	Email      string   `json:"email" format:"email" maxLength:"254"`
	Name       string   `json:"name" minLength:"1" maxLength:"100"`
	Roles      []string `json:"roles" maxItems:"50"`
	ExternalID string   `json:"external_id,omitempty" maxLength:"200"`
}

// MemberEdit changes what is not nil.
type MemberEdit struct {
	Roles  *[]string     `json:"roles,omitempty" maxItems:"50"`
	Status *MemberStatus `json:"status,omitempty" enum:"invited,active,suspended"`
}

// The built-in roles. An owner holds everything that a person may hold; an admin the same, but never acts on an owner
// and does not delete the organization; a member holds the catalogue's default permissions. A provider has one more: a
// technician acts in the organizations that they are assigned to, and holds next to nothing in the provider itself.
const (
	RoleOwner      = "owner"
	RoleAdmin      = "admin"
	RoleMember     = "member"
	RoleTechnician = "technician"
)

// Role is a named set of permissions. Source says where it comes from: "builtin", "catalogue" or "organization"; only
// the last can be edited.
type Role struct {
	ID          string      `json:"id" doc:"rol_…"`
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	Source      string      `json:"source" enum:"builtin,catalogue,organization"`
}

// RoleDraft asks for a role of the organization's own.
type RoleDraft struct {
	Name        string   `json:"name" pattern:"^[a-z0-9][a-z0-9_-]{0,62}$" patternDescription:"a lower-case letter or digit, then those, - or _, at most 63 characters"`
	Permissions []string `json:"permissions" maxItems:"500"`
}

// RoleEdit sets a role's permissions. Its name is what members hold it by and stays.
type RoleEdit struct {
	Permissions []string `json:"permissions" maxItems:"500"`
}
