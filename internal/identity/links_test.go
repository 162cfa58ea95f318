package identity_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
)

func TestSetup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, err := w.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		link, err := w.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		void, ticket := w.ticketIn(first, "/setup"), w.ticketIn(link, "/setup")
		for v, want := range map[string]bool{ticket: true, void: false, "": false, ticket[1:] + "a": false} {
			if ok, err := w.CanSetUp(t.Context(), v); ok != want || err != nil {
				t.Errorf("%q is good: %v (%v), want %v", v, ok, err, want)
			}
		}
		f := identity.Founding{Organization: "Acme", Name: "Ann Lee", Email: "ann@example.com"}
		_, err = w.Setup(t.Context(), void, f, good, home)
		refused(t, err, counterfoil.CodeNotFound, "replaced")
		_, err = w.Setup(t.Context(), ticket, f, "Acme-2026!", home)
		refused(t, err, counterfoil.CodeValidationFailed, "name of your organization")
		bad := f
		bad.Email, bad.Organization = "nobody", ""
		_, err = w.Setup(t.Context(), ticket, bad, good, home)
		refused(t, err, counterfoil.CodeValidationFailed, "/email")
		refused(t, err, counterfoil.CodeValidationFailed, "/organization")

		var done atomic.Int32
		var value atomic.Value
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if out, err := w.Setup(t.Context(), ticket, f, good, home); err == nil {
					done.Add(1)
					value.Store(out.Value)
				} else if !errors.As(err, new(*counterfoil.Error)) && !errors.Is(err, registry.ErrSetUp) {
					t.Error(err)
				}
			})
		}
		if all.Wait(); done.Load() != 1 {
			t.Fatalf("%d of 4 set the instance up, want 1", done.Load())
		}
		s := w.session(value.Load().(string))
		list, err := w.Memberships(t.Context(), s)
		if err != nil || len(list) != 1 || list[0].Name != "Ann Lee" || list[0].Roles[0] != "owner" || list[0].Organization.Name != "Acme" {
			t.Fatalf("the owner's memberships are %+v (%v)", list, err)
		}
		w.signIn("ann@example.com", good)
		w.expectEvents(list[0].Organization.ID, "organization/organization_created", "invites/user_invited", "login/user_login_successful password", "login/user_login_successful password")
		if ok, _ := w.CanSetUp(t.Context(), ticket); ok {
			t.Error("the link is good a second time")
		}
	})
}

// admin is a caller who may do all in an organization: the operator stands for a person who is signed in.
var admin = registry.Operator()

func TestInvitationOfSomebodyNew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		link, err := w.registry.Invite(t.Context(), admin, acme, counterfoil.MemberDraft{Email: "Bob@example.com", Name: "Bob", Roles: []string{"member"}})
		if err != nil || link.Purpose != "invitation" || !link.ExpiresAt.Equal(w.store.Now().Time().Add(7*24*time.Hour)) {
			t.Fatalf("invited: %+v, %v", link, err)
		}
		void := w.ticketIn(link.URL, "/invitation")
		if link, err = w.registry.LinkMember(t.Context(), admin, acme, link.Member.ID); err != nil {
			t.Fatal(err)
		}
		ticket := w.ticketIn(link.URL, "/invitation")
		if _, found, err := w.Invitation(t.Context(), void); found || err != nil {
			t.Errorf("the link before is good: %v", err)
		}
		v, found, err := w.Invitation(t.Context(), ticket)
		if want := (identity.Invitation{Email: "bob@example.com", Organization: "Acme"}); !found || err != nil || v != want {
			t.Errorf("the invitation says %+v (%v, %v), want %+v", v, found, err, want)
		}
		_, err = w.AcceptInvite(t.Context(), ticket, nil, "bob@example.com", home)
		refused(t, err, counterfoil.CodeValidationFailed, "e-mail")
		w.expectEvents(acme, "invites/user_invited", "invites/user_invite_resent")
		out, err := w.AcceptInvite(t.Context(), ticket, nil, good, home)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.Memberships(t.Context(), w.session(out.Value))
		if err != nil || len(list) != 1 || list[0].Status != counterfoil.MemberActive {
			t.Errorf("Bob's memberships are %+v (%v)", list, err)
		}
		w.expectEvents(acme, "login/user_login_successful password", "invites/user_invite_accepted")
		_, err = w.AcceptInvite(t.Context(), ticket, nil, other, home)
		refused(t, err, counterfoil.CodeNotFound, "used already")
		w.signIn("bob@example.com", good)
	})
}

