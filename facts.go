package counterfoil

// Change is what an entry of the log may have changed of what verdicts go by: what to forget. It names nobody but by id.
type Change struct {
	Scope ChangeScope `json:"scope" enum:"token,member,organization,everything,nothing" doc:"What to forget. Of a scope that is not known, forget everything."`
	ID    string      `json:"id,omitempty" doc:"The token's, member's or organization's id; of the others none."`
}

// ChangeScope says what a change concerns.
type ChangeScope string

const (
	ScopeToken        ChangeScope = "token"
	ScopeMember       ChangeScope = "member"
	ScopeOrganization ChangeScope = "organization"
	ScopeEverything   ChangeScope = "everything"
	ScopeNothing      ChangeScope = "nothing"
)

// FactsFormat is the format of Facts. It rises whenever a judgement goes by more than what a program that knows only the format
// before would judge by.
const FactsFormat = 1

// Facts is what a judgement needs of one token, as the database held it at one moment after they were asked for. They hold
// neither the token's value nor a digest of it.
type Facts struct {
	Format       int                `json:"format" doc:"1. Of another format keep nothing: it holds what you would not judge by. Ask POST /v1/verify instead."`
	Token        FactsToken         `json:"token"`
	Previous     bool               `json:"previous" doc:"The presented value is the one before the last rotation."`
	Organization *FactsOrganization `json:"organization" doc:"Null for a system token."`
	Owner        *FactsOwner        `json:"owner" doc:"Null unless personal."`
	// Filters are those that the token and its organization's policies name. One that is missing lets no address in.
	Filters   []FactsFilter  `json:"filters"`
	Catalogue FactsCatalogue `json:"catalogue"`
}

// FactsToken is a token's record. Permissions are those that it was given, not the effective ones. A time of 0 is none.
type FactsToken struct {
	ID            string      `json:"id"`
	Kind          Kind        `json:"kind" enum:"personal,organization,integration,system"`
	Integration   Integration `json:"integration,omitempty" enum:"custom,splunk,sentinel"`
	Name          string      `json:"name"`
	Permissions   Permissions `json:"permissions"`
	IPFilter      string      `json:"ip_filter,omitempty" doc:"An id."`
	Revoked       bool        `json:"revoked"`
	Paused        bool        `json:"paused"`
	RenewedAt     Instant     `json:"renewed_at" doc:"Microseconds since 1970 UTC."`
	ExpiresAt     Instant     `json:"expires_at" doc:"0: no expiry of its own."`
	PreviousUntil Instant     `json:"previous_until" doc:"0: there is no previous value."`
}

// FactsOrganization is a token's organization.
type FactsOrganization struct {
	ID       string   `json:"id"`
	Slug     string   `json:"slug"`
	Active   bool     `json:"active"`
	Version  int64    `json:"version" doc:"Rises with every change of the organization's rules."`
	Policies []Policy `json:"policies"`
}

// FactsOwner is the member that a personal token belongs to, with what their roles hold.
type FactsOwner struct {
	ID          string      `json:"id"`
	Email       string      `json:"email"`
	Active      bool        `json:"active"`
	Permissions Permissions `json:"permissions"`
}

// FactsFilter is an IP filter with its rules as text.
type FactsFilter struct {
	ID    string `json:"id"`
	Rules string `json:"rules"`
}

// FactsCatalogue is the catalogue in force. Permissions are the product's, and left out where the one who asked has named
// this version.
type FactsCatalogue struct {
	Version     string       `json:"version"`
	Permissions []Permission `json:"permissions,omitempty"`
}
