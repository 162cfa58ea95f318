package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// refuse asks a question that is refused, and returns its reference.
func (d *desk) refuse(t *testing.T, q counterfoil.Question) string {
	t.Helper()
	v := must[counterfoil.Verdict](t)(d.System().Verify(context.Background(), q))
	if v.Active || v.Reference == "" {
		t.Fatalf("not refused with a reference: %+v", v)
	}
	return v.Reference
}

// TestRefusalIsExplained leads from a pasted reference to the line that decided and to what to do.
func TestRefusalIsExplained(t *testing.T) {
	d := newDesk(t)
	ctx, system, org := context.Background(), d.System(), d.Organization.ID
	owner := d.sits(d.Owner.ID)
	alan, _ := d.Member(t, "operator")
	filter := must[counterfoil.IPFilter](t)(system.CreateIPFilter(ctx, org, counterfoil.IPFilterDraft{Name: "Head <b>office</b>", Rules: "allow 192.0.2.0/24\ndeny all"}))
	scanner := must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Rack <i>scanner</i>", Owner: alan.ID,
		Permissions: counterfoil.NewPermissions("devices:read"), IPFilter: filter.ID}))
	ref := d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: "203.0.113.9", Endpoint: "GET /api/devices/7"})
	d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: "203.0.113.9", Endpoint: "GET /api/devices/7"})

	owner.get("/refusals").says(200, "Paste it, or the whole answer")
	owner.get("/refusals?reference=nothing").says(200, "There is no reference in it")
	found := owner.get("/refusals?reference=%7B%22reference%22%3A%22" + ref + "%22%7D")
	if found.location != owner.at+"/refusals/"+ref {
		t.Fatalf("%d to %q", found.status, found.location)
	}
	owner.get("/refusals/"+ref).says(200, "Refused: the address was not allowed", "The token's IP filter : IP filter “Head <b>office</b>”: line 2: deny all, for 203.0.113.9.",
		"“This token may not be used from this address.", "Rack <i>scanner</i>", scanner.Token.Hint, alan.Name, "203.0.113.9", "GET /api/devices/7",
		"2 times within a minute", "Passed: Expiry the token expires at", "If the address 203.0.113.9 is right, allow it in the IP filter", "Open the IP filter", "!T00:", "!"+filter.ID)

	owner.get("/ip-filters/"+filter.ID).says(200, "Head <b>office</b>") // where the page leads

	missing := d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: "192.0.2.1", Permissions: []string{"devices:write"}})
	owner.get("/refusals/"+missing).says(200, "Refused: a permission was missing", "Put devices:write on the token", "Permission asked for devices:write", "Once, just now.")
	paused := true
	must[counterfoil.Token](t)(system.EditToken(ctx, org, scanner.Token.ID, counterfoil.Edit{Paused: &paused}))
	stopped := d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: "192.0.2.1"})
	owner.get("/refusals/"+stopped).says(200, "Refused: the token was paused", "Resume the token on its page", "Paused")

	writer := must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Writer", Owner: alan.ID, Permissions: counterfoil.NewPermissions("devices:write")}))
	must[counterfoil.Member](t)(system.EditMember(ctx, org, alan.ID, counterfoil.MemberEdit{Roles: &[]string{"viewer"}}))
	lost := d.refuse(t, counterfoil.Question{Token: writer.Secret, Permissions: []string{"devices:write"}})
	owner.get("/refusals/"+lost).says(200, "its owner does not hold it any more: give the owner a role that does", "Open the owner")
	suspended := counterfoil.MemberSuspended
	must[counterfoil.Member](t)(system.EditMember(ctx, org, alan.ID, counterfoil.MemberEdit{Status: &suspended}))
	gone := d.refuse(t, counterfoil.Question{Token: writer.Secret, Permissions: []string{"devices:write"}})
	owner.get("/refusals/"+gone).says(200, "Refused: its owner was not active", "The token works again when its owner is active")

	owner.get("/refusals/ref_0198c2f1").says(404, "No refusal of this organization has this reference")
	d.role(t, "looks", counterfoil.PermTokensRead)
	looker, _ := d.Member(t, "looks")
	d.sits(looker.ID).get("/refusals/"+ref).says(200, "Refused: the address was not allowed", "!Head", alan.Name)
	other := d.NewOrganization(t, "Other")
	d.sitsIn(other.ID, other.Slug, other.Owner.ID).get("/refusals/"+ref).says(404, "No refusal of this organization has this reference")
	plain, _ := d.Member(t, "viewer")
	d.sits(plain.ID).get("/refusals/"+ref).says(403, "counterfoil.tokens:read")
}

