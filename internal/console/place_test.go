package console_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestTheAccountKeepsTheMenu: a page of no organization keeps the menu of the one that somebody was in last.
func TestTheAccountKeepsTheMenu(t *testing.T) {
	d := newDesk(t)
	ctx, other := context.Background(), d.NewOrganization(t, "Other")
	invitation := d.sits(d.Owner.ID).post("/members/new", "email", "grace@acme.example", "name", "Grace", "roles", "admin").says(200).link()
	grace := &sitter{d: d, cookies: map[string]string{}}
	grace.send("POST", "/invitation", url.Values{"ticket": {invitation[strings.Index(invitation, "=")+1:]}, "password": {"correct horse battery"}}).says(303)
	made := must[counterfoil.Member](t)(d.System().AddMember(ctx, other.ID, counterfoil.MemberDraft{Email: "grace@acme.example", Name: "Grace", Roles: []string{"member"}}))
	status := func(s counterfoil.MemberStatus) {
		must[counterfoil.Member](t)(d.System().EditMember(ctx, other.ID, made.ID, counterfoil.MemberEdit{Status: &s}))
	}
	grace.send("GET", "/account", nil).says(200, "Account and security", "Organization tokens", "in Acme") // their only one
	status(counterfoil.MemberActive)
	grace.send("GET", "/account", nil).says(200, "!Organization tokens") // of which is not known
	grace.send("GET", "/o/"+d.Organization.Slug+"/tokens", nil).says(200)
	grace.send("GET", "/account", nil).says(200, "Organization tokens", "in Acme")
	grace.send("GET", "/o/"+other.Slug+"/tokens", nil).says(200)
	grace.send("GET", "/account/password", nil).says(200, "in Other", "!Organization tokens")
	status(counterfoil.MemberSuspended)
	grace.send("GET", "/account", nil).says(200, "in Acme")
}

// TestARevokedTokenExpiresNoMore: its page and the list say when it was revoked.
func TestARevokedTokenExpiresNoMore(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	made := must[counterfoil.Created](t)(d.As(d.OwnerToken).CreateToken(context.Background(), "current", counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "ci", Permissions: []string{"devices:read"}}))
	owner.get("/tokens/"+made.Token.ID).says(200, "Expires in 90 days", "permissions not granted")
	must[counterfoil.Revoked](t)(d.As(d.OwnerToken).RevokeToken(context.Background(), "current", made.Token.ID, ""))
	owner.get("/tokens/"+made.Token.ID).says(200, "!Expires", "Revoked just now, on ")
	owner.get("/tokens?show=revoked").says(200, "!in 90 days", "Revoked just now")
}
