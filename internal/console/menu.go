package console

import (
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

type link struct{ to, title, icon, current string }

type section struct {
	title string
	links []link
}

// entry is a page of the side menu; needs is the permission without which it is not shown.
type entry struct{ section, path, title, icon, needs string }

const (
	yours       = "Settings"
	orgSettings = "Organization settings"
	connected   = "Integrations"
	customers   = "Provider"
)

var menu = []entry{
	{yours, "/tokens", "API tokens", "ticket", ""},
	{customers, "/organizations", "Organizations", "building-2", counterfoil.PermOrganizationsRead},
	{customers, "/usage", "Usage", "chart-column", counterfoil.PermUsageRead},
	{orgSettings, "/organization-tokens", "Organization tokens", "key-round", counterfoil.PermTokensWrite},
	{orgSettings, "/all-tokens", "All tokens", "list-checks", counterfoil.PermTokensRead},
	{orgSettings, "/members", "Members", "users", counterfoil.PermMembersRead},
	{orgSettings, "/roles", "Roles", "badge-check", counterfoil.PermMembersRead},
	{orgSettings, "/refusals", "Refusals", "circle-x", counterfoil.PermTokensRead},
	{orgSettings, "/activity", "Activity log", "activity", counterfoil.PermActivityRead},
	{orgSettings, "/policies", "Security policies", "shield", counterfoil.PermPoliciesRead},
	{orgSettings, "/ip-filters", "IP filters", "network", counterfoil.PermIPFiltersRead},
	{orgSettings, "/retention", "Retention of the log", "clock", counterfoil.PermOrganizationsRead},
	{orgSettings, "/permissions", "Permissions", "lock", ""},
	{connected, "/integrations", "Events reporting", "plug", counterfoil.PermTokensWrite},
	{connected, "/provider-api", "Provider API", "key-round", counterfoil.PermProviderKeysWrite},
	{connected, "/webhooks", "Webhooks", "webhook", counterfoil.PermExportsRead},
}

// ofProviders are the pages that a provider has and no other organization.
var ofProviders = map[string]bool{"/organizations": true, "/usage": true, "/provider-api": true}

// sections is the side menu as this person sees it.
func (v *visit) sections() (out []section) {
	if v.inside() {
		for _, e := range menu {
			if e.needs != "" && !v.may(e.needs) || ofProviders[e.path] && !v.here.Organization.Provider || !v.visits(e) {
				continue
			}
			if len(out) == 0 || out[len(out)-1].title != e.section {
				out = append(out, section{title: e.section})
			}
			s := &out[len(out)-1]
			s.links = append(s.links, v.link(v.path("%s", e.path), e.title, e.icon))
		}
	}
	if v.session.Organization == "" {
		account := v.link("/account", "Account and security", "user")
		if len(out) > 0 && out[0].title == yours {
			out[0].links = append(out[0].links, account)
		} else {
			out = append([]section{{yours, []link{account}}}, out...)
		}
	}
	return out
}

func (v *visit) link(to, title, icon string) link {
	l := link{to: to, title: title, icon: icon, current: "false"}
	if here := v.r.URL.Path; here == to || strings.HasPrefix(here, to+"/") {
		l.current = "page"
	}
	return l
}

// organizationSettings is the first page of the organization's settings that this person may open; empty when none.
func (v *visit) organizationSettings() string {
	for _, e := range menu {
		if e.section == orgSettings && v.may(e.needs) {
			return v.path("%s", e.path)
		}
	}
	return ""
}

// home is where a person begins in an organization.
func home(m identity.Membership) string {
	return "/o/" + url.PathEscape(m.Organization.Slug) + "/tokens"
}

// visits reports whether a page is for somebody who acts for a provider: nothing there is their own, and a technician has
// nothing to do with integrations (M7).
func (v *visit) visits(e entry) bool {
	return v.in == nil || e.section != yours && (e.section != connected || !v.in.Technician)
}
