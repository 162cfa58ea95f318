package identity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

// code is what a device shows now.
func (w *world) code(secret string) string {
	w.t.Helper()
	c, err := totp.GenerateCode(secret, w.store.Now().Time())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// wrong is a code that the device does not show now or a step away from now.
func (w *world) wrong(secret string) string {
	taken := []string{}
	for _, d := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
		c, _ := totp.GenerateCode(secret, w.store.Now().Time().Add(d))
		taken = append(taken, c)
	}
	for _, c := range []string{"000000", "111111", "222222", "333333"} {
		if !slices.Contains(taken, c) {
			return c
		}
	}
	return ""
}

// enrol gives the person of a session a device and returns its secret and the recovery codes.
func (w *world) enrol(s identity.Session) (secret string, codes []string) {
	w.t.Helper()
	e, err := w.BeginTOTP(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	codes, err = w.FinishTOTP(w.t.Context(), s, e.Ticket, w.code(e.Secret), home)
	if err != nil {
		w.t.Fatal(err)
	}
	w.later(time.Minute) // the code is used up
	return e.Secret, codes
}

func TestTOTP(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		s := w.signIn("ann@example.com", good)
		e, err := w.BeginTOTP(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.URL, "otpauth://totp/Counterfoil:ann@example.com?") || !strings.Contains(e.URL, "secret="+e.Secret) {
			t.Errorf("the address for the QR code is %q", e.URL)
		}
		again, err := w.ResumeTOTP(t.Context(), s, e.Ticket)
		if err != nil || again != e {
			t.Errorf("resumed %+v (%v), want %+v", again, err, e)
		}
		w.events(acme)
		_, err = w.FinishTOTP(t.Context(), s, e.Ticket, w.wrong(e.Secret), home)
		refused(t, err, counterfoil.CodeValidationFailed, "clock")
		w.signIn("ann@example.com", good) // not asked for before it works
		codes, err := w.FinishTOTP(t.Context(), s, e.Ticket, w.code(e.Secret), home)
		if err != nil || len(codes) != 10 {
			t.Fatalf("enrolled with %d recovery codes (%v), want 10", len(codes), err)
		}
		w.expectEvents(acme, "login/user_login_successful password", "totp/device_enrolled")

		begin := func() string {
			t.Helper()
			out, err := w.SignIn(t.Context(), "ann@example.com", good, home)
			if err != nil || out.Value != "" || out.Ticket == "" || !slices.Equal(out.Factors, []string{"totp", "recovery"}) {
				t.Fatalf("the password alone gives %+v (%v)", out, err)
			}
			if factors, found, err := w.Factors(t.Context(), out.Ticket); !found || err != nil || !slices.Equal(factors, out.Factors) {
				t.Errorf("asked again it wants %v (%v, %v)", factors, found, err)
			}
			return out.Ticket
		}
		ticket := begin()
		if _, found, _ := w.Session(t.Context(), ticket, home); found {
			t.Error("the ticket of a half-done sign-in passes for a session")
		}
		_, err = w.SignInTOTP(t.Context(), ticket, w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "did not prove") // used by the enrolment
		w.later(30 * time.Second)
		out, err := w.SignInTOTP(t.Context(), ticket, " "+w.code(e.Secret)[:3]+" "+w.code(e.Secret)[3:], home)
		if err != nil {
			t.Fatal(err)
		}
		if s := w.session(out.Value); s.Method != "password+totp" || s.UserID != ann.UserID {
			t.Errorf("the session is %+v", s)
		}
		w.expectEvents(acme, "login/user_login_failed password+totp wrong_code", "login/user_login_successful password+totp")
		_, err = w.SignInTOTP(t.Context(), ticket, w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Begin again")
		_, err = w.SignInTOTP(t.Context(), begin(), w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "did not prove") // the same code in another sign-in
		w.later(2 * time.Minute)

		ticket = begin()
		for range 5 {
			_, err = w.SignInTOTP(t.Context(), ticket, w.wrong(e.Secret), home)
			refused(t, err, counterfoil.CodeMissingCredentials, "did not prove")
		}
		_, err = w.SignInTOTP(t.Context(), ticket, w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Begin again")
		for range 3 {
			if _, err = w.SignInTOTP(t.Context(), begin(), w.wrong(e.Secret), home); err == nil {
				t.Fatal("a wrong code signs in")
			}
		}
		_, err = w.SignInTOTP(t.Context(), begin(), w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeRateLimited, "Wait")
		w.later(time.Hour)

		old := begin()
		w.later(10 * time.Minute)
		_, err = w.SignInTOTP(t.Context(), old, w.code(e.Secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Begin again")
		// A clock that is half a minute off, either way.
		for _, off := range []time.Duration{-30 * time.Second, 30 * time.Second} {
			w.later(5 * time.Minute)
			ticket = begin()
			c, _ := totp.GenerateCode(e.Secret, w.store.Now().Time().Add(off))
			if out, err = w.SignInTOTP(t.Context(), ticket, c, home); err != nil {
				t.Errorf("a clock %v off: %v", off, err)
			}
		}
		s = w.session(out.Value)
		w.events(acme)
		if err := w.RemoveTOTP(t.Context(), s, home); err != nil {
			t.Fatal(err)
		}
		w.expectEvents(acme, "totp/device_deleted")
		refused(t, w.RemoveTOTP(t.Context(), s, home), counterfoil.CodeNotFound, "")
		w.signIn("ann@example.com", good)
		_, err = w.RecoveryCodes(t.Context(), s, home)
		refused(t, err, counterfoil.CodeNotFound, "")
	})
}

func TestRecoveryCodes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann, bob := w.member(acme, "ann@example.com", counterfoil.MemberActive), w.member(acme, "bob@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		w.password(bob.UserID, good)
		s := w.signIn("ann@example.com", good)
		_, codes := w.enrol(s)
		_, bobs := w.enrol(w.signIn("bob@example.com", good))
		begin := func(email string) string {
			out, err := w.SignIn(t.Context(), email, good, home)
			if err != nil {
				t.Fatal(err)
			}
			return out.Ticket
		}
		try := func(email, code string, want bool, what string) {
			t.Helper()
			out, err := w.SignInRecovery(t.Context(), begin(email), code, home)
			if (err == nil) != want || (out.Value != "") != want {
				t.Errorf("%s: %+v, %v", what, out, err)
			}
		}
		try("ann@example.com", codes[0], true, "a code")
		try("ann@example.com", codes[0], false, "the same code again")
		try("ann@example.com", bobs[0], false, "another person's code")
		try("bob@example.com", bobs[0], true, "their own")
		try("ann@example.com", strings.ToUpper(strings.ReplaceAll(codes[1], "-", " ")), true, "typed in another way")
		try("ann@example.com", "", false, "no code")
		fresh, err := w.RecoveryCodes(t.Context(), s, home)
		if err != nil || len(fresh) != 10 || slices.Contains(fresh, codes[2]) {
			t.Fatalf("new codes %q (%v)", fresh, err)
		}
		try("ann@example.com", codes[2], false, "a code of the list before")
		try("ann@example.com", fresh[9], true, "a code of the new list")
		if a, err := w.Account(t.Context(), s); err != nil || a.RecoveryCodes != 9 || a.TOTPSince.IsZero() || !a.HasPassword {
			t.Errorf("the account is %+v (%v), want 9 codes left", a, err)
		}
	})
}

func TestConfirm(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		out, err := w.SignIn(t.Context(), "ann@example.com", good, home)
		if err != nil {
			t.Fatal(err)
		}
		old := func() identity.Session {
			w.later(11 * time.Minute)
			s := w.session(out.Value)
			if s.Fresh(w.store.Now().Time()) {
				t.Fatal("a session is fresh after 11 minutes")
			}
			return s
		}
		fresh := func(want bool) {
			t.Helper()
			if got := w.session(out.Value).Fresh(w.store.Now().Time()); got != want {
				t.Errorf("fresh: %v, want %v", got, want)
			}
		}
		s := old()
		w.events(acme)
		_, err = w.BeginTOTP(t.Context(), s)
		refused(t, err, counterfoil.CodeMissingCredentials, "Confirm")
		refused(t, w.ChangePassword(t.Context(), s, good, other, home), counterfoil.CodeMissingCredentials, "Confirm")
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Password: other}, home), counterfoil.CodeMissingCredentials, "not your password")
		refused(t, w.Confirm(t.Context(), s, identity.Proof{}, home), counterfoil.CodeMissingCredentials, "not your password")
		fresh(false)
		w.expectEvents(acme, "login/user_login_failed confirmation: password wrong_password", "login/user_login_failed confirmation: password wrong_password")
		if f, err := w.Confirmations(t.Context(), s); err != nil || !slices.Equal(f, []string{"password"}) {
			t.Errorf("confirmed by %v (%v)", f, err)
		}
		if err := w.Confirm(t.Context(), s, identity.Proof{Password: good}, home); err != nil {
			t.Fatal(err)
		}
		fresh(true)
		secret, codes := w.enrol(w.session(out.Value))

		s = old()
		if f, err := w.Confirmations(t.Context(), s); err != nil || !slices.Equal(f, []string{"totp", "recovery"}) {
			t.Errorf("confirmed by %v (%v)", f, err)
		}
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Password: good}, home), counterfoil.CodeMissingCredentials, "second factor")
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Code: w.wrong(secret)}, home), counterfoil.CodeMissingCredentials, "did not prove")
		fresh(false)
		if err := w.Confirm(t.Context(), s, identity.Proof{Code: w.code(secret)}, home); err != nil {
			t.Fatal(err)
		}
		fresh(true)
		s = old()
		if err := w.Confirm(t.Context(), s, identity.Proof{Recovery: codes[3]}, home); err != nil {
			t.Fatal(err)
		}
		fresh(true)
		s = old()
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Recovery: codes[3]}, home), counterfoil.CodeMissingCredentials, "did not prove")
		if err := w.SignOut(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Code: w.code(secret)}, home), counterfoil.CodeMissingCredentials, "ended")
	})
}
