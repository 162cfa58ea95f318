package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

func signInPages() []page {
	return []page{
		{method: get, path: "/sign-in", who: anyone, show: (*visit).askSignIn},
		{method: post, path: "/sign-in", who: anyone, show: (*visit).signIn},
		{method: get, path: "/sign-in/second", who: anyone, show: (*visit).askSecond},
		{method: post, path: "/sign-in/second", who: anyone, show: (*visit).second},
		{method: post, path: "/sign-in/second/options", who: anyone, show: (*visit).secondOptions},
		{method: post, path: "/sign-in/second/passkey", who: anyone, show: (*visit).secondPasskey},
		{method: post, path: "/sign-in/passkey/options", who: anyone, show: (*visit).passkeyOptions},
		{method: post, path: "/sign-in/passkey", who: anyone, show: (*visit).signInPasskey},
		{method: get, path: "/sign-in/oidc/{name}", who: anyone, show: (*visit).toProvider},
		{method: get, path: "/sign-in/oidc/{name}/callback", who: anyone, show: (*visit).fromProvider},
		{method: post, path: "/sign-out", who: anyone, show: (*visit).signOut},
		{method: get, path: "/enter", who: anyone, show: (*visit).enterByProduct},
		{method: get, path: "/confirm", who: signedIn, show: (*visit).askConfirm},
		{method: post, path: "/confirm", who: signedIn, form: "/", show: (*visit).confirmHere},
		{method: post, path: "/confirm/options", who: signedIn, form: "/", show: (*visit).confirmOptions},
		{method: post, path: "/confirm/passkey", who: signedIn, form: "/", show: (*visit).confirmPasskey},
		{method: get, path: "/confirm/provider", who: signedIn, show: (*visit).confirmByProvider},
	}
}

// next is where somebody wanted to go before they were asked who they are.
func (v *visit) next() string { return local(v.r.Form.Get("next")) }

func (v *visit) askSignIn() error {
	if v.signedIn {
		v.redirect(v.next())
		return nil
	}
	return v.show(http.StatusOK, "Sign in", signInPage(v, newForm(nil)))
}

func (v *visit) signIn() error {
	out, err := v.c.Identity.SignIn(v.r.Context(), v.field("email"), v.r.PostForm.Get("password"), v.at)
	if err != nil {
		return v.again(err, func(f *form) error { return v.show(http.StatusOK, "Sign in", signInPage(v, f)) })
	}
	return v.signedInBy(out)
}

// again shows a form once more with what was wrong, where that is for the person to put right.
func (v *visit) again(err error, show func(f *form) error) error {
	f := newForm(v.r.PostForm)
	var refusal *counterfoil.Error
	if f.take(err, map[string]string{"password": "password", "current": "current", "code": "code", "name": "name", "email": "email", "organization": "organization"}) {
		return show(f)
	}
	if errors.As(err, &refusal) && refusal.Code == counterfoil.CodeMissingCredentials && err != error(identity.ErrStepUp) {
		f.other = append(f.other, sentence(refusal.Detail))
		return show(f)
	}
	return err
}

// signedInBy goes on from what a sign-in came to: with the session, or with the question for a further proof.
func (v *visit) signedInBy(out identity.Outcome) error {
	if out.Ticket != "" {
		v.setCookie(pendingCookie, out.Ticket)
		v.redirect("/sign-in/second?next=" + url.QueryEscape(v.next()))
		return nil
	}
	v.dropCookie(pendingCookie)
	v.setCookie(sessionCookie, out.Value)
	v.redirect(v.next())
	return nil
}

func (v *visit) askSecond() error { return v.showSecond(newForm(nil)) }

func (v *visit) showSecond(f *form) error {
	factors, found, err := v.c.Identity.Factors(v.r.Context(), v.cookie(pendingCookie))
	if err != nil {
		return err
	}
	if !found {
		if f.bad() {
			return v.show(http.StatusOK, "Sign in", signInPage(v, f))
		}
		v.redirect("/sign-in?next=" + url.QueryEscape(v.next()))
		return nil
	}
	return v.show(http.StatusOK, "One more proof", secondPage(v, f, factors))
}

func (v *visit) second() error {
	ticket := v.cookie(pendingCookie)
	finish, code := v.c.Identity.SignInTOTP, v.field("code")
	if code == "" {
		finish, code = v.c.Identity.SignInRecovery, v.field("recovery")
	}
	out, err := finish(v.r.Context(), ticket, code, v.at)
	if err != nil {
		return v.again(err, v.showSecond)
	}
	return v.signedInBy(out)
}

// ceremony answers a script with what the browser is to ask a passkey for.
func (v *visit) ceremony(c identity.Ceremony, err error) error {
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(v.w).Encode(map[string]any{"options": map[string]any{"publicKey": c.Options}, "ticket": c.Ticket})
}

func (v *visit) secondOptions() error {
	return v.ceremony(v.c.Identity.BeginPasskeySecond(v.r.Context(), v.cookie(pendingCookie)))
}

