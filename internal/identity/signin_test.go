package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/store"
)

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive, "owner")
		w.member(bolt, "ann@example.com", counterfoil.MemberSuspended, "member")
		w.member(acme, "none@example.com", counterfoil.MemberActive, "member")
		w.password(ann.UserID, good)

		for name, c := range map[string]struct{ email, password string }{
			"a wrong password":          {"ann@example.com", other},
			"no password given":         {"ann@example.com", ""},
			"a password cut":            {"ann@example.com", good[1:]},
			"an account without one":    {"none@example.com", ""},
			"an account without one, 2": {"none@example.com", good},
			"nobody":                    {"nobody@example.com", good},
			"nothing":                   {"", ""},
		} {
			out, err := w.SignIn(t.Context(), c.email, c.password, home)
			refused(t, err, counterfoil.CodeMissingCredentials, "do not belong together")
			if out.Value != "" || out.Ticket != "" {
				t.Errorf("%s: %+v", name, out)
			}
		}
		if got := w.events(bolt); len(got) != 3 || got[0] != "login/user_login_failed password wrong_password" {
			t.Errorf("three failures of Ann are %q", got)
		}
		w.events(acme)

		s := w.signIn(" Ann@Example.COM ", good)
		if s.UserID != ann.UserID || s.Email != "ann@example.com" || s.Method != identity.MethodPassword || s.IP != "192.0.2.7" || s.UserAgent != "Browser/1" || s.Organization != "" {
			t.Errorf("the session is %+v", s)
		}
		w.expectEvents(acme, "login/user_login_successful password")
		list, err := w.Memberships(t.Context(), s)
		if err != nil || len(list) != 1 || list[0].MemberID != ann.ID || list[0].Organization.ID != acme || list[0].Roles[0] != "owner" || list[0].Status != counterfoil.MemberActive {
			t.Errorf("the memberships are %+v (%v), want the active one alone", list, err)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann, bob := w.member(acme, "ann@example.com", counterfoil.MemberActive), w.member(acme, "bob@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		w.password(bob.UserID, good)
		value := func(email string) string {
			out, err := w.SignIn(t.Context(), email, good, home)
			if err != nil {
				t.Fatal(err)
			}
			return out.Value
		}
		live := func(v string, want bool, when string) {
			t.Helper()
			if _, found, err := w.Session(t.Context(), v, home); found != want || err != nil {
				t.Errorf("%s: found %v (%v), want %v", when, found, err, want)
			}
		}
		idle := value("ann@example.com")
		live(idle[:42]+"x", idle[42] == 'x', "another value")
		live("", false, "no value")
		w.later(12*time.Hour - time.Second)
		live(idle, true, "used before 12 h are over")
		w.later(12*time.Hour - time.Second)
		live(idle, true, "used again: the clock of idleness began anew")
		w.later(12 * time.Hour)
		live(idle, false, "not used for 12 h")

		old := value("ann@example.com")
		for range 14 {
			live(old, true, "used every 12 h for a week")
			w.later(12*time.Hour - time.Minute)
		}
		w.later(14 * time.Minute)
		live(old, false, "after 7 days")

		a, b, c, d, bobs := value("ann@example.com"), value("ann@example.com"), value("ann@example.com"), value("ann@example.com"), value("bob@example.com")
		sa, sb := w.session(a), w.session(b)
		if err := w.SignOut(t.Context(), sb); err != nil {
			t.Fatal(err)
		}
		live(b, false, "signed out")
		refused(t, w.EndSession(t.Context(), sb, sa.ID, home), counterfoil.CodeMissingCredentials, "ended")
		refused(t, w.EndSession(t.Context(), w.session(bobs), sa.ID, home), counterfoil.CodeNotFound, "")
		live(a, true, "Bob tried to end it")
		if list, err := w.Sessions(t.Context(), sa); err != nil || len(list) != 3 {
			t.Errorf("Ann has %d sessions (%v), want 3", len(list), err)
		}
		if err := w.EndSession(t.Context(), sa, w.session(c).ID, home); err != nil {
			t.Fatal(err)
		}
		live(c, false, "ended from elsewhere")
		w.events(acme)
		if n, err := w.EndOthers(t.Context(), sa, home); n != 1 || err != nil {
			t.Errorf("ended %d others (%v), want 1", n, err)
		}
		w.expectEvents(acme, "sessions/session_ended")
		live(a, true, "the one that ended the others")
		live(d, false, "one of the others")
		live(bobs, true, "Bob's")
	})
}

func TestSessionIsSeenAndFresh(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ann := w.member(w.organization("Acme"), "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		out, _ := w.SignIn(t.Context(), "ann@example.com", good, home)
		began := w.store.Now().Time()
		elsewhere := identity.Place{UserAgent: "Browser/2"}
		for _, c := range []struct {
			after time.Duration
			agent string
		}{{59 * time.Second, "Browser/1"}, {time.Second, "Browser/2"}} {
			w.later(c.after)
			if _, _, err := w.Session(t.Context(), out.Value, elsewhere); err != nil {
				t.Fatal(err)
			}
			var kept store.Session
			s := w.session(out.Value)
			if err := w.store.View(t.Context(), "", func(tx *store.Tx) (err error) { kept, _, err = tx.Session(s.ID); return err }); err != nil {
				t.Fatal(err)
			}
			if kept.UserAgent != c.agent {
				t.Errorf("after %v it was seen with %s, want %s: once a minute is enough", w.store.Now().Time().Sub(began), kept.UserAgent, c.agent)
			}
		}
		s := w.session(out.Value)
		for at, want := range map[time.Duration]bool{0: true, 10*time.Minute - 1: true, 10 * time.Minute: false, time.Hour: false} {
			if got := s.Fresh(began.Add(at)); got != want {
				t.Errorf("%v after the sign-in it is fresh: %v, want %v", at, got, want)
			}
		}
		if (identity.Session{}).Fresh(time.Time{}) {
			t.Error("nobody's session is fresh")
		}
	})
}

func TestStaleHashesAreMadeAnew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ann := w.member(w.organization("Acme"), "ann@example.com", counterfoil.MemberActive)
		stored := identity.Hash(good)
		w.write("", func(tx *store.Tx) error { return tx.SetPassword(ann.UserID, stored) })
		w.signIn("ann@example.com", good)
		var now string
		w.write("", func(tx *store.Tx) (err error) { now, _, err = tx.Password(ann.UserID); return err })
		if now == stored || !strings.HasPrefix(now, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("the hash is still %q", now)
		}
		w.signIn("ann@example.com", good)
		var again string
		w.write("", func(tx *store.Tx) (err error) { again, _, err = tx.Password(ann.UserID); return err })
		if again != now {
			t.Error("a hash of the present cost was made anew")
		}
	})
}
