package counterfoil

import (
	"encoding/json"
	"strings"
	"time"
)

// Kind says whom a token belongs to and so where it is good.
type Kind string

const (
	KindPersonal     Kind = "personal"     // belongs to a member
	KindOrganization Kind = "organization" // belongs to the organization
	KindIntegration  Kind = "integration"  // belongs to the organization, opens the Activity Logs API alone
	KindSystem       Kind = "system"       // belongs to the instance: gateways, the product's own backend
)

// Kinds lists every kind; PolicyKinds those that an organization's policy governs.
var (
	Kinds       = []Kind{KindPersonal, KindOrganization, KindIntegration, KindSystem}
	PolicyKinds = []Kind{KindPersonal, KindOrganization, KindIntegration}
)

// Valid reports whether k is one of Kinds.
func (k Kind) Valid() bool {
	return k == KindPersonal || k == KindOrganization || k == KindIntegration || k == KindSystem
}

// Integration names the reader that an integration token is for; it is empty for the other kinds.
type Integration string

const (
	IntegrationCustom   Integration = "custom"
	IntegrationSplunk   Integration = "splunk"
	IntegrationSentinel Integration = "sentinel"
)

// Status is what a list shows of a token. It is derived: revoked before expired before paused before active.
type Status string

const (
	StatusActive  Status = "active"
	StatusExpired Status = "expired"
	StatusRevoked Status = "revoked"
	StatusPaused  Status = "paused"
)

// Token is the face of a token: everything about it but its value.
type Token struct {
	ID             string       `json:"id" doc:"tok_ and 12 base62 characters." example:"tok_4fZr81bQx0Lm"`
	Kind           Kind         `json:"kind" enum:"personal,organization,integration,system"`
	Integration    *Integration `json:"integration" enum:"custom,splunk,sentinel" doc:"For kind integration only."`
	OrganizationID *string      `json:"organization_id" doc:"Null for a system token."`
	Owner          *Owner       `json:"owner" doc:"The member it belongs to; null unless personal."`
	Name           string       `json:"name"`
	Hint           string       `json:"hint" doc:"What may be shown of the value." example:"cfl_pat_4fZr81bQ…x9Qk"`
	Permissions    Permissions  `json:"permissions" doc:"The snapshot taken when it was made or last edited."`
	// EffectivePermissions is Permissions, less what its owner no longer holds and what its kind may not hold (P7).
	EffectivePermissions Permissions  `json:"effective_permissions" doc:"What it may do now."`
	IPFilter             *IPFilterRef `json:"ip_filter" doc:"Its own IP filter, if it has one."`
	Status               Status       `json:"status" enum:"active,expired,revoked,paused"`
	CreatedAt            time.Time    `json:"created_at"`
	CreatedBy            string       `json:"created_by" doc:"The id of the member or token that made it."`
	RenewedAt            time.Time    `json:"renewed_at" doc:"Creation, or the last edit of the expiry: the longest lifetime counts from here."`
	ExpiresAt            *time.Time   `json:"expires_at" doc:"Null: no expiry of its own."`
	EffectiveExpiresAt   *time.Time   `json:"effective_expires_at" doc:"The earlier of expires_at and what the policy's longest lifetime allows now."`
	LastUsed             *LastUsed    `json:"last_used" doc:"The most recent accepted check, right to a few seconds; null: never."`
	PreviousValidUntil   *time.Time   `json:"previous_valid_until" doc:"Until when the value before the last rotation is still accepted."`
	RevokedAt            *time.Time   `json:"revoked_at"`
	RevokedBy            *string      `json:"revoked_by"`
	RevokedReason        *string      `json:"revoked_reason"`
}

