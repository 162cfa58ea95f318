package counterfoil

import "time"

// Code is the stable key of an answer: a verdict's or an error's.
type Code string

// Verdict codes, in the order of the decision.
const (
	CodeOK                    Code = "ok"
	CodeInvalidToken          Code = "invalid_token"
	CodeWrongDataCenter       Code = "wrong_data_center"
	CodeTokenRevoked          Code = "token_revoked"
	CodeTokenPaused           Code = "token_paused"
	CodeOrganizationSuspended Code = "organization_suspended"
	CodeOwnerInactive         Code = "owner_inactive"
	CodeWrongAudience         Code = "wrong_audience"
	CodeKindDisabled          Code = "kind_disabled"
	CodeTokenExpired          Code = "token_expired"
	CodeMaxLifetimeExceeded   Code = "max_lifetime_exceeded"
	CodeIPNotAllowed          Code = "ip_not_allowed"
	CodeMissingPermission     Code = "missing_permission"
)

// RefusalCodes are the verdicts that leave a [Refusal], in the order of the decision: those of a caller who proved possession of
// the token.
var RefusalCodes = []Code{CodeTokenRevoked, CodeTokenPaused, CodeOrganizationSuspended, CodeOwnerInactive, CodeWrongAudience, CodeKindDisabled, CodeTokenExpired,
	CodeMaxLifetimeExceeded, CodeIPNotAllowed, CodeMissingPermission}

// Question is one check asked over JSON (POST /v1/verify).
type Question struct {
	Token       string   `json:"token"`
	Permissions []string `json:"permissions,omitempty" maxItems:"100" doc:"Every one must be held."`
	Endpoint    string   `json:"endpoint,omitempty" doc:"METHOD /path, looked up in the catalogue." example:"GET /api/devices/7"`
	IP          string   `json:"ip,omitempty" doc:"The end client's address."`
	// Consistency is ConsistencyStrict, or empty.
	Consistency string `json:"consistency,omitempty" enum:"strict" doc:"strict: go by the database as it is now. Left out: a node may go by what it remembers, while it has heard from the log within its lease."`
}

// ConsistencyStrict has a check go by the database alone.
const ConsistencyStrict = "strict"

// Verdict answers a check. The zero Verdict is a refusal.
type Verdict struct {
	Active       bool                 `json:"active"`
	Code         Code                 `json:"code"`
	Token        *VerdictToken        `json:"token,omitempty"`
	Organization *VerdictOrganization `json:"organization,omitempty" doc:"Null for a system token."`
	Owner        *VerdictOwner        `json:"owner,omitempty" doc:"Null unless personal."`
	Message      string               `json:"message,omitempty" doc:"Why it was refused, in words safe for the caller."`
	Reference    string               `json:"reference,omitempty" doc:"ref_…: an admin can open it. Given when possession of the token was proved."`
}

// VerdictToken is what a check tells of an accepted token. Permissions are the effective ones.
type VerdictToken struct {
	ID          string      `json:"id"`
	Kind        Kind        `json:"kind" enum:"personal,organization,integration,system"`
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	ExpiresAt   *time.Time  `json:"expires_at"`
}

// VerdictOrganization is the organization of an accepted token.
type VerdictOrganization struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// VerdictOwner is the member an accepted personal token belongs to.
type VerdictOwner struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// Refusal explains a reference to an admin (P9).
type Refusal struct {
	ID       string      `json:"id" doc:"ref_…"`
	TokenID  string      `json:"token_id"`
	Code     Code        `json:"code"`
	Message  string      `json:"message"`
	IP       string      `json:"ip"`
	Endpoint string      `json:"endpoint"`
	Asked    Permissions `json:"permissions" doc:"The permissions that were asked for."`
	FirstAt  time.Time   `json:"first_at"`
	LastAt   time.Time   `json:"last_at"`
	Count    int64       `json:"count"`
	Trace    []TraceStep `json:"trace" doc:"Each rule that was applied, the deciding one last, as it stood at the first of these refusals."`
}

// TraceStep is one rule of a judgement and what it found.
type TraceStep struct {
	Rule   string `json:"rule"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}