// TestTokenHistory tells on a token's page what happened to it, newest first and page after page.
func TestTokenHistory(t *testing.T) {
	d := newDesk(t)
	ctx, system, org := context.Background(), d.System(), d.Organization.ID
	owner := d.sits(d.Owner.ID)
	alan, client := d.Member(t, "operator")
	id := alan.Token.Token.ID
	name := "Nightly <u>run</u>"
	must[counterfoil.Token](t)(client.EditToken(ctx, org, id, counterfoil.Edit{Name: &name}))
	must[counterfoil.Token](t)(system.EditToken(ctx, org, id, counterfoil.Edit{Permissions: &[]string{"devices:read"}}))
	for _, paused := range []bool{true, false, true, false, true, false, true, false} {
		must[counterfoil.Token](t)(system.EditToken(ctx, org, id, counterfoil.Edit{Paused: &paused}))
	}
	first := owner.get("/tokens/"+id).says(200, "History", "Resumed the token “Nightly <u>run</u>”", "from 127.0.0.1",
		"Permissions devices:read, devices:write, sites:read → became devices:read", "Name "+alan.Token.Token.Name+" → became Nightly <u>run</u>", alan.Email, "!Created the token")
	older := first.attr(`<a[^>]*rel="next"[^>]*>`, "href")
	second := owner.send("GET", strings.TrimSuffix(older, "#history"), nil).says(200, "Created the token “"+alan.Token.Token.Name+"”", "Back to the first page", "!Paused the token")
	if strings.Contains(second.source, `rel="next"`) {
		t.Error("there is something before the creation")
	}

	ref := d.refuse(t, counterfoil.Question{Token: alan.Token.Secret, Permissions: []string{"sites:read"}})
	d.later.Add(2 * 60 * 1_000_000) // its window is over
	owner.get("/refusals/" + ref)   // which writes what was noted
	owner.get("/tokens/"+id).says(200, "was refused once: a permission was missing", "Why?")
	d.sits(alan.ID).get("/tokens/"+id).says(200, "was refused once: a permission was missing", ref, "!Why?", "Resumed the token")

	d.role(t, "looks", counterfoil.PermTokensRead)
	looker, _ := d.Member(t, "looks")
	d.sits(looker.ID).get("/tokens/"+id).says(200, "The history of others' tokens takes the permission counterfoil.activity:read", "!Resumed the token")
}

// TestRefusalsAreListed: the latest first, narrowed by what people call a token, and each with its explanation.
func TestRefusalsAreListed(t *testing.T) {
	d := newDesk(t)
	ctx, system, org := context.Background(), d.System(), d.Organization.ID
	owner := d.sits(d.Owner.ID)
	owner.get("/refusals").says(200, "Nothing was refused")
	made := func(name string) counterfoil.Created {
		return must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: name, Owner: d.Owner.ID, Permissions: counterfoil.NewPermissions("devices:read")}))
	}
	scanner, backup := made("Rack <i>scanner</i>"), made("Rack backup")
	first := d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: "203.0.113.9", Endpoint: "POST /api/sites"})
	must[counterfoil.Revoked](t)(system.RevokeToken(ctx, org, backup.Token.ID, ""))
	d.refuse(t, counterfoil.Question{Token: backup.Secret, IP: "203.0.113.7", Permissions: []string{"devices:read"}})
	d.refuse(t, counterfoil.Question{Token: backup.Secret, IP: "203.0.113.7", Permissions: []string{"devices:read"}})

	all := owner.get("/refusals").says(200, "Rack <i>scanner</i> "+scanner.Token.Hint+" A permission was missing 203.0.113.9 POST /api/sites 1 just now", "Rack backup "+backup.Token.Hint+" The value was revoked 203.0.113.7 devices:read 2 just now")
	if strings.Index(all.text, "Rack backup "+backup.Token.Hint) > strings.Index(all.text, "Rack <i>scanner</i> "+scanner.Token.Hint) {
		t.Error("the latest is not first")
	}
	if to := all.attr(`<a [^>]*>A permission was missing<`, "href"); to != owner.at+"/refusals/"+first {
		t.Errorf("the explanation is at %s", to)
	}
	owner.get("/refusals?code=token_revoked").says(200, "203.0.113.7", "!203.0.113.9")
	owner.get("/refusals?ip=203.0.113.9").says(200, "203.0.113.9", "!203.0.113.7")
	owner.get("/refusals?ip=::ffff:203.0.113.9").says(200, "POST /api/sites", "!203.0.113.7")
	owner.get("/refusals?ip=203.0.113.1").says(200, "Nothing matches")
	owner.get("/refusals?ip=here").says(422, "This is not an IP address")
	owner.get("/refusals?token=rack+backup").says(200, "Of the token Rack backup", "203.0.113.7", "!203.0.113.9")
	owner.get("/refusals?token="+scanner.Token.ID).says(200, "203.0.113.9", "!203.0.113.7")
	owner.get("/refusals?token=rack&code=token_revoked").says(422, "Several tokens are meant by this", "Which token? Rack <i>scanner</i>")
	owner.get("/refusals?token=nothing").says(422, "No token is called so")
	if to := owner.get("/tokens/"+scanner.Token.ID).attr(`<a [^>]*>What was refused with it<`, "href"); to != owner.at+"/refusals?token="+scanner.Token.ID {
		t.Errorf("the token's refusals are at %s", to)
	}
	for i := range refusalsOnAPage {
		d.refuse(t, counterfoil.Question{Token: scanner.Secret, IP: fmt.Sprintf("198.51.100.%d", i), Permissions: []string{"devices:write"}})
	}
	next := owner.get("/refusals?token="+scanner.Token.ID).says(200, "198.51.100.49", "!203.0.113.9").attr(`<a [^>]*rel="next"`, "href")
	owner.send("GET", next, nil).says(200, "203.0.113.9", "!198.51.100.")
	other := d.NewOrganization(t, "Other")
	d.sitsIn(other.ID, other.Slug, other.Owner.ID).get("/refusals").says(200, "Nothing was refused")
	plain, _ := d.Member(t, "member")
	d.sits(plain.ID).get("/refusals").says(403, "counterfoil.tokens:read")
}

const refusalsOnAPage = 50
