package console

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// inviteFields says which field of the form a member of the request is.
var inviteFields = map[string]string{"email": "email", "name": "name", "roles": "roles"}

func (v *visit) askInvite() error {
	return v.showInvite(200, filled("roles", counterfoil.RoleMember))
}

func (v *visit) showInvite(status int, f *form) error {
	roles, err := v.c.Registry.ViewRoles(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	return v.show(status, "Invite a member", invitePage(v, f, roles))
}

func (v *visit) invite() error {
	f := newForm(v.r.PostForm)
	if len(f.values["roles"]) == 0 && !f.is("roleless", "yes") {
		f.values.Set("ask_roleless", "yes")
		return v.showInvite(409, f)
	}
	link, err := v.c.Registry.Invite(v.r.Context(), v.caller(), v.org(),
		counterfoil.MemberDraft{Email: v.field("email"), Name: v.field("name"), Roles: v.r.PostForm["roles"]})
	if err == nil {
		return v.handOver(&link)
	}
	if !f.take(err, inviteFields) {
		return err
	}
	return v.showInvite(422, f)
}

// linkMember makes the link that fits a member: of the invitation, once more, or to set a new password.
func (v *visit) linkMember() error {
	link, err := v.c.Registry.LinkMember(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"))
	if err != nil {
		return v.refused(v.memberPath(v.r.PathValue("id"), ""), err)
	}
	return v.handOver(&link)
}

// handOver mails an invitation where this instance sends mail, and shows any other link, once: whoever has one can become
// the member.
func (v *visit) handOver(link *registry.MemberLink) error {
	shown := &linkShown{MemberLink: link}
	if shown.invites() {
		sent, err := v.c.Identity.SendInvitation(v.r.Context(), link.Member.Email, v.here.Organization.Name, link.URL)
		if sent && err == nil {
			return v.say(v.memberPath(link.Member.ID, ""), "good", "The invitation is on its way to "+link.Member.Email+". It is good for 7 days.", nil)
		}
		shown.unsent = err != nil
	}
	return v.show(200, shown.title(), linkPage(v, shown))
}

// linkShown is the one showing of a link.
type linkShown struct {
	*registry.MemberLink
	unsent bool // it was to be mailed, and could not be
}

func (l *linkShown) invites() bool { return l.Member.Status == counterfoil.MemberInvited }

func (l *linkShown) title() string {
	if l.invites() {
		return "Hand over the invitation"
	}
	return "Hand over the link"
}
