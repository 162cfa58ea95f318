package console_test

import (
	"context"
	"html"
	"io"
	"mime/quotedprintable"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/server"
)

var linkForm = regexp.MustCompile(`http[^\s"<]*(/invitation|/reset)\?ticket=[^\s"<]+`)

// link finds the one-time link on a page, as a path.
func (p *shown) link() string {
	p.t.Helper()
	found := linkForm.FindString(html.UnescapeString(p.source))
	if found == "" {
		p.t.Fatalf("no link on: %s", p.text)
	}
	return found[strings.Index(found[len("http://"):], "/")+len("http://"):]
}

func (d *desk) member(t *testing.T, email string) counterfoil.Member {
	t.Helper()
	list := must[counterfoil.Page[counterfoil.Member]](t)(d.System().ListMembers(context.Background(), d.Organization.ID, client.MemberQuery{Text: email}))
	if len(list.Data) != 1 {
		t.Fatalf("%d members have the address %s", len(list.Data), email)
	}
	return list.Data[0]
}

func TestInviteWithoutMail(t *testing.T) {
	d := newDesk(t)
	owner, nobody := d.sits(d.Owner.ID), &sitter{d: d, cookies: map[string]string{}}
	owner.get("/members/new").says(200, "Invite a member", "This instance sends no mail")
	owner.post("/members/new", "email", "grace", "name", "Grace", "roles", "member", "roles", "nobody").
		says(422, "This is not an e-mail address.", `There is no role "nobody".`)
	invited := owner.post("/members/new", "email", "Grace@acme.example", "name", "Grace Hopper", "roles", "operator", "roles", "member").
		says(200, "Invitation for grace@acme.example", "This is shown once")
	first := invited.link()
	owner.post("/members/new", "email", "bare@acme.example", "name", "Bare").says(409, "No role is ticked.", "Nobody is invited yet", "Invite them without a role")
	if list := must[counterfoil.Page[counterfoil.Member]](t)(d.System().ListMembers(context.Background(), d.Organization.ID, client.MemberQuery{Text: "bare"})); len(list.Data) != 0 {
		t.Errorf("invited before it was confirmed: %+v", list.Data)
	}
	owner.post("/members/new", "email", "bare@acme.example", "name", "Bare", "ask_roleless", "yes", "roleless", "yes").says(200, "Invitation for bare@acme.example")
	owner.post("/members/new", "email", "grace@acme.example", "name", "Grace Hopper", "roles", "member").says(422, "A member of this organization has this e-mail address.")
	grace := d.member(t, "grace@acme.example")
	if grace.Status != counterfoil.MemberInvited || strings.Join(grace.Roles, " ") != "member operator" {
		t.Errorf("invited %+v", grace)
	}
	list := owner.get("/members").says(200, "Grace Hopper grace@acme.example", "member and operator", "Invited", "Not yet")
	page := owner.get("/members/"+grace.ID).says(200, "They have not accepted the invitation yet", "Create a new invitation link", "Withdraw invitation", "!Suspend")
	if strings.Contains(list.source+page.source, "ticket=") {
		t.Error("a link is shown a second time")
	}

	nobody.send(http.MethodGet, first, nil).says(200, "Join", "grace@acme.example")
	second := owner.post("/members/"+grace.ID+"/link").says(200, "Invitation for grace@acme.example").link()
	nobody.send(http.MethodGet, first, nil).says(404, "replaced by a newer one")
	nobody.send(http.MethodGet, second, nil).says(200, "Join")

	owner.does("/members/"+grace.ID+"/roles", "roles", "operator", "step", "save").says(200, "The invitation that was made before is void now: send it again.")
	nobody.send(http.MethodGet, second, nil).says(404)
	third := owner.post("/members/" + grace.ID + "/link").link()

	owner.get("/members/"+grace.ID+"/remove").says(200, "Withdraw the invitation of “ Grace Hopper ”?")
	owner.does("/members/"+grace.ID+"/remove").says(200, "The invitation of grace@acme.example was withdrawn.", "Confirmed by 1 of 1 node")
	nobody.send(http.MethodGet, third, nil).says(404)
	owner.get("/members/" + grace.ID).says(404)
}

// TestInvitationIsAccepted lets somebody join by the link, and an admin give them a link to a new password afterwards.
func TestInvitationIsAccepted(t *testing.T) {
	d := newDesk(t)
	owner, grace := d.sits(d.Owner.ID), &sitter{d: d, cookies: map[string]string{}}
	join := owner.post("/members/new", "email", "grace@acme.example", "name", "Grace Hopper", "roles", "member").link()
	path, ticket, _ := strings.Cut(join, "?ticket=")
	grace.send(http.MethodPost, path, map[string][]string{"ticket": {ticket}, "password": {"correct horse battery"}}).says(303)
	id := d.member(t, "grace@acme.example").ID
	owner.get("/members?q=GRACE").says(200, "Grace Hopper", "Active", "just now", "!"+d.Owner.Email+" owner")
	owner.get("/members/"+id).says(200, "Create a password link", "so a link to set a new one is made here")

	reset := owner.post("/members/"+id+"/link").says(200, "Password link for grace@acme.example", "shown once").link()
	if !strings.HasPrefix(reset, "/reset?") {
		t.Errorf("the link leads to %s", reset)
	}
	grace.send(http.MethodGet, reset, nil).says(200, "Set a new password", "grace@acme.example")

	other := d.NewOrganization(t, "Other")
	there := must[counterfoil.Member](t)(d.System().AddMember(context.Background(), other.ID, counterfoil.MemberDraft{Email: "grace@acme.example", Name: "G", Roles: []string{"member"}}))
	active := counterfoil.MemberActive
	must[counterfoil.Member](t)(d.System().EditMember(context.Background(), other.ID, there.ID, counterfoil.MemberEdit{Status: &active}))
	owner.does("/members/"+id+"/link").says(200, "They set their password themselves", "opens more than this organization")
}

