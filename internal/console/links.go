package console

import (
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

func linkPages() []page {
	return []page{
		{method: get, path: "/setup", who: anyone, show: (*visit).askSetup},
		{method: post, path: "/setup", who: anyone, show: (*visit).setup},
		{method: get, path: "/forgot", who: anyone, show: (*visit).askForgot},
		{method: post, path: "/forgot", who: anyone, show: (*visit).forgot},
		{method: get, path: "/reset", who: anyone, show: (*visit).askReset},
		{method: post, path: "/reset", who: anyone, show: (*visit).reset},
		{method: get, path: "/invitation", who: anyone, show: (*visit).askInvitation},
		{method: post, path: "/invitation", who: anyone, show: (*visit).acceptInvitation},
		{method: post, path: "/invitation/decline", who: anyone, show: (*visit).declineInvitation},
	}
}

// ticket is the value of the link that the page was opened by.
func (v *visit) ticket() string { return v.r.Form.Get("ticket") }

var errLink = counterfoil.Refuse(counterfoil.CodeNotFound, "This link was used already, was replaced by a newer one, or is too old. Ask for another.")

func (v *visit) askSetup() error {
	ok, err := v.c.Identity.CanSetUp(v.r.Context(), v.ticket())
	if err != nil {
		return err
	}
	if !ok {
		return counterfoil.Refuse(counterfoil.CodeNotFound, "This link is not good any more: it is good once, for a day, and each start of a server on this database prints a new one.")
	}
	return v.show(http.StatusOK, "Set up", setupPage(v, newForm(nil)))
}

func (v *visit) setup() error {
	f := identity.Founding{Organization: v.field("organization"), Name: v.field("name"), Email: v.field("email")}
	out, err := v.c.Identity.Setup(v.r.Context(), v.ticket(), f, v.r.PostForm.Get("password"), v.at)
	if err != nil {
		return v.again(err, func(f *form) error { return v.show(http.StatusOK, "Set up", setupPage(v, f)) })
	}
	return v.signedInBy(out)
}

func (v *visit) askForgot() error {
	return v.show(http.StatusOK, "Forgot password", forgotPage(v, newForm(nil)))
}

func (v *visit) forgot() error {
	if err := v.c.Identity.RequestReset(v.r.Context(), v.field("email"), v.at); err != nil {
		return v.again(err, func(f *form) error { return v.show(http.StatusOK, "Forgot password", forgotPage(v, f)) })
	}
	return v.say("/sign-in", "good", "If the address belongs to somebody here, a link is on its way there. It is good for an hour.", nil)
}

func (v *visit) askReset() error { return v.showReset(newForm(nil)) }

func (v *visit) showReset(f *form) error {
	email, found, err := v.c.Identity.ResetLink(v.r.Context(), v.ticket())
	if err != nil {
		return err
	}
	if !found {
		return errLink
	}
	return v.show(http.StatusOK, "New password", resetPage(v, f, email))
}

func (v *visit) reset() error {
	if err := v.c.Identity.ResetPassword(v.r.Context(), v.ticket(), v.r.PostForm.Get("password"), v.at); err != nil {
		return v.again(err, v.showReset)
	}
	v.dropCookie(sessionCookie)
	return v.say("/sign-in", "good", "Your password is set, and every session of yours has ended. Sign in with it.", nil)
}

func (v *visit) askInvitation() error { return v.showInvitation(newForm(nil)) }

func (v *visit) showInvitation(f *form) error {
	invitation, found, err := v.c.Identity.Invitation(v.r.Context(), v.ticket())
	if err != nil {
		return err
	}
	if !found {
		return errLink
	}
	return v.show(http.StatusOK, "Invitation", invitationPage(v, f, invitation))
}

func (v *visit) acceptInvitation() error {
	var s *identity.Session
	if v.signedIn {
		s = &v.session
	}
	out, err := v.c.Identity.AcceptInvite(v.r.Context(), v.ticket(), s, v.r.PostForm.Get("password"), v.at)
	if err != nil {
		return v.again(err, v.showInvitation)
	}
	if out.Value != "" {
		return v.signedInBy(out)
	}
	return v.say("/", "good", "You have joined.", nil)
}

func (v *visit) declineInvitation() error {
	if err := v.c.Identity.DeclineInvite(v.r.Context(), v.ticket(), v.at); err != nil {
		return err
	}
	return v.say("/sign-in", "good", "You have declined the invitation.", nil)
}

var errNothing = counterfoil.Refuse(counterfoil.CodeNotFound, "There is nothing here, or it is not yours to see.")