func TestInvitationOfSomebodyKnown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann, eve := w.member(acme, "ann@example.com", counterfoil.MemberActive, "owner"), w.member(acme, "eve@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		w.password(eve.UserID, good)
		draft := counterfoil.MemberDraft{Email: "ann@example.com", Name: "Ann"}
		link, err := w.registry.Invite(t.Context(), admin, bolt, draft)
		if err != nil {
			t.Fatal(err)
		}
		ticket := w.ticketIn(link.URL, "/invitation")
		if v, found, err := w.Invitation(t.Context(), ticket); !found || err != nil || !v.SignIn {
			t.Errorf("the invitation says %+v (%v, %v), want that she signs in", v, found, err)
		}
		// Bolt's admin has seen the link: it must not give them Ann's account at Acme.
		_, err = w.AcceptInvite(t.Context(), ticket, nil, other, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Sign in as ann@example.com")
		eves := w.signIn("eve@example.com", good)
		_, err = w.AcceptInvite(t.Context(), ticket, &eves, other, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Sign in as ann@example.com")
		anns := w.signIn("ann@example.com", good)
		if out, err := w.AcceptInvite(t.Context(), ticket, &anns, "", home); err != nil || out.Value != "" {
			t.Fatalf("Ann accepts: %+v, %v", out, err)
		}
		if list, err := w.Memberships(t.Context(), anns); err != nil || len(list) != 2 {
			t.Errorf("Ann's memberships are %+v (%v), want two", list, err)
		}
	})
}

// Somebody whom Acme has, without a password, is invited to Bolt: Bolt's admin must not be able to set one.
func TestInvitationTakesNobodyOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive, "owner")
		link, err := w.registry.Invite(t.Context(), admin, bolt, counterfoil.MemberDraft{Email: "ann@example.com", Name: "Ann"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.AcceptInvite(t.Context(), w.ticketIn(link.URL, "/invitation"), nil, good, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Sign in as")
		// Nor by a link to set a password that was made before she belonged to another.
		carl := w.member(bolt, "carl@example.com", counterfoil.MemberActive)
		link, err = w.registry.LinkMember(t.Context(), admin, bolt, carl.ID)
		if err != nil {
			t.Fatal(err)
		}
		ticket := w.ticketIn(link.URL, "/reset")
		w.member(acme, "carl@example.com", counterfoil.MemberInvited)
		if _, found, err := w.ResetLink(t.Context(), ticket); !found || err != nil {
			t.Errorf("an invitation elsewhere voids the link: %v", err)
		}
		w.write(acme, func(tx *store.Tx) error {
			m, _, err := tx.MemberByEmail("carl@example.com")
			if err != nil {
				return err
			}
			m.Status = counterfoil.MemberActive
			return tx.UpdateMember(m.Member)
		})
		if _, found, err := w.ResetLink(t.Context(), ticket); found || err != nil {
			t.Errorf("the link is good for somebody whom another organization has now: %v", err)
		}
		refused(t, w.ResetPassword(t.Context(), ticket, good, home), counterfoil.CodeNotFound, "link")
		_, err = w.registry.LinkMember(t.Context(), admin, bolt, carl.ID)
		refused(t, err, counterfoil.CodeMissingPermission, "more than this organization")
		_, err = w.registry.LinkMember(t.Context(), admin, acme, ann.ID)
		if err != nil {
			t.Errorf("an invitation to Bolt keeps Acme from making a link: %v", err)
		}
	})
}

func TestDecline(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		link, err := w.registry.Invite(t.Context(), admin, acme, counterfoil.MemberDraft{Email: "bob@example.com", Name: "Bob"})
		if err != nil {
			t.Fatal(err)
		}
		ticket := w.ticketIn(link.URL, "/invitation")
		w.events(acme)
		if err := w.DeclineInvite(t.Context(), ticket, home); err != nil {
			t.Fatal(err)
		}
		w.expectEvents(acme, "invites/user_invite_declined")
		refused(t, w.DeclineInvite(t.Context(), ticket, home), counterfoil.CodeNotFound, "used already")
		if page, err := w.registry.Members(t.Context(), admin, acme, "", "", 10); err != nil || len(page.Data) != 0 {
			t.Errorf("the members are %+v (%v)", page.Data, err)
		}
	})
}

