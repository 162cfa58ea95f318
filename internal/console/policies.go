package console

import (
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

func policyPages() []page {
	const read, write = counterfoil.PermPoliciesRead, counterfoil.PermPoliciesWrite
	return []page{
		{method: get, path: "/o/{org}/policies", who: member, needs: read, show: (*visit).policies},
		{method: get, path: "/o/{org}/policies/{kind}", who: member, needs: read, show: (*visit).policy},
		{method: post, path: "/o/{org}/policies/{kind}/preview", who: member, needs: read, show: (*visit).previewPolicy},
		{method: post, path: "/o/{org}/policies/{kind}", who: member, needs: write, fresh: true, form: "/policies", show: (*visit).savePolicy},
	}
}

// policyKind is how the pages speak of the tokens of a kind.
type policyKind struct {
	kind         counterfoil.Kind
	title, about string
}

var policyKinds = []policyKind{
	{counterfoil.KindPersonal, "Personal tokens", "Made by members for scripts of their own."},
	{counterfoil.KindOrganization, "Organization tokens", "For services that belong to nobody in particular."},
	{counterfoil.KindIntegration, "Integration tokens", "For the tools that read the activity log."},
}

// noun is the tokens of the kind within a sentence.
func (k policyKind) noun() string { return string(k.kind) + " tokens" }

func (v *visit) policyKind() (policyKind, error) {
	i := slices.IndexFunc(policyKinds, func(k policyKind) bool { return string(k.kind) == v.r.PathValue("kind") })
	if i < 0 {
		return policyKind{}, errNothing
	}
	return policyKinds[i], nil
}

func (v *visit) policies() error {
	all, err := v.c.Registry.Policies(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	filters, err := v.filters()
	if err != nil {
		return err
	}
	return v.show(200, "Security policies", policiesPage(v, all, filters))
}

// filters are the organization's IP filters; none for whoever may not read them.
func (v *visit) filters() (filterNames, error) {
	if !v.may(counterfoil.PermIPFiltersRead) {
		return nil, nil
	}
	return v.c.Registry.IPFilters(v.r.Context(), v.caller(), v.org())
}

type filterNames []counterfoil.IPFilter

// name is what a filter is called; one that the person may not read stays nameless.
func (f filterNames) name(id string) string {
	for _, x := range f {
		if x.ID == id {
			return "“" + x.Name + "”"
		}
	}
	return "an IP filter"
}

// fact is one thing that a policy says.
type fact struct{ name, words string }

// policyFacts says in words what the terms of a policy are, always the same things in the same order; other terms, other
// words.
func policyFacts(t counterfoil.PolicyTerms, filters filterNames) []fact {
	either := func(yes bool, then, otherwise string) string {
		if yes {
			return then
		}
		return otherwise
	}
	longest := "No limit"
	if t.MaxLifetimeSeconds != nil {
		longest = lifetime(*t.MaxLifetimeSeconds)
	}
	var standard string
	switch {
	case t.DefaultLifetimeSeconds != nil:
		standard = lifetime(*t.DefaultLifetimeSeconds)
	case t.MaxLifetimeSeconds != nil:
		standard = "The longest lifetime"
	default:
		standard = "None"
	}
	never := "Allowed"
	switch {
	case t.ExpiryRequired:
		never = "Not allowed"
	case t.MaxLifetimeSeconds != nil:
		never = "Not allowed while there is a longest lifetime"
	}
	addresses := "Any"
	if t.EnforcedIPFilter != nil {
		addresses = "What " + filters.name(*t.EnforcedIPFilter) + " allows"
	}
	return []fact{
		{"In use", either(t.Allowed, "Allowed", "Not allowed: refused at every use")},
		{"Longest lifetime", longest},
		{"Default expiry", standard},
		{"Never expiring", never},
		{"Addresses", addresses},
		{"Own IP filters", either(t.CustomIPFilterAllowed, "Allowed", "Not allowed")},
		{"Permissions", either(t.PermissionUpdatesAllowed, "May change later", "Fixed at creation")},
	}
}

// lifetime is a number of seconds in the longest unit that says it exactly.
func lifetime(n int64) string {
	for _, u := range lifetimeUnits {
		if n%u.seconds == 0 {
			return plural(n/u.seconds, strings.TrimSuffix(u.name, "s"))
		}
	}
	return ""
}

// change is a fact that becomes another.
type change struct{ name, before, after string }

func policyChanges(before, after counterfoil.PolicyTerms, filters filterNames) (out []change) {
	was, will := policyFacts(before, filters), policyFacts(after, filters)
	for i := range was {
		if was[i].words != will[i].words {
			out = append(out, change{was[i].name, was[i].words, will[i].words})
		}
	}
	return out
}

// refusedWords says why a policy would refuse a token.
func refusedWords(code counterfoil.Code) string {
	switch code {
	case counterfoil.CodeKindDisabled:
		return "Tokens of this kind are not allowed"
	case counterfoil.CodeMaxLifetimeExceeded:
		return "Older than the longest lifetime"
	case counterfoil.CodeIPNotAllowed:
		return "Used from an address that the IP filter refuses"
	}
	return "Refused: " + string(code)
}

func worksWords(n int) string {
	if n == 1 {
		return "works"
	}
	return "work"
}
