package judge

import (
	"fmt"

	"github.com/counterfoil/counterfoil"
)

// enforcedFilterAllows applies the policy's filter, which stands beside the token's own (H7).
func (j *judgement) enforcedFilterAllows() bool {
	if j.policy.EnforcedIPFilter == nil {
		return j.trace.add(RuleEnforcedFilter, true, "the security policy enforces no IP filter")
	}
	return j.filterAllows(RuleEnforcedFilter, *j.policy.EnforcedIPFilter)
}

func (j *judgement) ownFilterAllows() bool {
	if j.t.IPFilter == "" {
		return j.trace.add(RuleOwnFilter, true, "the token has no IP filter of its own")
	}
	return j.filterAllows(RuleOwnFilter, j.t.IPFilter)
}

// filterAllows asks one filter (H5). Neither an unknown filter nor an unknown address is let through.
func (j *judgement) filterAllows(rule, id string) bool {
	filter := j.rules.Filters[id]
	allowed, line, text := filter.Decide(j.a.IP)
	if j.trace == nil {
		return allowed
	}
	var found string
	switch {
	case filter == nil:
		found = "it does not exist or cannot be read"
	case !j.a.IP.IsValid():
		found = "the client's address is not known"
	case line == 0:
		found = fmt.Sprintf("no rule matches %s", j.a.IP)
	default:
		found = fmt.Sprintf("line %d: %s, for %s", line, text, j.a.IP)
	}
	return j.trace.add(rule, allowed, fmt.Sprintf("IP filter %q: %s", id, found))
}

// permitted asks for every permission of the attempt. The Activity API asks for counterfoil.activity:read beside them.
func (j *judgement) permitted() bool {
	if j.rules.Catalogue == nil {
		return j.trace.add(RulePermission, false, "there is no catalogue of permissions")
	}
	if j.a.Audience == counterfoil.AudienceActivity && !j.holds(RulePermission, counterfoil.PermActivityRead) {
		return false
	}
	for _, name := range j.a.Permissions {
		if !j.holds(RulePermission, name) {
			return false
		}
	}
	if len(j.a.Permissions) == 0 {
		return j.trace.add(RulePermission, true, "no permission was asked for by name")
	}
	return true
}

// endpointOpen looks the endpoint up in the catalogue: it must be listed, and any of what opens it will do.
func (j *judgement) endpointOpen() bool {
	if j.a.Path == "" {
		return true
	}
	openers, listed := j.rules.Catalogue.Opens(j.a.Method, j.a.Path)
	for _, name := range openers {
		if listed && j.lack(name) == "" {
			if j.trace != nil {
				j.trace.add(RuleEndpoint, true, fmt.Sprintf("%s is opened by %s", j.endpoint(), name))
			}
			return true
		}
	}
	if j.trace != nil {
		found := "is not listed in the catalogue"
		if listed {
			found = fmt.Sprintf("needs one of %q", []string(openers))
		}
		j.trace.add(RuleEndpoint, false, j.endpoint()+" "+found)
	}
	return false
}

func (j *judgement) endpoint() string { return clip(j.a.Method) + " " + clip(j.a.Path) }

// holds notes whether the token has a permission now.
func (j *judgement) holds(rule, name string) bool {
	lack := j.lack(name)
	if j.trace != nil {
		found := "is held"
		if lack != "" {
			found = lack
		}
		j.trace.add(rule, lack == "", clip(name)+" "+found)
	}
	return lack == ""
}

// lack says why the token does not have a permission now; empty: it does. Nothing but the audience decides for an
// integration token, whose reader it is: there it has counterfoil.activity:read, and never anything else.
func (j *judgement) lack(name string) string {
	if j.t.Kind == counterfoil.KindIntegration {
		if name == counterfoil.PermActivityRead && j.a.Audience != counterfoil.AudienceSelf {
			return ""
		}
		return "is beyond an integration token"
	}
	switch {
	case !j.t.Permissions.Has(name):
		return "is not granted to the token"
	case !j.rules.allowedFor(j.t.Kind).Has(name):
		return "is granted, but the catalogue does not let tokens of this kind hold it"
	case j.t.Kind == counterfoil.KindPersonal && !held(j.owner).Has(name):
		return "is granted, but the token's owner does not hold it now"
	}
	return ""
}
