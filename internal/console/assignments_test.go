package console_test

import (
	"net/http"
	"strings"
	"sync/atomic"
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

// TestAdjustmentOnPage: a correction of a final month stands behind the organization's own row, and says what it corrects.
func TestAdjustmentOnPage(t *testing.T) {
	at := new(atomic.Int64)
	at.Store(time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC).UnixMicro())
	d := newDesk(t, counterfoiltest.WithClock(func() time.Time { return time.UnixMicro(at.Load()) }))
	p := d.NewProvider(t, "Northwind MSP")
	alpha := d.manages(p, "Alpha")
	const month = "2026-03"
	at.Add(time.Hour.Microseconds())
	owner := d.sitsIn(p.ID, p.Slug, p.Owner.ID)
	owner.get("/usage?from="+month+"&to="+month).says(http.StatusOK, "Alpha", "Final", "!Provisional")
	three := 3
	must[counterfoil.UsageAdjustments](t)(d.System().CorrectUsage(t.Context(), counterfoil.UsageCorrection{Provider: p.ID, Organization: alpha.ID, Month: month, Billable: &three, Reason: "<b>counted</b> by hand"}))
	page := owner.get("/usage").says(http.StatusOK, "3 Teams", "3 Adjustment adjusts "+month+" by +3", "<b>counted</b> by hand", "0 Provisional")
	if strings.Contains(page.source, "<b>counted") {
		t.Error("a reason is markup")
	}
	owner.get("/organizations/alpha").says(http.StatusOK, "Month by month", "adjusts "+month)
}

// TestUsageOfOne: the report of one organization, by name and by id.
func TestUsageOfOne(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	alpha := d.manages(p, "Alpha")
	d.manages(p, "Alpha Two")
	d.manages(p, "Beta")
	owner.get("/usage").says(http.StatusOK, "Alpha", "Alpha Two", "Beta", "History")
	owner.get("/usage?organization=bet").says(http.StatusOK, "Beta", "!Alpha")
	owner.get("/usage?organization=alpha").says(http.StatusOK, "Alpha", "!Alpha Two", "!Beta") // a whole name goes first
	owner.get("/usage?organization="+alpha.ID).says(http.StatusOK, "Alpha", "!Alpha Two")
	which := owner.get("/usage?organization=alph").says(http.StatusUnprocessableEntity, "Several organizations are meant", "Which organization?", "Alpha Two")
	if !strings.Contains(which.source, "organization="+alpha.ID) {
		t.Error("a choice does not lead to its report")
	}
	owner.get("/usage?organization=gamma").says(http.StatusUnprocessableEntity, "No organization that you manage now is called so")
	file := owner.get("/usage/export?organization=beta").source
	if lines := strings.Split(strings.TrimSpace(file), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "Beta") {
		t.Errorf("the file holds %q", file)
	}
	other := d.NewProvider(t, "Another MSP")
	theirs := d.manages(other, "Gamma")
	owner.get("/usage?organization="+theirs.ID).says(http.StatusOK, "No organization in these months", "!Gamma")
}