func TestLinksAreVoidAfterAChange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		invitation, err := w.registry.Invite(t.Context(), admin, acme, counterfoil.MemberDraft{Email: "bob@example.com", Name: "Bob"})
		if err != nil {
			t.Fatal(err)
		}
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		reset, err := w.registry.LinkMember(t.Context(), admin, acme, ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		owner := []string{"owner"}
		for _, id := range []string{invitation.Member.ID, ann.ID} {
			if _, _, err := w.registry.EditMember(t.Context(), admin, acme, id, counterfoil.MemberEdit{Roles: &owner}); err != nil {
				t.Fatal(err)
			}
		}
		if _, found, _ := w.Invitation(t.Context(), w.ticketIn(invitation.URL, "/invitation")); found {
			t.Error("an invitation opens more than what its maker saw")
		}
		if _, found, _ := w.ResetLink(t.Context(), w.ticketIn(reset.URL, "/reset")); found {
			t.Error("a link to set a password opens more than what its maker saw")
		}
	})
}

func TestResetByMail(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.member(bolt, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		refused(t, w.RequestReset(t.Context(), "ann@example.com", home), counterfoil.CodeInvalidRequest, "sends no mail")
		in := w.mails()
		s := w.signIn("ann@example.com", good)
		secret, _ := w.enrol(s)
		half, err := w.SignIn(t.Context(), "ann@example.com", good, home)
		if err != nil {
			t.Fatal(err)
		}
		w.events(bolt)
		for _, email := range []string{"nobody@example.com", " ANN@example.com"} {
			if err := w.RequestReset(t.Context(), email, home); err != nil {
				t.Fatal(err)
			}
		}
		to, body := w.letter(in)
		if to != "ann@example.com" {
			t.Errorf("mailed to %s", to)
		}
		w.Close()
		if len(in.Got) != 0 {
			t.Error("nobody got mail")
		}
		ticket := w.ticketIn(body, "/reset")
		if email, found, err := w.ResetLink(t.Context(), ticket); email != "ann@example.com" || !found || err != nil {
			t.Errorf("the link is %s's (%v, %v)", email, found, err)
		}
		refused(t, w.ResetPassword(t.Context(), ticket, "short", home), counterfoil.CodeValidationFailed, "10 characters")
		if err := w.ResetPassword(t.Context(), ticket, other, home); err != nil {
			t.Fatal(err)
		}
		w.expectEvents(bolt, "password/password_reset_requested", "sessions/session_ended", "password/password_reset_successful")
		refused(t, w.ResetPassword(t.Context(), ticket, good, home), counterfoil.CodeNotFound, "used already")
		if _, err := w.Account(t.Context(), s); err == nil {
			t.Error("a session outlived the reset")
		}
		_, err = w.SignIn(t.Context(), "ann@example.com", good, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "")
		_, err = w.SignInTOTP(t.Context(), half.Ticket, w.code(secret), home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Begin again")
		if out, err := w.SignIn(t.Context(), "ann@example.com", other, home); err != nil || out.Ticket == "" {
			t.Errorf("the reset took the second factor away: %+v, %v", out, err)
		}
		for range 2 {
			if err := w.RequestReset(t.Context(), "ann@example.com", home); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, w.RequestReset(t.Context(), "ann@example.com", home), counterfoil.CodeRateLimited, "Wait")
		_, body = w.letter(in)
		late := w.ticketIn(body, "/reset")
		w.Close()
		w.later(time.Hour)
		refused(t, w.ResetPassword(t.Context(), late, good, home), counterfoil.CodeNotFound, "too old")
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		s, elsewhere := w.signIn("ann@example.com", good), w.signIn("ann@example.com", good)
		w.events(acme)
		refused(t, w.ChangePassword(t.Context(), s, other, other, home), counterfoil.CodeValidationFailed, "present password")
		refused(t, w.ChangePassword(t.Context(), s, good, "Acme-2026-01!", home), counterfoil.CodeValidationFailed, "")
		if err := w.ChangePassword(t.Context(), s, good, other, home); err != nil {
			t.Fatal(err)
		}
		w.expectEvents(acme, "sessions/session_ended", "password/password_changed")
		if _, err := w.Account(t.Context(), elsewhere); err == nil {
			t.Error("another session outlived the change")
		}
		if _, err := w.Account(t.Context(), s); err != nil {
			t.Errorf("the session that changed it ended: %v", err)
		}
		w.signIn("ann@example.com", other)
		_, err := w.SignIn(t.Context(), "ann@example.com", good, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "")
	})
}

