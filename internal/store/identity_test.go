package store

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func testSessions(t *testing.T, s *fixture) {
	ann, bob := NewID("usr"), NewID("usr")
	make := func(user, digest string) Session {
		x := Session{ID: NewID("ses"), User: user, Organization: "org_1", Method: "password", ReturnURL: "https://product.example", IP: "192.0.2.1", UserAgent: "UA",
			CreatedAt: s.Now(), SeenAt: s.Now(), ConfirmedAt: s.Now(), EndsAt: s.Now().Plus(3600)}
		s.write(t, "", func(tx *Tx) error { return tx.InsertSession(x, []byte(digest+user)) })
		return x
	}
	find := func(id string) (Session, bool) {
		return lookUp(t, s, "", func(tx *Tx) (Session, bool, error) { return tx.Session(id) })
	}
	first := make(ann, "1")
	if got, found := find(first.ID); !found || !reflect.DeepEqual(got, first) {
		t.Errorf("stored %+v, want %+v", got, first)
	}
	if got, _ := lookUp(t, s, "", func(tx *Tx) (Session, bool, error) { return tx.SessionByDigest([]byte("1" + ann)) }); got != first {
		t.Errorf("by digest %+v, want %+v", got, first)
	}
	if _, found := lookUp(t, s, "", func(tx *Tx) (Session, bool, error) { return tx.SessionByDigest([]byte("2" + ann)) }); found {
		t.Error("another digest is found")
	}
	second, third, other := make(ann, "2"), make(ann, "3"), make(bob, "1")
	s.later(time.Minute)
	s.write(t, "", func(tx *Tx) error {
		ok, err := tx.ConfirmSession(second.ID)
		if !ok {
			t.Error("a session that is there is not confirmed")
		}
		gone, err2 := tx.ConfirmSession(NewID("ses"))
		if gone {
			t.Error("a session that is not there is confirmed")
		}
		return firstError(err, err2, tx.TouchSession(first.ID, "192.0.2.2", "UA 2"))
	})
	touched, confirmed := first, second
	touched.SeenAt, touched.IP, touched.UserAgent, confirmed.ConfirmedAt = s.Now(), "192.0.2.2", "UA 2", s.Now()
	list := read(t, s, "", func(tx *Tx) ([]Session, error) { return tx.SessionsOf(ann) })
	if want := []Session{third, confirmed, touched}; !reflect.DeepEqual(list, want) {
		t.Errorf("Ann's sessions are\n%+v, want\n%+v", list, want)
	}
	s.write(t, "", func(tx *Tx) error {
		if ok, err := tx.DeleteSession(bob, first.ID); ok || err != nil {
			t.Errorf("Bob ended Ann's session: %v, %v", ok, err)
		}
		ok, err := tx.DeleteSession(ann, third.ID)
		if !ok {
			t.Error("Ann did not end hers")
		}
		return firstError(err, tx.DeleteSessions(ann, second.ID))
	})
	for id, want := range map[string]bool{first.ID: false, second.ID: true, third.ID: false, other.ID: true} {
		if _, found := find(id); found != want {
			t.Errorf("session %s: found %v, want %v", id, found, want)
		}
	}
	s.later(time.Hour)
	if list := read(t, s, "", func(tx *Tx) ([]Session, error) { return tx.SessionsOf(ann) }); len(list) != 0 {
		t.Errorf("sessions whose time is over are listed: %+v", list)
	}
	if err := s.PruneSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found := find(second.ID); found {
		t.Error("a session whose time is over is kept")
	}
}

