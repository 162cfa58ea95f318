package judge

import (
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
)

// The rules as a trace names them, in the order of the decision. RuleRevoked stands for the grace of a rotated value
// too.
const (
	RuleValue          = "value"
	RuleRevoked        = "revoked"
	RulePaused         = "paused"
	RuleOrganization   = "organization"
	RuleOwner          = "owner"
	RuleAudience       = "audience"
	RuleKind           = "kind"
	RuleExpiry         = "expiry"
	RuleLifetime       = "lifetime"
	RuleEnforcedFilter = "enforced_ip_filter"
	RuleOwnFilter      = "own_ip_filter"
	RulePermission     = "permission"
	RuleEndpoint       = "endpoint"
)

// Trace collects what Use found, for an admin of the token's organization: it names filters, lines and permissions, and
// is not for the caller. Of a refusal the last step, and no other, has not passed. The zero Trace is ready; a nil
// *Trace collects nothing.
type Trace struct {
	Steps []counterfoil.TraceStep
}

// add notes a step and returns passed.
func (t *Trace) add(rule string, passed bool, detail string) bool {
	if t != nil {
		t.Steps = append(t.Steps, counterfoil.TraceStep{Rule: rule, Passed: passed, Detail: detail})
	}
	return passed
}

// addTime notes a step whose detail ends in a moment.
func (t *Trace) addTime(rule string, passed bool, detail string, at counterfoil.Instant) bool {
	if t != nil {
		t.add(rule, passed, detail+" "+at.Time().Format(time.RFC3339Nano))
	}
	return passed
}

// clip returns what a caller sent as text for an admin: at most 100 characters, quoted unless they are plain.
func clip(text string) string {
	const most = 100
	plain, n := true, 0
	for i, r := range text {
		if n++; n > most {
			return fmt.Sprintf("%q…", text[:i])
		}
		plain = plain && r > ' ' && r < 0x7f && r != '"' && r != '\\'
	}
	if plain && text != "" {
		return text
	}
	return fmt.Sprintf("%q", text)
}