func TestEnter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive, "owner")
		w.member(bolt, "ann@example.com", counterfoil.MemberActive, "owner")
		invited := w.member(acme, "bob@example.com", counterfoil.MemberInvited)
		w.password(ann.UserID, good)
		create := func(org, member, back string) (counterfoil.ConsoleSession, error) {
			return w.registry.CreateConsoleSession(t.Context(), admin, org, counterfoil.ConsoleSessionDraft{Member: member, ReturnURL: back})
		}
		for _, c := range []struct{ org, member, back, words string }{
			{acme, invited.ID, "", "/member"}, {bolt, ann.ID, "", "/member"}, {acme, "mem_x", "", "/member"},
			{acme, ann.ID, "http://product.example/", "/return_url"}, {acme, ann.ID, "javascript:alert(1)", "/return_url"}, {acme, ann.ID, "//product.example", "/return_url"},
			{acme, ann.ID, "https://user:pass@product.example", "/return_url"}, {acme, ann.ID, "https://", "/return_url"}, {acme, ann.ID, "https:///x", "/return_url"},
		} {
			_, err := create(c.org, c.member, c.back)
			refused(t, err, counterfoil.CodeValidationFailed, c.words)
		}
		for _, back := range []string{"", "http://localhost:3000/x", "http://127.0.0.1/", "http://[::1]:8/"} {
			if _, err := create(acme, ann.ID, back); err != nil {
				t.Errorf("return to %q: %v", back, err)
			}
		}
		made, err := create(acme, ann.ID, "https://product.example/settings?a=b")
		if err != nil || !made.ExpiresAt.Equal(w.store.Now().Time().Add(time.Minute)) {
			t.Fatalf("made %+v, %v", made, err)
		}
		ticket := w.ticketIn(made.URL, "/enter")
		w.events(acme)
		w.events(bolt)
		out, err := w.Enter(t.Context(), ticket, home)
		if err != nil || out.ReturnURL != "https://product.example/settings?a=b" {
			t.Fatalf("entered: %+v, %v", out, err)
		}
		w.expectEvents(acme, "login/user_login_successful product")
		w.expectEvents(bolt)
		_, err = w.Enter(t.Context(), ticket, home)
		refused(t, err, counterfoil.CodeNotFound, "good once")
		s := w.session(out.Value)
		if list, err := w.Memberships(t.Context(), s); err != nil || len(list) != 1 || list[0].Organization.ID != acme {
			t.Errorf("the session opens %+v (%v), want Acme alone", list, err)
		}
		if s.Method != "product" || s.ReturnURL != out.ReturnURL || !s.Fresh(w.store.Now().Time()) {
			t.Errorf("the session is %+v", s)
		}

		// What Ann signs in with is hers: the product's word opens none of it.
		_, totpErr := w.BeginTOTP(t.Context(), s)
		_, othersErr := w.EndOthers(t.Context(), s, home)
		for what, err := range map[string]error{"password": w.ChangePassword(t.Context(), s, good, other, home), "device": totpErr, "other sessions": othersErr} {
			if err != error(identity.ErrOneOrganization) {
				t.Errorf("%s: %v", what, err)
			}
		}
		own := w.signIn("ann@example.com", good)
		if list, err := w.Sessions(t.Context(), s); err != nil || len(list) != 1 {
			t.Errorf("it sees %d sessions (%v), want itself", len(list), err)
		}
		refused(t, w.EndSession(t.Context(), s, own.ID, home), counterfoil.CodeNotFound, "")
		w.later(11 * time.Minute)
		refused(t, w.Confirm(t.Context(), s, identity.Proof{Password: good}, home), counterfoil.CodeMissingCredentials, "")
		if f, err := w.Confirmations(t.Context(), s); err != nil || strings.Join(f, " ") != "product" {
			t.Errorf("confirmed by %v (%v)", f, err)
		}

		late, err := create(acme, ann.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		w.later(time.Minute)
		_, err = w.Enter(t.Context(), w.ticketIn(late.URL, "/enter"), home)
		refused(t, err, counterfoil.CodeNotFound, "good once")
		gone, err := create(acme, ann.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		w.member(acme, "carl@example.com", counterfoil.MemberActive, "owner")
		suspended := counterfoil.MemberSuspended
		if _, _, err := w.registry.EditMember(t.Context(), admin, acme, ann.ID, counterfoil.MemberEdit{Status: &suspended}); err != nil {
			t.Fatal(err)
		}
		_, err = w.Enter(t.Context(), w.ticketIn(gone.URL, "/enter"), home)
		refused(t, err, counterfoil.CodeNotFound, "good once")
		if list, err := w.Memberships(t.Context(), s); err != nil || len(list) != 0 {
			t.Errorf("suspended, the session opens %+v (%v)", list, err)
		}
	})
}

