package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// maxNamed is how many missing permissions a message names.
const maxNamed = 5

// Missing is the message of a use that Use refused with counterfoil.CodeMissingPermission, with the names of what is missing: of
// what was asked for by name, or else of what opens the endpoint. It is safe for a caller who proved possession of the token: it
// tells of the question and the product's catalogue, and nothing of the organization. What was asked for is in it as it was sent,
// shortened and without what a terminal would act on.
func Missing(t *Record, owner *Holder, rules *Rules, a *counterfoil.Attempt) string {
	if t.Kind == counterfoil.KindIntegration || rules.Catalogue == nil {
		return Message(counterfoil.CodeMissingPermission)
	}
	j := judgement{t: t, rules: rules, a: a}
	if t.Kind == counterfoil.KindPersonal {
		j.owner = owner
	}
	asked := a.Permissions
	if a.Audience == counterfoil.AudienceActivity {
		asked = append([]string{counterfoil.PermActivityRead}, asked...)
	}
	var names []string
	for _, name := range asked {
		if j.lack(name) != "" && !slices.Contains(names, clip(name)) {
			names = append(names, clip(name))
		}
	}
	switch {
	case len(names) == 1:
		return Lacking(names[0])
	case len(names) > 1:
		return missing("permissions that the request needs: "+listed(names), "them")
	}
	openers, known := rules.Catalogue.Opens(a.Method, a.Path)
	switch {
	case !known:
		return "The catalogue of permissions does not list this endpoint, so no token opens it. Ask whoever runs this API."
	case len(openers) == 1:
		return Lacking(openers[0])
	}
	return missing("any permission that opens this endpoint: "+listed(openers), "one")
}

// Lacking is the message of Missing where one permission is.
func Lacking(name string) string { return missing("a permission that the request needs: "+name, "it") }

func missing(what, it string) string {
	return "This token does not have " + what + ". Add " + it + " to the token, or use another token."
}

func listed(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