// Owner is the member a personal token belongs to.
type Owner struct {
	ID    string `json:"id" doc:"The member's id, mem_…"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// LastUsed is the most recent accepted check of a token (C2, C3). IP is empty when the check named none.
type LastUsed struct {
	At time.Time `json:"at"`
	IP string    `json:"ip"`
}

// Draft asks for a token (POST …/tokens). At most one of ExpiresIn and ExpiresAt may be given; with neither the policy
// decides.
type Draft struct {
	Kind        Kind        `json:"kind" enum:"personal,organization,integration,system"`
	Name        string      `json:"name" minLength:"1" maxLength:"100"`
	Permissions []string    `json:"permissions,omitempty" maxItems:"500" doc:"Exact names; for an integration token none."`
	ExpiresIn   *int64      `json:"expires_in,omitempty" minimum:"1" doc:"Seconds from now."`
	ExpiresAt   *time.Time  `json:"expires_at,omitempty"`
	IPFilter    string      `json:"ip_filter,omitempty" doc:"An IP filter's id or name."`
	Integration Integration `json:"integration,omitempty" enum:"custom,splunk,sentinel"`
	Owner       string      `json:"owner,omitempty" doc:"From a system credential only: the member (mem_…) a personal token is for."`
}

// Edit changes what is not nil (PATCH …/tokens/{id}).
type Edit struct {
	Name        *string
	Permissions *[]string
	ExpiresAt   *time.Time // the zero time: no expiry
	IPFilter    *string    // id or name; empty: none
	Paused      *bool
}

// MarshalJSON writes the members that are not nil; a zero ExpiresAt and an empty IPFilter are null.
func (e Edit) MarshalJSON() ([]byte, error) {
	body := map[string]any{}
	if e.Name != nil {
		body["name"] = *e.Name
	}
	if e.Permissions != nil {
		body["permissions"] = append([]string{}, *e.Permissions...)
	}
	if e.ExpiresAt != nil {
		body["expires_at"] = At(*e.ExpiresAt).Ptr()
	}
	if e.IPFilter != nil {
		body["ip_filter"] = nil
		if *e.IPFilter != "" {
			body["ip_filter"] = *e.IPFilter
		}
	}
	if e.Paused != nil {
		body["paused"] = *e.Paused
	}
	return json.Marshal(body)
}

// Created is the one answer that holds a secret: it is shown once and kept nowhere.
type Created struct {
	Token       Token  `json:"token"`
	Secret      string `json:"secret" doc:"The token's value. Shown this once."`
	ActivityURL string `json:"activity_url,omitempty" doc:"For integration tokens: where they are good."`
	DataCenter  string `json:"data_center,omitempty"`
}

// Rotated answers a rotation: the new value under the same id, and when the old one died everywhere.
type Rotated struct {
	Token   Token   `json:"token"`
	Secret  string  `json:"secret" doc:"The token's new value. Shown this once."`
	Receipt Receipt `json:"receipt"`
}

// Revoked answers a revocation.
type Revoked struct {
	Token   Token   `json:"token"`
	Receipt Receipt `json:"receipt"`
}

// Finished answers the end of the value before a token's last rotation.
type Finished struct {
	Token   Token    `json:"token"`
	Receipt *Receipt `json:"receipt" doc:"null where no old value was accepted any more."`
}

// Confirmers is what those whom a receipt lists are called together.
func (r *Receipt) Confirmers() string {
	for _, n := range r.Nodes {
		if strings.HasPrefix(n.ID, "ver_") {
			return "nodes and verifiers"
		}
	}
	return "nodes"
}

// Receipt proves on which nodes a narrowing took effect.
type Receipt struct {
	ID        string        `json:"id" doc:"rcp_…"`
	RevokedAt time.Time     `json:"revoked_at" doc:"When the change was committed."`
	Complete  bool          `json:"complete" doc:"Every node has confirmed, or stopped answering."`
	TookMS    float64       `json:"took_ms" doc:"From the commit to the last confirmation."`
	Nodes     []ReceiptNode `json:"nodes"`
}

// ReceiptNode is one node's confirmation. ConfirmedInMS is nil for a node that could not confirm; it has then stopped
// answering, and Fenced says so.
type ReceiptNode struct {
	ID            string   `json:"id"`
	ConfirmedInMS *float64 `json:"confirmed_in_ms"`
	Fenced        bool     `json:"fenced,omitempty"`
}
