package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestNamesakes: organizations of one name are told apart wherever they are listed, and others are not burdened with it.
func TestNamesakes(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	d.manages(p, "Alpha")
	first, second := d.manages(p, "Customer"), d.manages(p, "customer")
	owner.get("/organizations").says(http.StatusOK, first.Slug, second.Slug, "!alpha")
	owner.get("/usage").says(http.StatusOK, first.ID, second.ID)
	owner.get("/usage?organization="+first.ID).says(http.StatusOK, "Customer", "!"+first.ID)
	tech, _ := p.Member(t, counterfoil.RoleTechnician)
	must[counterfoil.Assignments](t)(p.Client().SetAssignments(t.Context(), p.ID, tech.ID, []string{first.ID, second.ID}))
	for _, page := range []string{"", "/organizations"} {
		owner.get("/members/"+tech.ID+page).says(http.StatusOK, first.Slug, second.Slug, "!alpha")
	}

}

// TestNamesakesInTheSwitcher: the menu, the account and the page that asks where to work tell them apart as well.
func TestNamesakesInTheSwitcher(t *testing.T) {
	d := newDesk(t)
	invitation := d.sits(d.Owner.ID).post("/members/new", "email", "grace@acme.example", "name", "Grace", "roles", "admin").says(200).link()
	grace := &sitter{d: d, at: "/o/" + d.Organization.Slug, cookies: map[string]string{}}
	grace.send("POST", "/invitation", url.Values{"ticket": {invitation[strings.Index(invitation, "=")+1:]}, "password": {"correct horse battery"}}).says(303)
	slugs := map[string]string{}
	for _, name := range []string{"Twin", "twin", "Single"} {
		o := d.NewOrganization(t, name)
		m := must[counterfoil.Member](t)(d.System().AddMember(t.Context(), o.ID, counterfoil.MemberDraft{Email: "grace@acme.example", Name: "Grace", Roles: []string{"member"}}))
		active := counterfoil.MemberActive
		must[counterfoil.Member](t)(d.System().EditMember(t.Context(), o.ID, m.ID, counterfoil.MemberEdit{Status: &active}))
		slugs[name] = o.Slug
	}
	for path, begins := range map[string]string{"/account": "Organizations ", "/o/" + d.Organization.Slug + "/tokens": "Other organizations "} {
		page := grace.send(http.MethodGet, path, nil).says(http.StatusOK)
		_, page.text, _ = strings.Cut(page.text, begins)
		page.says(http.StatusOK, "Twin", slugs["Twin"], slugs["twin"], "Single", "!"+slugs["Single"])
	}
}