func testTickets(t *testing.T, s *fixture) {
	user, digest := NewID("usr"), []byte(NewID("x"))
	want := Ticket{Kind: "invite", User: user, Organization: "org_1", Data: `{"a":1}`, CreatedAt: s.Now(), ExpiresAt: s.Now().Plus(60)}
	insert := func(x Ticket, digest []byte) {
		s.write(t, "", func(tx *Tx) error { return tx.InsertTicket(x, digest) })
	}
	look := func(kind string, digest []byte) (Ticket, bool) {
		return lookUp(t, s, "", func(tx *Tx) (Ticket, bool, error) { return tx.Ticket(kind, digest) })
	}
	insert(want, digest)
	if got, found := look("invite", digest); !found || got != want {
		t.Errorf("looked at %+v, want %+v", got, want)
	}
	if _, found := look("reset", digest); found {
		t.Error("a ticket of another kind is found")
	}
	want.Data = `{"a":2}`
	s.write(t, "", func(tx *Tx) error { return tx.SetTicketData(digest, want.Data) })
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var got bool
			err := s.Update(t.Context(), "", ForTokens, func(tx *Tx) error {
				x, found, err := tx.TakeTicket("invite", digest)
				if got = found; found && x != want {
					return fmt.Errorf("took %+v, want %+v", x, want)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if got {
				taken.Add(1)
			}
		})
	}
	if all.Wait(); taken.Load() != 1 {
		t.Errorf("%d of 8 took the ticket, want 1", taken.Load())
	}

	insert(want, digest)
	s.later(time.Minute)
	if _, found := look("invite", digest); found {
		t.Error("an expired ticket is found")
	}
	s.write(t, "", func(tx *Tx) error {
		if _, found, err := tx.TakeTicket("invite", digest); found || err != nil {
			t.Errorf("an expired ticket is taken: %v", err)
		}
		return nil
	})
	if err := s.PruneSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := read(t, s, "", func(tx *Tx) (n int64, err error) {
		return n, tx.q.row("SELECT COUNT(*) FROM tickets WHERE user_id=$1", user).Scan(&n)
	}); n != 0 {
		t.Errorf("%d expired tickets are kept", n)
	}
	here, there := Ticket{Kind: "invite", User: user, Organization: "org_1", ExpiresAt: s.Now().Plus(60)}, Ticket{Kind: "invite", User: user, Organization: "org_2", ExpiresAt: s.Now().Plus(60)}
	d1, d2 := []byte(NewID("x")), []byte(NewID("x"))
	insert(here, d1)
	insert(there, d2)
	s.write(t, "", func(tx *Tx) error {
		return firstError(tx.DeleteTickets("reset", user, ""), tx.DeleteTickets("invite", NewID("usr"), ""), tx.DeleteTickets("invite", user, "org_1"))
	})
	if _, found := look("invite", d1); found {
		t.Error("a deleted ticket is found")
	}
	if _, found := look("invite", d2); !found {
		t.Error("the other organization's ticket went too")
	}
	s.write(t, "", func(tx *Tx) error { return tx.DeleteTickets("invite", user, "") })
	if _, found := look("invite", d2); found {
		t.Error("a ticket is found after all were deleted")
	}
}

func testCredentials(t *testing.T, s *fixture) {
	ann, bob := NewID("usr"), NewID("usr")
	update := func(fn func(tx *Tx) error) { t.Helper(); s.write(t, "", fn) }
	expect := func(what string, got bool, err error, want bool) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: %v (%v), want %v", what, got, err, want)
		}
	}
	update(func(tx *Tx) error {
		return firstError(tx.SetPassword(ann, "h1"), tx.SetPassword(ann, "h2"), tx.SetPassword(bob, "h3"),
			tx.SetTOTP(ann, TOTP{Sealed: []byte("old"), KeyID: 3, LastStep: 90}), tx.SetTOTP(ann, TOTP{Sealed: []byte{0, 255}, KeyID: 255, LastStep: 10}),
			tx.SetRecoveryCodes(ann, [][]byte{[]byte("old")}), tx.SetRecoveryCodes(ann, [][]byte{[]byte("a"), []byte("b")}), tx.SetRecoveryCodes(bob, [][]byte{[]byte("a")}))
	})
	if got, _ := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.Password(ann) }); got != "h2" {
		t.Errorf("the password is %q", got)
	}
	if _, found := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.Password(NewID("usr")) }); found {
		t.Error("a stranger has a password")
	}
	got := present(t, s, "", func(tx *Tx) (TOTP, bool, error) { return tx.TOTP(ann) })
	if want := (TOTP{[]byte{0, 255}, 255, 10, s.Now()}); !reflect.DeepEqual(got, want) {
		t.Errorf("the device is %+v, want %+v", got, want)
	}
	update(func(tx *Tx) error {
		for _, c := range []struct {
			step int64
			want bool
		}{{10, false}, {9, false}, {11, true}, {11, false}, {12, true}} {
			ok, err := tx.UseTOTPStep(ann, c.step)
			expect(fmt.Sprint("step ", c.step), ok, err, c.want)
		}
		for _, c := range []struct {
			user, code string
			want       bool
		}{{ann, "old", false}, {ann, "a", true}, {ann, "a", false}, {bob, "b", false}, {bob, "a", true}} {
			ok, err := tx.UseRecoveryCode(c.user, []byte(c.code))
			expect("code "+c.code, ok, err, c.want)
		}
		n, err := tx.RecoveryCodes(ann)
		expect("one code left", n == 1, err, true)
		ok, err := tx.DeleteTOTP(ann)
		expect("delete", ok, err, true)
		ok, err = tx.DeleteTOTP(ann)
		expect("delete again", ok, err, false)
		return nil
	})

	id := NewID("sub")
	update(func(tx *Tx) error { return tx.LinkExternalUser("https://idp", id, ann) })
	if got, _ := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.ExternalUser("https://idp", id) }); got != ann {
		t.Errorf("the subject is %q, want %q", got, ann)
	}
	for user, want := range map[string]string{ann: id, bob: ""} {
		if got, _ := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.ExternalSubject("https://idp", user) }); got != want {
			t.Errorf("%s is the subject %q, want %q", user, got, want)
		}
	}
	if _, found := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.ExternalUser("https://other", id) }); found {
		t.Error("another issuer's subject is the same person")
	}
	if err := s.Update(t.Context(), "", ForTokens, func(tx *Tx) error { return tx.LinkExternalUser("https://idp", id, bob) }); !errors.Is(err, ErrTaken) {
		t.Errorf("linking it to another: %v", err)
	}
}

