package judge

import (
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Use decides whether a token may be used in this way now: counterfoil.CodeOK, or the code of the first rule that it
// fails. The rules and their order are the contract of the check; every one is judged afresh at each use (H7).
//
// owner is nil for a token without an owner. The trace, if not nil, collects each rule that was applied, the deciding
// one last; it changes nothing about the answer. Without one Use allocates nothing.
func Use(t *Record, owner *Holder, rules *Rules, a *counterfoil.Attempt, now counterfoil.Instant, trace *Trace) counterfoil.Code {
	if t == nil || rules == nil || a == nil || !t.Kind.Valid() {
		trace.add(RuleValue, false, "the record or its rules are missing or damaged")
		return counterfoil.CodeInvalidToken
	}
	j := judgement{t: t, rules: rules, a: a, now: now, trace: trace, policy: rules.Policy(t.Kind)}
	governed := t.Kind != counterfoil.KindSystem
	if t.Kind == counterfoil.KindPersonal {
		j.owner = owner
	}
	switch {
	case !j.valueMatches():
		return counterfoil.CodeInvalidToken
	case !j.notRevoked() || !j.previousInGrace():
		return counterfoil.CodeTokenRevoked
	case !j.notPaused():
		return counterfoil.CodeTokenPaused
	case governed && !j.organizationActive():
		return counterfoil.CodeOrganizationSuspended
	case t.Kind == counterfoil.KindPersonal && !j.ownerActive():
		return counterfoil.CodeOwnerInactive
	case !j.audienceFits():
		return counterfoil.CodeWrongAudience
	case governed && !j.kindAllowed():
		return counterfoil.CodeKindDisabled
	case !j.notExpired():
		return counterfoil.CodeTokenExpired
	case governed && !j.withinLifetime():
		return counterfoil.CodeMaxLifetimeExceeded
	case governed && !j.enforcedFilterAllows() || !j.ownFilterAllows():
		return counterfoil.CodeIPNotAllowed
	case !j.permitted() || !j.endpointOpen():
		return counterfoil.CodeMissingPermission
	}
	return counterfoil.CodeOK
}

// judgement is one run of Use. Its methods are the rules: each notes what it found and reports whether it passed.
type judgement struct {
	t      *Record
	owner  *Holder // nil unless personal
	rules  *Rules
	policy *counterfoil.Policy // nil for a system token
	a      *counterfoil.Attempt
	now    counterfoil.Instant
	trace  *Trace
}

func (j *judgement) valueMatches() bool {
	switch j.a.Value {
	case counterfoil.MatchCurrent:
		return j.trace.add(RuleValue, true, "the value is the current one")
	case counterfoil.MatchPrevious:
		return j.trace.add(RuleValue, true, "the value is the one before the last rotation")
	}
	return j.trace.add(RuleValue, false, "the value is not the token's")
}

func (j *judgement) notRevoked() bool {
	if j.t.Revoked {
		return j.trace.add(RuleRevoked, false, "the token is revoked")
	}
	return j.trace.add(RuleRevoked, true, "the token is not revoked")
}

// previousInGrace holds a rotated value to its grace (H4).
func (j *judgement) previousInGrace() bool {
	if j.a.Value != counterfoil.MatchPrevious {
		return true
	}
	until := j.t.PreviousUntil
	if until == 0 || j.now >= until {
		return j.trace.addTime(RuleRevoked, false, "the previous value was good until", until)
	}
	return j.trace.addTime(RuleRevoked, true, "the previous value is good until", until)
}

func (j *judgement) notPaused() bool {
	if j.t.Paused {
		return j.trace.add(RulePaused, false, "the token is paused")
	}
	return j.trace.add(RulePaused, true, "the token is not paused")
}

func (j *judgement) organizationActive() bool {
	if !j.rules.OrganizationActive {
		return j.trace.add(RuleOrganization, false, "the organization is not active")
	}
	return j.trace.add(RuleOrganization, true, "the organization is active")
}

// ownerActive stops the tokens of a leaving member at once (P10).
func (j *judgement) ownerActive() bool {
	switch {
	case j.owner == nil:
		return j.trace.add(RuleOwner, false, "the owner is not a member any more")
	case !j.owner.Active:
		return j.trace.add(RuleOwner, false, "the owner is not an active member")
	}
	return j.trace.add(RuleOwner, true, "the owner is an active member")
}

// audienceFits keeps an integration token to its own reader and every other token out of Splunk's (N6).
func (j *judgement) audienceFits() bool {
	fits := false
	switch a := j.a.Audience; {
	case j.t.Kind != counterfoil.KindIntegration:
		fits = j.t.Integration == "" && (a == counterfoil.AudienceProduct || a == counterfoil.AudienceAPI ||
			a == counterfoil.AudienceActivity || a == counterfoil.AudienceSelf)
	case j.t.Integration == counterfoil.IntegrationSplunk:
		fits = a == counterfoil.AudienceSplunk || a == counterfoil.AudienceSelf
	case j.t.Integration == counterfoil.IntegrationCustom || j.t.Integration == counterfoil.IntegrationSentinel:
		fits = a == counterfoil.AudienceActivity || a == counterfoil.AudienceSelf
	}
	if j.trace != nil {
		whose := string(j.t.Kind)
		if j.t.Integration != "" {
			whose = string(j.t.Integration) + " " + whose
		}
		verb := "is"
		if !fits {
			verb = "is not"
		}
		article := "a"
		if strings.ContainsRune("aeiou", rune(whose[0])) {
			article = "an"
		}
		j.trace.add(RuleAudience, fits, fmt.Sprintf("%s %s token %s good for %q", article, whose, verb, j.a.Audience))
	}
	return fits
}

func (j *judgement) kindAllowed() bool {
	if !j.policy.Allowed {
		return j.trace.add(RuleKind, false, "the security policy does not allow tokens of this kind")
	}
	return j.trace.add(RuleKind, true, "the security policy allows tokens of this kind")
}

func (j *judgement) notExpired() bool {
	end := j.t.ExpiresAt
	switch {
	case end == 0:
		return j.trace.add(RuleExpiry, true, "the token has no expiry of its own")
	case j.now >= end:
		return j.trace.addTime(RuleExpiry, false, "the token expired at", end)
	}
	return j.trace.addTime(RuleExpiry, true, "the token expires at", end)
}

func (j *judgement) withinLifetime() bool {
	end := lifetimeEnd(j.t, j.policy)
	switch {
	case end == 0:
		return j.trace.add(RuleLifetime, true, "the security policy sets no longest lifetime")
	case j.now >= end:
		return j.trace.addTime(RuleLifetime, false, "the longest lifetime, counted from the last renewal, ended at", end)
	}
	return j.trace.addTime(RuleLifetime, true, "the longest lifetime, counted from the last renewal, ends at", end)
}
