package console

import (
	"net/http"
	"strconv"

	"github.com/counterfoil/counterfoil/internal/identity"
)

const accountPath = "/account"

func accountPages() []page {
	return []page{
		{method: get, path: accountPath, who: signedIn, show: (*visit).account},
		{method: get, path: accountPath + "/password", who: signedIn, fresh: true, show: (*visit).askPassword},
		{method: post, path: accountPath + "/password", who: signedIn, fresh: true, form: accountPath + "/password", show: (*visit).changePassword},
		{method: post, path: accountPath + "/password/remove", who: signedIn, fresh: true, form: accountPath, show: (*visit).removePassword},
		{method: get, path: accountPath + "/totp", who: signedIn, fresh: true, show: (*visit).askTOTP},
		{method: post, path: accountPath + "/totp", who: signedIn, fresh: true, form: accountPath + "/totp", show: (*visit).finishTOTP},
		{method: get, path: accountPath + "/totp/remove", who: signedIn, fresh: true, show: (*visit).askRemoveTOTP},
		{method: post, path: accountPath + "/totp/remove", who: signedIn, fresh: true, form: accountPath + "/totp/remove", show: (*visit).removeTOTP},
		{method: get, path: accountPath + "/recovery-codes", who: signedIn, fresh: true, show: (*visit).askRecoveryCodes},
		{method: post, path: accountPath + "/recovery-codes", who: signedIn, fresh: true, form: accountPath + "/recovery-codes", show: (*visit).recoveryCodes},
		{method: get, path: accountPath + "/passkeys/new", who: signedIn, fresh: true, show: (*visit).askPasskey},
		{method: post, path: accountPath + "/passkeys/options", who: signedIn, fresh: true, form: accountPath + "/passkeys/new", show: (*visit).newPasskeyOptions},
		{method: post, path: accountPath + "/passkeys", who: signedIn, fresh: true, form: accountPath + "/passkeys/new", show: (*visit).addPasskey},
		{method: get, path: accountPath + "/passkeys/{id}", who: signedIn, fresh: true, show: (*visit).passkey},
		{method: post, path: accountPath + "/passkeys/{id}", who: signedIn, fresh: true, form: accountPath, show: (*visit).renamePasskey},
		{method: post, path: accountPath + "/passkeys/{id}/remove", who: signedIn, fresh: true, form: accountPath, show: (*visit).removePasskey},
		{method: post, path: accountPath + "/notices", who: signedIn, fresh: true, form: accountPath, show: (*visit).setNotices},
		{method: post, path: accountPath + "/sessions/{id}/end", who: signedIn, form: accountPath, show: (*visit).endSession},
		{method: post, path: accountPath + "/sessions/end-others", who: signedIn, form: accountPath, show: (*visit).endOthers},
	}
}

// accountView is what the account page shows.
type accountView struct {
	identity.Account
	sessions []identity.Session
}

func (v *visit) account() error {
	a, err := v.readAccount()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "Account and security", accountPage(v, a))
}

func (v *visit) readAccount() (*accountView, error) {
	account, err := v.c.Identity.Account(v.r.Context(), v.session)
	if err != nil {
		return nil, err
	}
	sessions, err := v.c.Identity.Sessions(v.r.Context(), v.session)
	return &accountView{account, sessions}, err
}

func (v *visit) setNotices() error {
	wanted := v.field("new_place") == "on"
	if err := v.c.Identity.SetNewPlaceMail(v.r.Context(), v.session, wanted, v.at); err != nil {
		return err
	}
	if wanted {
		return v.say(accountPath, "good", "You get mails about new places again.", nil)
	}
	return v.say(accountPath, "good", "You get no mails about new places any more. The log tells of them as before.", nil)
}

func (v *visit) askPassword() error { return v.showPassword(newForm(nil)) }

func (v *visit) showPassword(f *form) error {
	a, err := v.readAccount()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "Password", passwordPage(v, f, a))
}

func (v *visit) changePassword() error {
	err := v.c.Identity.ChangePassword(v.r.Context(), v.session, v.r.PostForm.Get("current"), v.r.PostForm.Get("password"), v.at)
	if err != nil {
		return v.again(err, v.showPassword)
	}
	return v.say(accountPath, "good", "Your password is set. Your other sessions have ended.", nil)
}

func (v *visit) removePassword() error {
	if err := v.c.Identity.RemovePassword(v.r.Context(), v.session, v.at); err != nil {
		return v.again(err, v.showPassword)
	}
	return v.say(accountPath, "good", "Your password is removed. You sign in with a passkey from now on.", nil)
}

