package counterfoil

import "time"

// Policy is an organization's rule for one kind of token (H6). It holds at every use, not only at creation (H7). The
// zero Policy allows nothing.
type Policy struct {
	Kind Kind `json:"kind" enum:"personal,organization,integration"`
	PolicyTerms
}

// PolicyTerms is what PUT …/policies/{kind} sets, all of it at once.
type PolicyTerms struct {
	Allowed                  bool    `json:"allowed" doc:"False refuses every token of the kind at once; nothing is deleted."`
	MaxLifetimeSeconds       *int64  `json:"max_lifetime_seconds" minimum:"1" maximum:"3155760000" doc:"Counted from a token's renewed_at; null: no limit."`
	DefaultLifetimeSeconds   *int64  `json:"default_lifetime_seconds" minimum:"1" maximum:"3155760000" doc:"For a token made without an expiry; null: the longest lifetime, if there is one."`
	ExpiryRequired           bool    `json:"expiry_required"`
	EnforcedIPFilter         *string `json:"enforced_ip_filter" doc:"An IP filter's id; it applies beside the token's own."`
	CustomIPFilterAllowed    bool    `json:"custom_ip_filter_allowed" doc:"Whether a token may have its own filter."`
	PermissionUpdatesAllowed bool    `json:"permission_updates_allowed" doc:"Whether the permissions of existing tokens may change."`
}

const day = 24 * 60 * 60

// DefaultPolicy is the policy of a new organization: personal tokens live 90 days by default and 365 at most,
// integration tokens 365 days, organization tokens as long as asked.
func DefaultPolicy(kind Kind) Policy {
	p := Policy{Kind: kind, PolicyTerms: PolicyTerms{Allowed: true, CustomIPFilterAllowed: true, PermissionUpdatesAllowed: true}}
	year, quarter := int64(365*day), int64(90*day)
	switch kind {
	case KindPersonal:
		p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds, p.ExpiryRequired = &year, &quarter, true
	case KindIntegration:
		p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds, p.ExpiryRequired = &year, &year, true
	}
	return p
}

// PolicyPreview says what a policy would refuse, judged against recorded use (H7).
type PolicyPreview struct {
	RefusedTokens      int            `json:"refused_tokens"`
	RefusedRequests30d int64          `json:"refused_requests_30d" doc:"Accepted checks of the last 30 days that would have been refused."`
	Tokens             []RefusedToken `json:"tokens" doc:"The tokens that would be refused, at most 200."`
}

// RefusedToken is one line of a preview.
type RefusedToken struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Code Code   `json:"code"`
}

// IPFilter is a named list of address rules (H5).
type IPFilter struct {
	ID        string    `json:"id" doc:"ipf_…"`
	Name      string    `json:"name"`
	Rules     string    `json:"rules" doc:"One rule a line: allow or deny, then all, an address or a CIDR; # starts a comment. First match wins, no match denies."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// IPFilterRef names an IP filter.
type IPFilterRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// IPFilterDraft asks for an IP filter.
type IPFilterDraft struct {
	Name  string `json:"name" minLength:"1" maxLength:"100"`
	Rules string `json:"rules" maxLength:"60000"`
}

// IPFilterEdit changes what is not nil.
type IPFilterEdit struct {
	Name  *string `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Rules *string `json:"rules,omitempty" maxLength:"60000"`
}

// IPFilterTest asks what a filter, stored or not, says to an address.
type IPFilterTest struct {
	Rules *string `json:"rules,omitempty" maxLength:"60000"`
	ID    string  `json:"id,omitempty"`
	IP    string  `json:"ip"`
}

// IPFilterTestResult names the deciding line (from 1; 0 when none matched) and the lines that can never match.
type IPFilterTestResult struct {
	Allowed       bool   `json:"allowed"`
	Line          int    `json:"line"`
	Rule          string `json:"rule"`
	ShadowedLines []int  `json:"shadowed_lines"`
}
