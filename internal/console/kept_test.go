package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const grace = "grace@acme.example"

// joins invites somebody as admin, who accepts with a password.
func joins(d *desk, owner *sitter, password string) *sitter {
	d.t.Helper()
	them := &sitter{d: d, at: owner.at, cookies: map[string]string{}}
	path, ticket, _ := strings.Cut(owner.post("/members/new", "email", grace, "name", "Grace Hopper", "roles", "admin").link(), "?ticket=")
	them.send(http.MethodPost, path, url.Values{"ticket": {ticket}, "password": {password}}).says(303)
	return them
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// fields are the hidden fields of the first form on a page.
func (p *shown) fields() url.Values {
	form := url.Values{}
	source, _, _ := strings.Cut(p.source[strings.Index(p.source, `<main`):], "</form>")
	for _, f := range hidden.FindAllStringSubmatch(source, -1) {
		form.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return form
}

// A form that was open for longer than a proof of who somebody is counts is not lost while they prove it again.
func TestFormIsKeptDuringStepUp(t *testing.T) {
	const password = "correct horse battery"
	d := newDesk(t)
	grace := joins(d, d.sits(d.Owner.ID), password)
	grace.get("/organization-tokens/new").says(200)
	d.later.Add((11 * time.Minute).Microseconds())
	const name = `<b>"ci"</b> & more`
	asked := grace.post("/organization-tokens/new", "name", name, "permissions", "devices:read", "permissions", "devices:write", "expiry", "30").
		says(200, "Confirm that it is you", "What you filled in is kept")

	form := asked.fields()
	form.Set("password", "wrong horse battery")
	asked = grace.send(http.MethodPost, "/confirm", form).says(200, "This is not your password.", "What you filled in is kept")
	form = asked.fields()
	form.Set("password", password)
	resumed := grace.send(http.MethodPost, "/confirm", form).says(200, "It is you")
	to := resumed.attr(`<form method="post"[^>]*data-send`, "action")
	grace.send(http.MethodPost, to, resumed.fields()).says(200, "Save your token “ "+name+" ”")
	grace.get("/organization-tokens").says(200, name, "devices:read, devices:write")

	form.Set("kept", "eyJUbyI6Imh0dHBzOi8vZXZpbC5leGFtcGxlLyJ9") // {"To":"https://evil.example/"}
	form.Set("password", password)
	if answer := grace.send(http.MethodPost, "/confirm", form); answer.status != http.StatusSeeOther || strings.Contains(answer.location, "evil") {
		t.Errorf("a form for another site: %d to %q", answer.status, answer.location)
	}
}

func TestResetHowAMemberSignsIn(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	them := joins(d, owner, "correct horse battery")
	them.get("/tokens").says(200)
	id := d.member(t, grace).ID
	owner.get("/members/"+id).says(200, "Reset how they sign in")
	owner.get("/members/"+id+"/reset").says(200, "Reset how “ Grace Hopper ” signs in?")
	link := owner.post("/members/"+id+"/reset").says(200, "Password link for "+grace).link()
	if gone := them.get("/tokens"); gone.status != http.StatusSeeOther || !strings.HasPrefix(gone.location, "/sign-in") {
		t.Errorf("their session is good: %d to %q", gone.status, gone.location)
	}
	them.send(http.MethodPost, "/sign-in", url.Values{"email": {grace}, "password": {"correct horse battery"}}).says(200, "do not belong together")
	path, ticket, _ := strings.Cut(link, "?ticket=")
	them.send(http.MethodPost, path, url.Values{"ticket": {ticket}, "password": {"another battery staple"}}).says(303)
	them.send(http.MethodPost, "/sign-in", url.Values{"email": {grace}, "password": {"another battery staple"}}).says(303)
	them.get("/tokens").says(200)

	them.get("/members/"+d.Owner.ID).says(200, "Only an owner of the organization acts on another owner")
	if answer := them.does("/members/" + d.Owner.ID + "/reset"); !strings.Contains(answer.text, "owner") {
		t.Errorf("an admin resets an owner: %s", answer.text)
	}
	owner.does("/members/"+d.Owner.ID+"/reset").says(200, "This is you")
}
