package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

func (d *desk) manages(p *counterfoiltest.Organization, name string) counterfoil.ManagedOrganization {
	d.t.Helper()
	return must[counterfoil.ManagedOrganization](d.t)(p.Client().CreateManagedOrganization(d.t.Context(), counterfoil.ManagedDraft{Name: name}))
}

// TestAssignments: an owner of a provider says where a technician acts.
func TestAssignments(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	tech, _ := p.Member(t, counterfoil.RoleTechnician)
	plain, _ := p.Member(t, counterfoil.RoleMember)
	page, at := "/members/"+tech.ID, "/members/"+tech.ID+"/organizations"
	owner.get(at).says(http.StatusOK, "There are no organizations yet")
	alpha, beta := d.manages(p, "<b>Alpha</b>"), d.manages(p, "Beta")
	owner.get(page).says(http.StatusOK, "None is assigned to them yet")
	list := owner.get(at).says(http.StatusOK, "<b>Alpha</b>", "Beta", "0 of 2 selected")
	if strings.Contains(list.source, "<b>Alpha") || strings.Contains(list.source, " checked") {
		t.Error("a name is markup, or something is ticked")
	}
	owner.does(at, "organizations", alpha.ID, "organizations", beta.ID).says(http.StatusOK, "Saved.", "<b>Alpha</b>", "Beta")
	technician := d.sitsIn(p.ID, p.Slug, tech.ID)
	technician.get("/organizations").says(http.StatusOK, "<b>Alpha</b>", "Beta")
	technician.get(at).says(http.StatusForbidden)
	owner.get(at).says(http.StatusOK, "2 of 2 selected")
	owner.does(at, "organizations", beta.ID).says(http.StatusOK, "Saved.", "Confirmed by 1 of 1 node", "!Alpha")
	technician.get("/organizations").says(http.StatusOK, "!Alpha", "Beta")
	owner.post(at, "organizations", "org_nothing").says(http.StatusUnprocessableEntity, "This is the id of no organization that the provider manages")
	owner.does(at).says(http.StatusOK, "None is assigned to them yet")
	technician.get("/organizations").says(http.StatusOK, "There are none that you may see", "!Create one for each customer")

	owner.get("/members/"+plain.ID).says(http.StatusOK, "!Assign")
	if sent := owner.get("/members/" + plain.ID + "/organizations"); sent.location != "/o/"+p.Slug+"/members/"+plain.ID {
		t.Errorf("for a plain member the page answers %d %q", sent.status, sent.location)
	}
	acme := d.sits(d.Owner.ID)
	acme.get("/members/" + d.Owner.ID + "/organizations").says(http.StatusNotFound)
	d.later.Add(time.Hour.Microseconds())
	if stale := owner.get(at); !strings.HasPrefix(stale.location, "/confirm") {
		t.Errorf("without a fresh proof the page answers %d %q", stale.status, stale.location)
	}
}

// TestFirstOwner: a provider's people make the owner of a new organization on its pages, and act on no owner once one is there.
func TestFirstOwner(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	alpha := d.manages(p, "Alpha")
	inside := &sitter{d: d, at: "/o/" + alpha.Slug, cookies: owner.cookies}
	inside.post("/members/new", "email", "ada@alpha.example", "name", "Ada", "roles", "owner").says(http.StatusOK, "Invitation for ada@alpha.example")
	ada := must[counterfoil.Page[counterfoil.Member]](t)(d.System().ListMembers(t.Context(), alpha.ID, client.MemberQuery{})).Data[0]
	at := "/members/" + ada.ID
	inside.get(at).says(http.StatusOK, "Withdraw invitation", "!Only an owner of the organization")
	active := counterfoil.MemberActive
	must[counterfoil.Member](t)(d.System().EditMember(t.Context(), alpha.ID, ada.ID, counterfoil.MemberEdit{Status: &active}))
	inside.get(at).says(http.StatusOK, "Only an owner of the organization acts on another owner", "!Suspend")
	inside.post(at + "/remove").says(http.StatusSeeOther)
	if m := must[counterfoil.Member](t)(d.System().Member(t.Context(), alpha.ID, ada.ID)); m.Status != counterfoil.MemberActive {
		t.Errorf("the owner is %s", m.Status)
	}
}
