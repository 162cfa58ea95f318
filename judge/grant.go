package judge

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
)

// Ask is a draft of a token with its names resolved to ids.
type Ask struct {
	Kind        counterfoil.Kind
	Integration counterfoil.Integration
	Name        string
	Permissions []string
	ExpiresIn   *int64               // seconds from now
	ExpiresAt   *counterfoil.Instant // at most one of the two
	IPFilter    string               // an id; empty: none
}

// Terms is what a granted token gets.
type Terms struct {
	Permissions counterfoil.Permissions
	ExpiresAt   counterfoil.Instant // zero: no expiry
}

// Grant decides whether a token may be made, and on which terms: the permissions asked for, and an expiry that the
// policy has supplied where none was asked for (P3, H6). holds is what the credential that asks holds now, and owner
// the member whom a personal token is for: a token never gets what either lacks (P2, S7). Whether the asking credential
// may make tokens at all is its caller's question.
//
// Every problem is reported at once, in the order of Ask's members; the terms are zero if there is one.
func Grant(ask Ask, holds counterfoil.Permissions, owner *Holder, rules *Rules, now counterfoil.Instant) (Terms, []counterfoil.Problem) {
	if !ask.Kind.Valid() {
		return Terms{}, []counterfoil.Problem{invalid("/kind", "the kind is personal, organization, integration or system")}
	}
	g := newGranting(ask.Kind, holds, owner, rules, now)
	if g.policy != nil && !g.policy.Allowed {
		g.report(violation("/kind", fmt.Sprintf("the security policy does not allow %s tokens", ask.Kind)))
	}
	g.checkIntegration(ask.Integration)
	if trimmed := strings.TrimSpace(ask.Name); trimmed == "" || utf8.RuneCountInString(ask.Name) > maxName {
		g.report(invalid("/name", fmt.Sprintf("a token has a name of at most %d characters", maxName)))
	}
	if g.personal() && !active(owner) {
		g.report(ownerProblem())
	}
	g.checkPermissions(ask.Permissions)
	expiresAt := g.expiry(ask)
	g.checkFilter(ask.IPFilter)
	if len(g.problems) > 0 {
		return Terms{}, g.problems
	}
	return Terms{Permissions: counterfoil.NewPermissions(ask.Permissions...), ExpiresAt: expiresAt}, nil
}

const maxName = 100 // characters

// granting is one run of Grant or Edit, collecting problems.
type granting struct {
	kind     counterfoil.Kind
	holds    counterfoil.Permissions
	owner    *Holder
	rules    *Rules
	policy   *counterfoil.Policy // nil for a system token alone
	now      counterfoil.Instant
	problems []counterfoil.Problem
}

func newGranting(kind counterfoil.Kind, holds counterfoil.Permissions, owner *Holder, rules *Rules, now counterfoil.Instant) *granting {
	if rules == nil {
		rules = &Rules{}
	}
	return &granting{kind: kind, holds: holds, owner: owner, rules: rules, policy: rules.Policy(kind), now: now}
}

func (g *granting) personal() bool { return g.kind == counterfoil.KindPersonal }

func (g *granting) report(p counterfoil.Problem) { g.problems = append(g.problems, p) }

func (g *granting) checkIntegration(name counterfoil.Integration) {
	switch {
	case g.kind != counterfoil.KindIntegration:
		if name != "" {
			g.report(invalid("/integration", "only a token of kind integration has an integration"))
		}
	case name == "":
		g.report(invalid("/integration", "an integration token needs an integration: custom, splunk or sentinel"))
	case name != counterfoil.IntegrationCustom && name != counterfoil.IntegrationSplunk && name != counterfoil.IntegrationSentinel:
		g.report(invalid("/integration", "the integration is custom, splunk or sentinel"))
	}
}

// checkPermissions reports each name that may not be given, at its index.
func (g *granting) checkPermissions(names []string) {
	if g.kind == counterfoil.KindIntegration {
		if len(names) > 0 {
			g.report(invalid("/permissions", "an integration token has no permissions: it opens the activity log alone"))
		}
		return
	}
	for i, name := range names {
		if p, bad := g.permissionProblem(name); bad {
			p.Pointer = fmt.Sprintf("/permissions/%d", i)
			g.report(p)
		}
	}
}

// permissionProblem says why a permission may not be given. An owner who is missing or inactive has a problem of their
// own, and so is not asked here.
func (g *granting) permissionProblem(name string) (counterfoil.Problem, bool) {
	known := false
	if g.rules.Catalogue != nil {
		_, known = g.rules.Catalogue.Lookup(name)
	}
	switch {
	case !known:
		return invalid("", clip(name)+" is not a permission of the catalogue"), true
	case !g.rules.allowedFor(g.kind).Has(name):
		return notHeld("", fmt.Sprintf("%s may not be held by a token of kind %s", name, g.kind)), true
	case !g.holds.Has(name):
		return notHeld("", name+" is not yours to give: the credential that asks does not hold it now (a token keeps the permissions it was made with; ask with one that holds it, or with a system token)"), true
	case g.personal() && active(g.owner) && !g.owner.Permissions.Has(name):
		return notHeld("", name+" is not held by the member whom the token is for"), true
	}
	return counterfoil.Problem{}, false
}

// checkFilter reports whether a token may have an IP filter of its own. An empty id is none.
func (g *granting) checkFilter(id string) {
	switch {
	case id == "":
	case g.policy == nil:
		g.report(invalid("/ip_filter", "a system token has no IP filter: filters belong to organizations"))
	case !g.policy.CustomIPFilterAllowed:
		g.report(violation("/ip_filter", "the security policy does not allow a token to have its own IP filter"))
	case g.rules.Filters[id] == nil:
		g.report(invalid("/ip_filter", clip(id)+" is not an IP filter of the organization"))
	}
}

func active(owner *Holder) bool { return owner != nil && owner.Active }

func ownerProblem() counterfoil.Problem {
	return invalid("/owner", "a personal token belongs to an active member")
}

func invalid(pointer, detail string) counterfoil.Problem {
	return counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: detail}
}

func notHeld(pointer, detail string) counterfoil.Problem {
	return counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodePermissionNotHeld, Detail: detail}
}

func violation(pointer, detail string) counterfoil.Problem {
	return counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodePolicyViolation, Detail: detail}
}