func TestInviteWithMail(t *testing.T) {
	in := mailtest.Serve(t, nil, "", "")
	d := newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) {
		c.SignIn.Mail = mail.Config{Server: in.Address, Security: "none", From: "book@example.com"}
	}))
	owner := d.sits(d.Owner.ID)
	owner.get("/members/new").says(200, "They get a mail with a link", "Send the invitation")
	letter := func() (to, path string) {
		t.Helper()
		select {
		case l := <-in.Got:
			text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(string(l.Raw))))
			if err != nil {
				t.Fatal(err)
			}
			return l.To, (&shown{t: t, source: string(text)}).link()
		case <-time.After(20 * time.Second):
			t.Fatal("no mail came")
		}
		return "", ""
	}
	told := owner.does("/members/new", "email", "grace@acme.example", "name", "Grace Hopper", "roles", "member").
		says(200, "The invitation is on its way to grace@acme.example.", "Send the invitation again")
	if linkForm.MatchString(html.UnescapeString(told.source)) {
		t.Error("the page shows a link that was mailed")
	}
	to, first := letter()
	if to != "grace@acme.example" {
		t.Errorf("the mail went to %s", to)
	}
	id := d.member(t, to).ID
	owner.does("/members/"+id+"/link").says(200, "The invitation is on its way to grace@acme.example.")
	_, second := letter()
	nobody := &sitter{d: d, cookies: map[string]string{}}
	nobody.send(http.MethodGet, first, nil).says(404)
	nobody.send(http.MethodGet, second, nil).says(200, "Join")

	member, _ := d.Member(t, "member")
	owner.get("/members/"+member.ID).says(200, "by “Forgot password” on the sign-in page", "!Create a password link")
}

// TestWhatStops shows what ends with a member before it ends.
func TestWhatStops(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	alan, _ := d.Member(t, "operator")
	ctx, system, org := context.Background(), d.System(), d.Organization.ID
	idle := must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Idle <i>script</i>", Owner: alan.ID, Permissions: counterfoil.NewPermissions("sites:read")}))
	paused := must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Put aside", Owner: alan.ID, Permissions: counterfoil.NewPermissions("sites:read")}))
	yes := true
	must[counterfoil.Token](t)(system.EditToken(ctx, org, paused.Token.ID, counterfoil.Edit{Paused: &yes}))
	for range 3 {
		for _, ip := range []string{"192.0.2.7", "192.0.2.8"} {
			if v := must[counterfoil.Verdict](t)(system.Verify(ctx, counterfoil.Question{Token: alan.Token.Secret, IP: ip})); !v.Active {
				t.Fatalf("refused: %+v", v)
			}
		}
	}
	asked := []string{"What stops: 2 tokens", alan.Token.Token.Name, "from 192.0.2.8", "6 from 2 addresses", "Idle <i>script</i> Never 0", "Organization tokens that they made go on working", "!Put aside"}
	owner.get("/members/"+alan.ID+"/suspend").says(200, append(asked, "Suspend “ "+alan.Name+" ”?", "Nothing is deleted")...)
	owner.get("/members/"+alan.ID+"/remove").says(200, append(asked, "Remove “ "+alan.Name+" ”?", "revoked for good")...)
	works := func(want bool) {
		t.Helper()
		if v := must[counterfoil.Verdict](t)(system.Verify(ctx, counterfoil.Question{Token: idle.Secret})); v.Active != want {
			t.Errorf("the token works: %v, want %v", v.Active, want)
		}
	}
	works(true)
	owner.does("/members/"+alan.ID+"/suspend").says(200, "Suspended.", "Confirmed by 1 of 1 node", "Reactivate", "every request with a personal token of theirs is refused")
	works(false)
	owner.does("/members/"+alan.ID+"/suspend").says(200, "Suspended.", "!Confirmed")
	owner.get("/members/" + alan.ID + "/suspend").says(303)
	owner.does("/members/"+alan.ID+"/reactivate").says(200, "Reactivated.", "Active")
	works(true)
	owner.does("/members/"+alan.ID+"/remove").says(200, alan.Name+" was removed, and their tokens were revoked.", "Confirmed by 1 of 1 node")
	works(false)
	if token := must[counterfoil.Token](t)(system.Token(ctx, org, idle.Token.ID)); token.Status != counterfoil.StatusRevoked {
		t.Errorf("the token is %s", token.Status)
	}
}