func (v *visit) secondPasskey() error {
	out, err := v.c.Identity.FinishPasskeySecond(v.r.Context(), v.cookie(pendingCookie), v.field("ticket"), []byte(v.field("answer")), v.at)
	if err != nil {
		return v.again(err, v.showSecond)
	}
	return v.signedInBy(out)
}

func (v *visit) passkeyOptions() error {
	return v.ceremony(v.c.Identity.BeginPasskeySignIn(v.r.Context(), v.at))
}

func (v *visit) signInPasskey() error {
	out, err := v.c.Identity.FinishPasskeySignIn(v.r.Context(), v.field("ticket"), []byte(v.field("answer")), v.at)
	if err != nil {
		return v.again(err, func(f *form) error { return v.show(http.StatusOK, "Sign in", signInPage(v, f)) })
	}
	return v.signedInBy(out)
}

func (v *visit) toProvider() error { return v.atProvider(v.r.PathValue("name"), nil) }

// atProvider sends the browser to an identity provider; with a session, to confirm it. A link does it and no form: what a
// form leads to stays on this site (form-action).
func (v *visit) atProvider(name string, s *identity.Session) error {
	to, cookie, err := v.c.Identity.BeginProvider(v.r.Context(), name, v.next(), s)
	if err != nil {
		return err
	}
	v.setCookie(pendingCookie, cookie)
	v.redirect(to)
	return nil
}

func (v *visit) fromProvider() error {
	q := v.r.URL.Query()
	out, next, err := v.c.Identity.FinishProvider(v.r.Context(), v.r.PathValue("name"), v.cookie(pendingCookie),
		identity.Callback{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error")}, v.at)
	v.dropCookie(pendingCookie)
	if err != nil {
		var refusal *counterfoil.Error
		if !errors.As(err, &refusal) || v.signedIn {
			return err
		}
		f := newForm(url.Values{"next": {next}})
		f.other = append(f.other, sentence(refusal.Detail))
		return v.show(http.StatusOK, "Sign in", signInPage(v, f))
	}
	if out.Value != "" {
		v.setCookie(sessionCookie, out.Value)
	}
	v.redirect(local(next))
	return nil
}

func (v *visit) signOut() error {
	if v.signedIn {
		if err := v.c.Identity.SignOut(v.r.Context(), v.session); err != nil {
			return err
		}
	}
	v.dropCookie(sessionCookie)
	back := v.back
	v.session, v.signedIn, v.members, v.back = identity.Session{}, false, nil, ""
	if back == "" {
		return v.say("/sign-in", "good", "You are signed out.", nil)
	}
	return v.show(http.StatusOK, "Signed out", signedOutPage(back))
}

// enterByProduct signs somebody in whom the product vouches for. The address holds a value that is good once, so the
// browser goes on to a clean one.
func (v *visit) enterByProduct() error {
	out, err := v.c.Identity.Enter(v.r.Context(), v.r.URL.Query().Get("ticket"), v.at)
	if err != nil {
		return err
	}
	if v.signedIn { // the session before is not this one's to keep open
		if err := v.c.Identity.SignOut(v.r.Context(), v.session); err != nil {
			return err
		}
	}
	v.setCookie(sessionCookie, out.Value)
	v.redirect("/")
	return nil
}

func (v *visit) askConfirm() error { return v.showConfirm(newForm(nil)) }

func (v *visit) showConfirm(f *form) error {
	factors, err := v.c.Identity.Confirmations(v.r.Context(), v.session)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "Confirm that it is you", confirmPage(v, f, factors))
}

func (v *visit) confirmHere() error {
	proof := identity.Proof{Password: v.r.PostForm.Get("password"), Code: v.field("code"), Recovery: v.field("recovery")}
	return v.confirmed(v.c.Identity.Confirm(v.r.Context(), v.session, proof, v.at))
}

func (v *visit) confirmed(err error) error {
	if err != nil {
		return v.again(err, v.showConfirm)
	}
	return v.resume()
}

func (v *visit) confirmOptions() error {
	return v.ceremony(v.c.Identity.BeginPasskeyConfirmation(v.r.Context(), v.session))
}

func (v *visit) confirmPasskey() error {
	return v.confirmed(v.c.Identity.FinishPasskeyConfirmation(v.r.Context(), v.session, v.field("ticket"), []byte(v.field("answer")), v.at))
}

func (v *visit) confirmByProvider() error {
	return v.atProvider(v.session.Provider(), &v.session)
}

// withNext is an address that keeps where somebody wanted to go.
func (v *visit) withNext(f *form, to string) string {
	if next := v.wanted(f); next != "/" {
		return to + "?next=" + url.QueryEscape(next)
	}
	return to
}

// wanted is where somebody wanted to go, in a form that is shown again too.
func (v *visit) wanted(f *form) string {
	if next := f.get("next"); next != "" {
		return local(next)
	}
	return v.next()
}