func (v *visit) askTOTP() error {
	e, err := v.c.Identity.BeginTOTP(v.r.Context(), v.session)
	if err != nil {
		return err
	}
	return v.showTOTP(newForm(nil), e)
}

func (v *visit) showTOTP(f *form, e identity.Enrolment) error {
	path, size, err := qrPath(e.URL)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "One-time codes", totpPage(v, f, e, path, strconv.Itoa(size)))
}

func (v *visit) finishTOTP() error {
	codes, err := v.c.Identity.FinishTOTP(v.r.Context(), v.session, v.ticket(), v.field("code"), v.at)
	if err != nil {
		return v.again(err, func(f *form) error {
			e, err := v.c.Identity.ResumeTOTP(v.r.Context(), v.session, v.ticket())
			if err != nil {
				return err
			}
			return v.showTOTP(f, e)
		})
	}
	return v.withCodes(codes, "Your device is added: signing in asks for its code from now on.")
}

// withCodes shows recovery codes once, or goes back to the account where there are none to show.
func (v *visit) withCodes(codes []string, text string) error {
	if len(codes) == 0 {
		return v.say(accountPath, "good", text, nil)
	}
	return v.show(http.StatusOK, "Recovery codes", codesPage(v, codes, text))
}

func (v *visit) askRemoveTOTP() error {
	return v.show(http.StatusOK, "Remove the device", removeTOTPPage(v))
}

func (v *visit) removeTOTP() error {
	if err := v.c.Identity.RemoveTOTP(v.r.Context(), v.session, v.at); err != nil {
		return err
	}
	return v.say(accountPath, "good", "Your device for one-time codes is removed.", nil)
}

func (v *visit) askRecoveryCodes() error {
	a, err := v.readAccount()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "Recovery codes", newCodesPage(v, a))
}

func (v *visit) recoveryCodes() error {
	codes, err := v.c.Identity.RecoveryCodes(v.r.Context(), v.session, v.at)
	if err != nil {
		return err
	}
	return v.withCodes(codes, "These replace all that you had before.")
}

func (v *visit) askPasskey() error { return v.showNewPasskey(newForm(nil)) }

func (v *visit) showNewPasskey(f *form) error {
	return v.show(http.StatusOK, "Add a passkey", newPasskeyPage(v, f))
}

func (v *visit) newPasskeyOptions() error {
	return v.ceremony(v.c.Identity.BeginPasskey(v.r.Context(), v.session))
}

func (v *visit) addPasskey() error {
	codes, err := v.c.Identity.FinishPasskey(v.r.Context(), v.session, v.ticket(), v.field("name"), []byte(v.field("answer")), v.at)
	if err != nil {
		return v.again(err, v.showNewPasskey)
	}
	return v.withCodes(codes, "Your passkey is added.")
}

// passkey is the page of one passkey: to rename or remove it.
func (v *visit) passkey() error { return v.showPasskey(nil) }

func (v *visit) showPasskey(f *form) error {
	a, err := v.readAccount()
	if err != nil {
		return err
	}
	for _, k := range a.Passkeys {
		if k.ID != v.r.PathValue("id") {
			continue
		}
		if f == nil {
			f = filled("name", k.Name)
		}
		return v.show(http.StatusOK, "Passkey", passkeyPage(v, f, k))
	}
	return errNothing
}

func (v *visit) renamePasskey() error {
	if err := v.c.Identity.RenamePasskey(v.r.Context(), v.session, v.r.PathValue("id"), v.field("name")); err != nil {
		return v.again(err, v.showPasskey)
	}
	return v.say(accountPath, "good", "The passkey is renamed.", nil)
}

func (v *visit) removePasskey() error {
	if err := v.c.Identity.RemovePasskey(v.r.Context(), v.session, v.r.PathValue("id"), v.at); err != nil {
		return v.again(err, v.showPasskey)
	}
	return v.say(accountPath, "good", "The passkey is removed.", nil)
}

func (v *visit) endSession() error {
	id := v.r.PathValue("id")
	if id == v.session.ID {
		return v.signOut()
	}
	if err := v.c.Identity.EndSession(v.r.Context(), v.session, id, v.at); err != nil {
		return err
	}
	return v.say(accountPath, "good", "The session has ended.", nil)
}

func (v *visit) endOthers() error {
	n, err := v.c.Identity.EndOthers(v.r.Context(), v.session, v.at)
	if err != nil {
		return err
	}
	return v.say(accountPath, "good", plural(n, "other session")+" ended.", nil)
}
