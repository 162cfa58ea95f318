package console_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// TestActorsByName: what a token has done is said by the token's name, to whom the name is for to see.
func TestActorsByName(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	robot := must[counterfoil.Created](t)(p.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "<b>robot</b>",
		Permissions: []string{counterfoil.PermProviderKeysWrite}}))
	must[counterfoil.CreatedKey](t)(d.As(robot.Secret).CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "nightly"}))
	must[counterfoil.CreatedKey](t)(d.System().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "theirs", Provider: p.ID}))
	owner.get("/provider-api").says(http.StatusOK, "by the token “<b>robot</b>”", "!by "+robot.Token.ID, "by a token, tok_")
	owner.get("/activity?item=nightly").says(http.StatusOK, "The token “<b>robot</b>” Created the provider key “nightly”", "!A token")
	page := must[counterfoil.EventPage](t)(p.Client().ListEvents(t.Context(), "current", client.EventQuery{Type: "provider"}))
	owner.get(fmt.Sprintf("/activity/%d", page.Data[0].Number)).says(http.StatusOK, "Made by The token “<b>robot</b>”", "With the token <b>robot</b> "+robot.Token.ID)
}

// TestNoSignIn: the list of members tells of whom the organization's own log holds no sign-in, whatever they did elsewhere.
func TestNoSignIn(t *testing.T) {
	d := newDesk(t)
	alan, _ := d.Member(t, "viewer")
	owner := d.sits(d.Owner.ID)
	none := func(what string) {
		t.Helper()
		t.Log(what)
		owner.get("/members/"+alan.ID).says(http.StatusOK, "Last sign-in None in the log", "!Never", "!Not lately")
		owner.get("/members").says(http.StatusOK, "None in the log", "!Never", "!Not lately")
	}
	none("nobody else knows him")
	elsewhere := must[counterfoil.Organization](t)(d.System().CreateOrganization(t.Context(), counterfoil.OrganizationDraft{Name: "Elsewhere"}))
	active := counterfoil.MemberActive
	join := func(org, email string) counterfoil.Member {
		m := must[counterfoil.Member](t)(d.System().AddMember(t.Context(), org, counterfoil.MemberDraft{Email: email, Name: "Somebody", Roles: []string{"member"}}))
		return must[counterfoil.Member](t)(d.System().EditMember(t.Context(), org, m.ID, counterfoil.MemberEdit{Status: &active}))
	}
	there := join(elsewhere.ID, alan.Email)
	none("he was added to another organization")
	d.sitsIn(elsewhere.ID, elsewhere.Slug, there.ID)
	none("he signed in there")
	d.later.Add(time.Minute.Microseconds())
	if err := d.System().RemoveMember(t.Context(), elsewhere.ID, there.ID); err != nil {
		t.Fatal(err)
	}
	none("he was removed there")
	join(elsewhere.ID, "ada@example.com")
	d.later.Add(time.Minute.Microseconds())
	ada := join(d.Organization.ID, "ada@example.com")
	owner.get("/members/"+ada.ID).says(http.StatusOK, "Last sign-in None in the log") // as of who was nowhere before
	d.sits(alan.ID)
	owner.get("/members/"+alan.ID).says(http.StatusOK, "Last sign-in just now")
}

// TestProgramsAreToldThePublicURL: what is to be signed and where it is sent to are the one configured address.
func TestProgramsAreToldThePublicURL(t *testing.T) {
	const public = "https://tokens.example.com"
	d := newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) { c.URL = public }))
	p := d.NewProvider(t, "Northwind MSP")
	key := must[counterfoil.CreatedKey](t)(p.Client().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "billing"}))
	if key.Audience != public {
		t.Errorf("the audience is %q", key.Audience)
	}
	d.sitsIn(p.ID, p.Slug, p.Owner.ID).get("/provider-api").says(http.StatusOK, "Audience, aud "+public, `$JWT" `+public+"/v1/provider/usage/monthly", "!localhost", "!127.0.0.1")
}
