package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/store"
)

// passkey gives the person of a session one and returns the recovery codes that came with it.
func (w *world) passkey(s identity.Session, a *authenticator, name string) (codes []string) {
	w.t.Helper()
	c, err := w.BeginPasskey(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	codes, err = w.FinishPasskey(w.t.Context(), s, c.Ticket, name, a.register(c), home)
	if err != nil {
		w.t.Fatal(err)
	}
	return codes
}

func (w *world) signInByPasskey(a *authenticator) (identity.Outcome, error) {
	w.t.Helper()
	c, err := w.BeginPasskeySignIn(w.t.Context(), home)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.FinishPasskeySignIn(w.t.Context(), c.Ticket, a.assert(c), home)
}

func TestPasskeySignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		s, a := w.signIn("ann@example.com", good), newAuthenticator(t)
		w.events(acme)
		if codes := w.passkey(s, a, "Laptop"); len(codes) != 10 {
			t.Errorf("%d recovery codes came with the first second factor", len(codes))
		}
		w.expectEvents(acme, "passkey/passkey_added")
		out, err := w.signInByPasskey(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.session(out.Value); got.UserID != ann.UserID || got.Method != "passkey" || !got.Fresh(w.store.Now().Time()) {
			t.Errorf("the session is %+v", got)
		}
		w.expectEvents(acme, "login/user_login_successful passkey")
		if acc, err := w.Account(t.Context(), s); err != nil || len(acc.Passkeys) != 1 || acc.Passkeys[0].Name != "Laptop" || acc.Passkeys[0].UsedAt.IsZero() {
			t.Errorf("the account is %+v (%v)", acc, err)
		}

		fail := func(what string, spoil func(c *identity.Ceremony, a *authenticator)) {
			t.Helper()
			w.events(acme)
			bad := *a
			c, err := w.BeginPasskeySignIn(t.Context(), home)
			if err != nil {
				t.Fatal(err)
			}
			spoil(&c, &bad)
			out, err := w.FinishPasskeySignIn(t.Context(), c.Ticket, bad.assert(c), home)
			a.count = bad.count
			if out.Value != "" {
				t.Errorf("%s: it signs in", what)
			}
			refused(t, err, counterfoil.CodeMissingCredentials, "")
		}
		stranger := newAuthenticator(t)
		fail("another origin", func(_ *identity.Ceremony, a *authenticator) { a.origin = "https://book.example.evil" })
		w.expectEvents(acme, "login/user_login_failed passkey wrong_passkey")
		fail("another party", func(_ *identity.Ceremony, a *authenticator) { a.party = "evil.example" })
		fail("the person not verified", func(_ *identity.Ceremony, a *authenticator) { a.verifies = false })
		fail("another key", func(_ *identity.Ceremony, a *authenticator) { a.key = stranger.key })
		fail("another person", func(_ *identity.Ceremony, a *authenticator) { a.user = []byte("usr_x") })
		w.expectEvents(acme)
		fail("another ceremony's answer", func(c *identity.Ceremony, _ *authenticator) {
			next, err := w.BeginPasskeySignIn(t.Context(), home)
			if err != nil {
				t.Fatal(err)
			}
			c.Ticket = next.Ticket
		})
		fail("a ceremony for something else", func(c *identity.Ceremony, _ *authenticator) {
			other, err := w.BeginPasskeyConfirmation(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			*c = other
		})
		fail("too late", func(*identity.Ceremony, *authenticator) { w.later(5 * time.Minute) })
		c, _ := w.BeginPasskeySignIn(t.Context(), home)
		answer := a.assert(c)
		if _, err := w.FinishPasskeySignIn(t.Context(), c.Ticket, answer, home); err != nil {
			t.Fatal(err)
		}
		_, err = w.FinishPasskeySignIn(t.Context(), c.Ticket, answer, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "too long")
		_, err = w.FinishPasskeySignIn(t.Context(), c.Ticket, []byte("{}"), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "")

		a.count = 1 // a copy of the passkey counts from where it was copied
		_, err = w.signInByPasskey(a)
		refused(t, err, counterfoil.CodeMissingCredentials, "did not prove")
		w.events(acme)
		a.count = 100
		if _, err = w.signInByPasskey(a); err != nil {
			t.Errorf("the passkey itself: %v", err)
		}
	})
}

func TestPasskeyAsSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann, bob := w.member(acme, "ann@example.com", counterfoil.MemberActive), w.member(acme, "bob@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		w.password(bob.UserID, good)
		a, b := newAuthenticator(t), newAuthenticator(t)
		first := w.signIn("ann@example.com", good)
		w.passkey(first, a, "Laptop")
		w.passkey(w.signIn("bob@example.com", good), b, "Bob's")
		begin := func() (string, identity.Ceremony) {
			t.Helper()
			out, err := w.SignIn(t.Context(), "ann@example.com", good, home)
			if err != nil || out.Value != "" || !slices.Equal(out.Factors, []string{"passkey", "recovery"}) {
				t.Fatalf("the password alone gives %+v (%v)", out, err)
			}
			c, err := w.BeginPasskeySecond(t.Context(), out.Ticket)
			if err != nil {
				t.Fatal(err)
			}
			return out.Ticket, c
		}
		ticket, c := begin()
		_, err := w.FinishPasskeySecond(t.Context(), ticket, c.Ticket, b.assert(c), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "did not prove")
		ticket, c = begin()
		a.verifies = false // the password was proved already
		out, err := w.FinishPasskeySecond(t.Context(), ticket, c.Ticket, a.assert(c), home)
		if err != nil {
			t.Fatal(err)
		}
		s := w.session(out.Value)
		if s.Method != "password+passkey" {
			t.Errorf("the session is %+v", s)
		}

		w.later(11 * time.Minute)
		c, err = w.BeginPasskeyConfirmation(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, w.FinishPasskeyConfirmation(t.Context(), s, c.Ticket, b.assert(c), home), counterfoil.CodeMissingCredentials, "did not prove")
		c, _ = w.BeginPasskeyConfirmation(t.Context(), s)
		if err := w.FinishPasskeyConfirmation(t.Context(), s, c.Ticket, a.assert(c), home); err != nil {
			t.Fatal(err)
		}
		if s = w.session(out.Value); !s.Fresh(w.store.Now().Time()) {
			t.Error("the confirmed session is not fresh")
		}

		acc, err := w.Account(t.Context(), s)
		if err != nil || len(acc.Passkeys) != 1 {
			t.Fatalf("the account is %+v (%v)", acc, err)
		}
		id := acc.Passkeys[0].ID
		bobs := w.member(acme, "carl@example.com", counterfoil.MemberActive)
		w.password(bobs.UserID, good)
		carl := w.signIn("carl@example.com", good)
		refused(t, w.RenamePasskey(t.Context(), carl, id, "Mine"), counterfoil.CodeNotFound, "")
		refused(t, w.RemovePasskey(t.Context(), carl, id, home), counterfoil.CodeNotFound, "")
		refused(t, w.RenamePasskey(t.Context(), s, id, " \t"), counterfoil.CodeValidationFailed, "")
		if err := w.RenamePasskey(t.Context(), s, id, "Desk"); err != nil {
			t.Fatal(err)
		}
		c, err = w.BeginPasskey(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.FinishPasskey(t.Context(), s, c.Ticket, "Again", a.register(c), home)
		refused(t, err, counterfoil.CodeNameTaken, "registered already")
		w.events(acme)
		if err := w.RemovePasskey(t.Context(), s, id, home); err != nil {
			t.Fatal(err)
		}
		w.expectEvents(acme, "passkey/passkey_deleted")
		w.signIn("ann@example.com", good)
	})
}

func TestPasskeyAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		a := newAuthenticator(t)
		s := w.signIn("ann@example.com", good)
		w.passkey(s, a, "Laptop")
		w.write("", func(tx *store.Tx) error { return tx.DeletePassword(ann.UserID) })
		acc, err := w.Account(t.Context(), s)
		if err != nil || acc.HasPassword {
			t.Fatalf("the account is %+v (%v)", acc, err)
		}
		refused(t, w.RemovePasskey(t.Context(), s, acc.Passkeys[0].ID, home), counterfoil.CodeInUse, "only way in")
		if _, err := w.signInByPasskey(a); err != nil {
			t.Error(err)
		}
		if err := w.ChangePassword(t.Context(), s, "", other, home); err != nil {
			t.Fatal(err)
		}
		if err := w.RemovePassword(t.Context(), s, home); err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn(t.Context(), "ann@example.com", other, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "do not belong together")
	})
}

func TestPasskeysWantAName(t *testing.T) {
	w := newWorld(t, store.Config{Dir: t.TempDir()})
	for url, want := range map[string]bool{"https://book.example": true, "http://localhost:8080": true, "http://127.0.0.1:8080": false, "https://[::1]:8080": false, "": false} {
		w.config.URL = url
		i := identity.New(w.config)
		if i.PasskeysWork() != want {
			t.Errorf("at %q passkeys work: %v, want %v", url, !want, want)
		}
		if !want {
			_, err := i.BeginPasskeySignIn(t.Context(), home)
			refused(t, err, counterfoil.CodeInvalidRequest, "has a name")
		}
	}
}
