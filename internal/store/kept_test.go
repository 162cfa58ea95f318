package store

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func testSettings(t *testing.T, s *fixture) {
	name := NewID("setting")
	expect := func(want string, there bool) {
		t.Helper()
		got, found, err := s.Setting(t.Context(), name)
		if got != want || found != there || err != nil {
			t.Errorf("setting: %q, %v, %v; want %q, %v", got, found, err, want, there)
		}
		inside, ok := lookUp(t, s, "", func(tx *Tx) (string, bool, error) { return tx.Setting(name) })
		if inside != want || ok != there {
			t.Errorf("inside a transaction: %q, %v; want %q, %v", inside, ok, want, there)
		}
	}
	once := func(value string) (first bool) {
		s.write(t, "", func(tx *Tx) (err error) {
			first, err = tx.SetSettingOnce(name, value)
			return err
		})
		return first
	}
	expect("", false)
	if !once("a") || once("b") {
		t.Error("SetSettingOnce did not write just once")
	}
	expect("a", true)
	s.write(t, "", func(tx *Tx) error { return tx.SetSetting(name, "") })
	expect("", true)
	if once("c") {
		t.Error("SetSettingOnce replaced an empty value")
	}
}

func testAnswers(t *testing.T, s *fixture) {
	caller := NewID("tok")
	want := Answer{Digest: "d", Token: "tok_1", Body: `{"a":1}`}
	keep := func(key string, a Answer) error {
		return s.Update(t.Context(), "", ForTokens, func(tx *Tx) error { return tx.KeepAnswer(caller, key, a) })
	}
	if err := firstError(keep("k", want), keep("l", Answer{})); err != nil {
		t.Fatal(err)
	}
	expect := func(when, caller, key string, want Answer, there bool) {
		t.Helper()
		got, found := lookUp(t, s, "", func(tx *Tx) (Answer, bool, error) { return tx.Answered(caller, key) })
		if found != there || got != want {
			t.Errorf("%s: %+v, %v", when, got, found)
		}
	}
	expect("at once", caller, "k", want, true)
	expect("another caller", NewID("tok"), "k", Answer{}, false)
	expect("another key", caller, "K", Answer{}, false)
	s.later(24*time.Hour - time.Microsecond)
	expect("just before a day", caller, "k", want, true)
	if err := keep("k", Answer{Digest: "e"}); err != ErrTaken {
		t.Errorf("keeping another answer just before a day: %v", err)
	}
	if err := s.PruneAnswers(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("pruned too early", caller, "k", want, true)
	s.later(time.Microsecond)
	expect("after a day", caller, "k", Answer{}, false)
	if err := keep("k", Answer{Digest: "f"}); err != nil {
		t.Errorf("keeping another answer after a day: %v", err)
	}
	if err := s.PruneAnswers(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("the new one", caller, "k", Answer{Digest: "f"}, true)
	count := read(t, s, "", func(tx *Tx) (n int64, err error) {
		return n, tx.q.row("SELECT COUNT(*) FROM idempotency WHERE caller = $1", caller).Scan(&n)
	})
	if count != 1 {
		t.Errorf("%d answers are left after pruning, want 1", count)
	}
}

func testReceiptsAndRefusals(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	id := NewID("rcp")
	receipt := func() (answer string) {
		read(t, s, "", func(tx *Tx) (_ struct{}, err error) {
			owner, stored, found, err := tx.Receipt(id)
			if answer = stored; owner != org || !found {
				t.Errorf("receipt of %q, found %v", owner, found)
			}
			return struct{}{}, err
		})
		return answer
	}
	read(t, s, org, func(tx *Tx) (_ struct{}, err error) {
		owner, answer, found, err := tx.Receipt(id)
		if owner != "" || answer != "" || found {
			t.Errorf("a receipt that was never saved: %q, %q, %v", owner, answer, found)
		}
		return struct{}{}, err
	})
	for _, want := range []string{`{"complete":false}`, `{"complete":true}`} {
		s.write(t, org, func(tx *Tx) error { return tx.SaveReceipt(id, want) })
		if got := receipt(); got != want {
			t.Errorf("receipt %s, want %s", got, want)
		}
	}
	s.write(t, "", func(tx *Tx) error {
		return tx.In(org, func(tx *Tx) error { return tx.SaveReceipt(id, "in") })
	})
	if got := receipt(); got != "in" {
		t.Errorf("receipt %s, want the one that was saved by In", got)
	}
	if err := s.Update(t.Context(), other, ForTokens, func(tx *Tx) error { return tx.SaveReceipt(id, "stolen") }); err != ErrTaken {
		t.Errorf("another organization's receipt: %v, want ErrTaken", err)
	}

	// Of two, the first counts that says more than what is there.
	replaced := func(org, answer, part string) (ok bool) {
		s.write(t, org, func(tx *Tx) (err error) { ok, err = tx.ReplaceReceipt(id, answer, part); return err })
		return ok
	}
	if replaced(other, "stolen", "in") || replaced(org, "late", "no such part") || receipt() != "in" {
		t.Errorf("receipt %s, want the one that was there", receipt())
	}
	if !replaced(org, "first", "in") || replaced(org, "second", "in ") || receipt() != "first" {
		t.Errorf("receipt %s, want the first", receipt())
	}

	want := Refusal{ID: NewID("ref"), Organization: org, Token: "tok_1", Code: "ip_denied", IP: "192.0.2.1", Endpoint: "GET /x",
		Permissions: []string{"b:read", "a:read"}, FirstAt: epoch, LastAt: epoch, Count: 1, Trace: "[]"}
	save := func(org string, r Refusal) error {
		return s.Update(t.Context(), org, ForTokens, func(tx *Tx) error { return tx.SaveRefusal(r) })
	}
	if err := save(org, want); err != nil {
		t.Fatal(err)
	}
	again := want
	again.LastAt, again.Count, again.Token, again.FirstAt, again.Organization = epoch+9, 5, "tok_2", epoch+5, other
	if err := save(org, again); err != nil {
		t.Fatal(err)
	}
	want.LastAt, want.Count = epoch+9, 5
	if err := save(other, Refusal{ID: want.ID, Count: 77}); err != ErrTaken {
		t.Errorf("another organization's refusal: %v, want ErrTaken", err)
	}
	if got := present(t, s, org, func(tx *Tx) (Refusal, bool, error) { return tx.Refusal(want.ID) }); !reflect.DeepEqual(got, want) {
		t.Errorf("refusal %+v, want %+v", got, want)
	}
}

func testUses(t *testing.T, s *fixture) {
	org := s.organization(t)
	token, quiet, revoked, system := newToken(tokenID()), newToken(tokenID()), newToken(tokenID()), newToken(tokenID())
	system.Kind = counterfoil.KindSystem
	s.write(t, org, func(tx *Tx) error {
		revoked.Version, revoked.RevokedAt = 1, epoch
		return firstError(tx.InsertToken(token), tx.InsertToken(quiet), tx.InsertToken(system), tx.InsertToken(revoked), tx.UpdateToken(revoked))
	})
	day := func(n int) counterfoil.Instant {
		return counterfoil.At(time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC))
	}
	note := func(uses ...Use) {
		t.Helper()
		if err := s.RecordUses(t.Context(), uses); err != nil {
			t.Fatal(err)
		}
	}
	last := func() Use {
		return read(t, s, org, func(tx *Tx) (Use, error) { return tx.LastUse(token.ID) })
	}
	since := func(at counterfoil.Instant) (out string) {
		for _, u := range read(t, s, org, func(tx *Tx) ([]Use, error) { return tx.UsesSince(counterfoil.KindPersonal, at) }) {
			if u.Token != token.ID || u.At != 0 {
				t.Errorf("an unexpected use %+v", u)
			}
			out += fmt.Sprintf("%s:%d ", u.IP, u.Count)
		}
		return out
	}
	if u := last(); u != (Use{}) {
		t.Errorf("never used, last used %+v", u)
	}
	note(Use{token.ID, "b", day(2) + 5, 3, 0}, Use{token.ID, "a", day(2) + 7, 1, 0}, Use{token.ID, "b", day(3) - 1, 4, 0})
	note(Use{token.ID, "", day(3), 1, 0}, Use{revoked.ID, "a", day(3), 9, 0}, Use{system.ID, "a", day(3), 9, 0}, Use{tokenID(), "a", day(3), 9, 0})
	for _, c := range []struct {
		use  Use
		want Use
	}{
		{Use{token.ID, "older", day(3) - 1, 1, 0}, Use{token.ID, "", day(3), 0, 0}},
		{Use{token.ID, "same", day(3), 1, 0}, Use{token.ID, "same", day(3), 0, 0}},
		{Use{token.ID, "newer", day(3) + 1, 1, 0}, Use{token.ID, "newer", day(3) + 1, 0, 0}},
	} {
		note(c.use)
		if u := last(); u != c.want {
			t.Errorf("after %+v last used %+v, want %+v", c.use, u, c.want)
		}
	}
	for at, want := range map[counterfoil.Instant]string{
		0: ":1 a:1 b:7 newer:1 older:1 same:1 ", day(3): ":1 newer:1 same:1 ", day(3) + 99: ":1 newer:1 same:1 ", day(4): "",
	} {
		if got := since(at); got != want {
			t.Errorf("uses since %v: %s, want %s", at.Time(), got, want)
		}
	}
	var many []Use
	for i := range maxUseAddresses + 50 {
		many = append(many, Use{token.ID, fmt.Sprintf("%03d", i), day(5), 2, 0})
	}
	note(many...)
	note(many...)
	listed := read(t, s, org, func(tx *Tx) ([]Use, error) { return tx.UsesSince(counterfoil.KindPersonal, day(5)) })
	var total int64
	for _, u := range listed {
		total += u.Count
	}
	if len(listed) != maxUseAddresses+1 || total != 4*int64(len(many)) || listed[0].IP != "" || listed[0].Count != 4*50 {
		t.Errorf("%d addresses, %d uses, %d from those past the limit", len(listed), total, listed[0].Count)
	}
	for i := range 2 { // at first none of the rows is there
		note(Use{token.ID, "both", day(6) + 2, 1, 0}, Use{token.ID, "both", day(6) + 1, 2, day(9)}, Use{token.ID, "one", day(6), 4, 0})
		if got, want := since(day(6)), fmt.Sprintf("both:%d one:%d ", 3*(i+1), 4*(i+1)); got != want {
			t.Errorf("two values from one address: %s, want %s", got, want)
		}
		if u := last(); u != (Use{token.ID, "both", day(6) + 2, 0, 0}) {
			t.Errorf("of several uses in one portion the last is %+v", u)
		}
	}
	if err := s.PruneUses(t.Context(), day(3)+1); err != nil {
		t.Fatal(err)
	}
	if got, want := since(0), since(day(3)); got != want {
		t.Errorf("after pruning %s, want %s", got, want)
	}
}
