package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/hectest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// until looks again and again, as what it waits for happens elsewhere.
func (d *desk) until(what string, holds func() bool) {
	d.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-late:
			d.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

const push = "/integrations/splunk/push"

func newExportDesk(t *testing.T) *desk {
	return newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) { c.OutgoingAllow = []string{"127.0.0.0/8"} }))
}

// TestPush: N12, from setting it up to removing it.
func TestPush(t *testing.T) {
	const secret = "collector-secret-4711"
	d := newExportDesk(t)
	c := hectest.New(t, hectest.Settings{Token: secret})
	owner := d.sits(d.Owner.ID)
	owner.get("/integrations/splunk").says(http.StatusOK, "Push to a collector")
	owner.get(push).says(http.StatusOK, "Nothing is pushed", "Set up")
	owner.get(push+"/edit").says(http.StatusOK, "Collector", "Off: from now on.")

	refused := owner.post(push+"/edit", "url", "http://10.0.0.1:8088", "token", secret, "index", "<i>", "backfill", "yes")
	refused.says(http.StatusUnprocessableEntity, "outgoing_allow", "An index's name is")
	if got := refused.attr(`<input[^>]*name="index"[^>]*>`, "value"); got != "<i>" {
		t.Errorf("the form has lost the index: %q", got)
	}
	owner.does(push+"/edit", "url", c.URL, "token", secret, "index", "main", "sourcetype", "<b>x</b>", "backfill", "yes").
		says(http.StatusOK, "Saved. It is in force.", c.URL, "<b>x</b>", "Kept, and never shown", "The log's beginning")
	delivered := func() *shown { return owner.get(push) }
	d.until("it is delivered", func() bool { return strings.Contains(delivered().text, "Up to date") })
	page := delivered().says(http.StatusOK, "Delivered to #", "0 missing", "Waiting Nothing", "!Last fault")
	owner.does(push+"/test").says(http.StatusOK, "The collector took a test event.")

	c.Set(func(s *hectest.Settings) { s.Indexes = []string{"other"} })
	owner.does(push+"/test").says(http.StatusOK, "did not arrive", "may not write to this index")
	must[counterfoil.Created](t)(d.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "something happens", Permissions: []string{"devices:read"}}))
	d.until("it says what is wrong", func() bool { return strings.Contains(delivered().text, "Paused") })
	delivered().says(http.StatusOK, "may not write to this index", "It is tried again in", "1 event, the oldest for")

	edit := owner.get(push+"/edit").says(http.StatusOK, "Leave it empty to keep the one there is")
	for _, p := range []*shown{refused, page, edit} {
		if strings.Contains(p.source, secret) {
			t.Error("the collector's token is on a page")
		}
	}
	owner.does(push+"/edit", "url", "http://127.0.0.2:8088", "index", "main").says(http.StatusOK, "the token that was kept is forgotten", "Not set")
	d.until("it says what is missing", func() bool { return strings.Contains(delivered().text, "There is no token") })
	owner.get(push+"/remove").says(http.StatusOK, "Stop the push to http://127.0.0.2:8088")
	owner.does(push+"/remove").says(http.StatusOK, "Stopped.", "Nothing is pushed")
	owner.get(push + "/remove").says(http.StatusNotFound)
}

// Changes want a fresh proof of who somebody is, and the form with the collector's token is not kept for it.
func TestPushWantsAProof(t *testing.T) {
	d := newExportDesk(t)
	owner := d.sits(d.Owner.ID)
	d.later.Add((11 * time.Minute).Microseconds())
	owner.get(push).says(http.StatusOK, "Nothing is pushed")
	if p := owner.get(push + "/edit"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.location, "/confirm") {
		t.Errorf("answered %d to %q, want the page that asks for a proof", p.status, p.location)
	}
	p := owner.post(push+"/edit", "url", "https://c.example", "token", "collector-secret-4711")
	if p.status != http.StatusSeeOther || strings.Contains(p.source, "collector-secret-4711") || strings.Contains(p.source, "Y29sbGVjdG9y") {
		t.Errorf("answered %d: %s", p.status, p.source)
	}
}

// Who may only look sees how it does, and no more; who may not even that gets a page that says why.
func TestPushIsForWhoMay(t *testing.T) {
	d := newExportDesk(t)
	c := hectest.New(t, hectest.Settings{Token: "t"})
	must[counterfoil.SplunkExport](t)(d.Client().SetSplunkExport(t.Context(), "current", counterfoil.SplunkExportDraft{URL: c.URL, Token: "t"}))
	must[counterfoil.Role](t)(d.Client().CreateRole(t.Context(), "current", counterfoil.RoleDraft{Name: "onlooker", Permissions: []string{counterfoil.PermExportsRead}}))
	m := must[counterfoil.Member](t)(d.System().AddMember(t.Context(), d.Organization.ID, counterfoil.MemberDraft{Email: "look@example.com", Name: "Look", Roles: []string{"onlooker"}}))
	active := counterfoil.MemberActive
	must[counterfoil.Member](t)(d.System().EditMember(t.Context(), d.Organization.ID, m.ID, counterfoil.MemberEdit{Status: &active}))
	looks := d.sits(m.ID)
	d.until("something is delivered", func() bool { return strings.Contains(looks.get(push).text, "Delivered to #") })
	looks.get(push).says(http.StatusOK, "Delivered to #", "This takes the permission counterfoil.exports:write", "!Send a test event", "!Stop and remove")
	looks.get(push + "/edit").says(http.StatusForbidden)
	looks.post(push + "/test").says(http.StatusForbidden)
	looks.post(push + "/remove").says(http.StatusForbidden)
}