// Somebody who lost everything that they sign in with is let in again by a link, and by nothing else any more.
func TestResetSignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme, bolt := w.organization("Acme"), w.organization("Bolt")
		ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
		w.password(ann.UserID, good)
		value := ""
		if out, err := w.SignIn(t.Context(), "ann@example.com", good, home); err != nil {
			t.Fatal(err)
		} else {
			value = out.Value
		}
		_, codes := w.enrol(w.session(value))
		half, err := w.SignIn(t.Context(), "ann@example.com", good, home)
		if err != nil {
			t.Fatal(err)
		}
		w.events(acme)
		link, err := w.registry.ResetSignIn(t.Context(), admin, acme, ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.expectEvents(acme, "totp/device_deleted", "password/password_reset_requested")
		if _, found, _ := w.Session(t.Context(), value, home); found {
			t.Error("a session from before is good")
		}
		_, err = w.SignInRecovery(t.Context(), half.Ticket, codes[0], home)
		refused(t, err, counterfoil.CodeMissingCredentials, "Begin again")
		_, err = w.SignIn(t.Context(), "ann@example.com", good, home)
		refused(t, err, counterfoil.CodeMissingCredentials, "do not belong together")

		w.member(bolt, "ann@example.com", counterfoil.MemberActive) // the operator's link is no organization's
		const next = "quite another sentence"
		if err := w.ResetPassword(t.Context(), w.ticketIn(link.URL, "/reset"), next, home); err != nil {
			t.Fatal(err)
		}
		w.signIn("ann@example.com", next)

		invited, err := w.registry.Invite(t.Context(), admin, acme, counterfoil.MemberDraft{Email: "bob@example.com", Name: "Bob"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.registry.ResetSignIn(t.Context(), admin, acme, invited.Member.ID)
		refused(t, err, counterfoil.CodeInvalidRequest, "not joined")
	})
}

// Whoever reads somebody's mails may hold a link from before their sign-in was reset. It opens nothing any more.
func TestResetSignInVoidsMailedLinks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		acme := w.organization("Acme")
		ann, olga := w.member(acme, "ann@example.com", counterfoil.MemberActive), w.member(acme, "olga@example.com", counterfoil.MemberActive, counterfoil.RoleOwner)
		w.password(ann.UserID, good)
		w.password(olga.UserID, good)
		in := w.mails()
		if err := w.RequestReset(t.Context(), "ann@example.com", home); err != nil {
			t.Fatal(err)
		}
		_, body := w.letter(in)
		mailed := w.ticketIn(body, "/reset")
		owner := registry.Caller{Session: w.signIn("olga@example.com", good).ID, Member: olga.ID, Organization: acme, Kind: counterfoil.KindPersonal}
		link, err := w.registry.ResetSignIn(t.Context(), owner, acme, ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		for ticket, want := range map[string]bool{mailed: false, w.ticketIn(link.URL, "/reset"): true} {
			if _, found, err := w.ResetLink(t.Context(), ticket); found != want || err != nil {
				t.Errorf("the link is good: %v (%v), want %v", found, err, want)
			}
		}
	})
}