func testPasskeys(t *testing.T, s *fixture) {
	ann, bob := NewID("usr"), NewID("usr")
	p := Passkey{ID: NewID("pky"), User: ann, Name: "Laptop", Credential: `{"n":1}`, CreatedAt: s.Now()}
	q := Passkey{ID: NewID("pky"), User: ann, Name: "Phone", Credential: `{}`, CreatedAt: s.Now()}
	credential := []byte(NewID("c"))
	s.write(t, "", func(tx *Tx) error {
		return firstError(tx.InsertPasskey(p, credential), tx.InsertPasskey(q, []byte(NewID("c"))))
	})
	again := p
	again.ID, again.User = NewID("pky"), bob
	if err := s.Update(t.Context(), "", ForTokens, func(tx *Tx) error { return tx.InsertPasskey(again, credential) }); !errors.Is(err, ErrTaken) {
		t.Errorf("registering one twice: %v", err)
	}
	s.later(time.Second)
	s.write(t, "", func(tx *Tx) error {
		if ok, err := tx.RenamePasskey(bob, p.ID, "Mine"); ok || err != nil {
			t.Errorf("Bob renamed Ann's: %v %v", ok, err)
		}
		if ok, err := tx.DeletePasskey(bob, p.ID); ok || err != nil {
			t.Errorf("Bob removed Ann's: %v %v", ok, err)
		}
		ok, err := tx.RenamePasskey(ann, p.ID, "Desk")
		gone, err2 := tx.DeletePasskey(ann, q.ID)
		if !ok || !gone {
			t.Errorf("renamed %v, removed %v", ok, gone)
		}
		return firstError(err, err2, tx.UsePasskey(p.ID, `{"n":2}`))
	})
	p.Name, p.Credential, p.UsedAt = "Desk", `{"n":2}`, s.Now()
	if got := read(t, s, "", func(tx *Tx) ([]Passkey, error) { return tx.Passkeys(ann) }); !reflect.DeepEqual(got, []Passkey{p}) {
		t.Errorf("Ann's passkeys are %+v, want %+v", got, p)
	}
}

func testMemberships(t *testing.T, s *fixture) {
	first, second, deleted := s.organization(t), s.organization(t), s.organization(t)
	email := first + "@example.com"
	var user string
	var ids []string
	for _, c := range []struct {
		org    string
		status counterfoil.MemberStatus
	}{{first, counterfoil.MemberActive}, {second, counterfoil.MemberSuspended}, {deleted, counterfoil.MemberActive}} {
		s.write(t, c.org, func(tx *Tx) error {
			m, err := tx.InsertMember(counterfoil.Member{Email: email, Name: c.org, Roles: []string{"owner"}, Status: c.status})
			user = m.UserID
			ids = append(ids, m.ID)
			return err
		})
	}
	s.write(t, deleted, func(tx *Tx) error { return tx.DeleteOrganization() })
	list := read(t, s, "", func(tx *Tx) ([]Membership, error) { return tx.Memberships(user) })
	if len(list) != 2 || list[0].Member.ID != ids[0] || list[0].Organization.ID != first || list[1].Member.ID != ids[1] || list[1].Organization.ID != second ||
		list[0].Member.Name != first || list[1].Member.Status != counterfoil.MemberSuspended {
		t.Errorf("the memberships are %+v, want %v in %s and %s", list, ids[:2], first, second)
	}
	want := User{user, email}
	if got := present(t, s, "", func(tx *Tx) (User, bool, error) { return tx.User(user) }); got != want {
		t.Errorf("the user is %+v, want %+v", got, want)
	}
	if got := present(t, s, "", func(tx *Tx) (User, bool, error) { return tx.UserByEmail(email) }); got != want {
		t.Errorf("by e-mail the user is %+v, want %+v", got, want)
	}
	if _, found := lookUp(t, s, "", func(tx *Tx) (User, bool, error) { return tx.UserByEmail("x" + email) }); found {
		t.Error("a stranger is found")
	}
}
