package console

import (
	"github.com/counterfoil/counterfoil"
)

// shelf is one of the lists of tokens, each with its own page and its own way of making one.
type shelf struct {
	kind        counterfoil.Kind
	integration counterfoil.Integration
	path        string // within the organization
	title       string
	about       string
	noun        string // of one token
	needs       string
}

var shelves = []shelf{
	{kind: counterfoil.KindPersonal, path: "/tokens", title: "API tokens", noun: "API token",
		about: "For your own scripts and collectors. A token acts as you, with the permissions that you put on it and still hold."},
	{kind: counterfoil.KindOrganization, path: "/organization-tokens", title: "Organization tokens", noun: "organization token", needs: counterfoil.PermTokensWrite,
		about: "For services that belong to nobody in particular. They go on working when the person who made them leaves."},
	{kind: counterfoil.KindIntegration, integration: counterfoil.IntegrationCustom, path: "/integrations/custom", title: "Custom", noun: "token", needs: counterfoil.PermTokensWrite,
		about: "For your own reader of the Activity Logs API. A token opens that API and nothing else."},
	{kind: counterfoil.KindIntegration, integration: counterfoil.IntegrationSplunk, path: "/integrations/splunk", title: "Splunk", noun: "token", needs: counterfoil.PermTokensWrite,
		about: "For the Splunk add-on. It asks for this data centre's URL and a token, which is good for Splunk alone."},
	{kind: counterfoil.KindIntegration, integration: counterfoil.IntegrationSentinel, path: "/integrations/sentinel", title: "Microsoft Sentinel", noun: "token", needs: counterfoil.PermTokensWrite,
		about: "For the Sentinel connector, which reads the Activity Logs API."},
}

// shelfOf is the list that a token is on.
func shelfOf(t *counterfoil.Token) *shelf {
	for i := range shelves {
		s := &shelves[i]
		if s.kind == t.Kind && (t.Integration == nil || *t.Integration == s.integration) {
			return s
		}
	}
	return &shelves[0]
}

// integration reports whether tokens of the shelf are made with a name alone (N2).
func (s *shelf) integrates() bool { return s.kind == counterfoil.KindIntegration }

func (s *shelf) personal() bool { return s.kind == counterfoil.KindPersonal }
