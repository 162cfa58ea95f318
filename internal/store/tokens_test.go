package store

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// tokenID makes an id of the shape that tokens have: letters of both cases, so that its order tells collations apart.
func tokenID() string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	raw := make([]byte, 12)
	_, _ = rand.Read(raw)
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return "tok_" + string(raw)
}

func newToken(id string) Token {
	t := Token{ID: id, Kind: counterfoil.KindPersonal, Name: "CI", Hint: "cfl_pat_" + id[4:12] + "…x9Qk", Permissions: counterfoil.NewPermissions("devices:read"),
		KeyID: 1, CreatedAt: epoch, CreatedBy: "mem_1", RenewedAt: epoch}
	for i := range t.Digest {
		t.Digest[i] = byte(i) + id[4]
	}
	return t
}

// full is a token with something in every field that an insert writes.
func full(org string) Token {
	t := newToken(tokenID())
	t.Organization, t.Kind, t.Integration, t.Owner = org, counterfoil.KindIntegration, counterfoil.IntegrationSplunk, "mem_2"
	t.Name, t.Permissions, t.IPFilter = "Ärger 'n' \"quotes\" %_\\ 雪", counterfoil.NewPermissions("b:read", "a:write"), "ipf_1"
	t.Paused, t.Held, t.KeyID, t.ExpiresAt, t.Version = true, true, 200, epoch.Plus(60), 1
	return t
}

func testTokenKept(t *testing.T, s *fixture) {
	org := s.organization(t)
	want := full(org)
	s.write(t, org, func(tx *Tx) error { return tx.InsertToken(want) })
	find := func(tx *Tx) (Token, bool, error) { return tx.Token(want.ID) }
	if got := present(t, s, org, find); !reflect.DeepEqual(got, want) {
		t.Errorf("inserted %+v\nread     %+v", want, got)
	}
	want.Name, want.Hint, want.Permissions, want.IPFilter, want.Paused, want.Held = "other", "h", counterfoil.Permissions{}, "", true, false
	want.Previous, want.PreviousKeyID, want.PreviousUntil = want.Digest, want.KeyID, epoch.Plus(5)
	want.Digest[0]++
	want.KeyID, want.RenewedAt, want.ExpiresAt = 7, epoch+1, 0
	want.RevokedAt, want.RevokedBy, want.RevokedReason, want.Receipt = epoch+2, "mem_3", "lost", "rcp_1"
	s.write(t, org, func(tx *Tx) error { return tx.UpdateToken(want) })
	want.Version = 2
	if got := present(t, s, org, find); !reflect.DeepEqual(got, want) {
		t.Errorf("updated to %+v\nread       %+v", want, got)
	}
	changed := want
	changed.Kind, changed.Integration, changed.Owner, changed.CreatedAt, changed.CreatedBy = counterfoil.KindSystem, "", "mem_9", 1, "x"
	s.write(t, org, func(tx *Tx) error { return tx.UpdateToken(changed) })
	want.Version = 3
	if got := present(t, s, org, find); !reflect.DeepEqual(got, want) {
		t.Errorf("what is fixed at creation was changed:\n%+v", got)
	}
}

func testTokenVersions(t *testing.T, s *fixture) {
	org := s.organization(t)
	token := newToken(tokenID())
	s.write(t, org, func(tx *Tx) error { return tx.InsertToken(token) })
	for _, c := range []struct {
		name    string
		id      string
		version int64
		want    error
	}{
		{"the version that was read", token.ID, 1, nil},
		{"that version once more", token.ID, 1, ErrStale},
		{"one from the future", token.ID, 3, ErrStale},
		{"the zero version", token.ID, 0, ErrStale},
		{"a token that is not there", tokenID(), 1, ErrStale},
	} {
		err := s.Update(t.Context(), org, ForTokens, func(tx *Tx) error {
			if _, _, err := tx.TokenForUpdate(c.id); err != nil {
				return err
			}
			changed := newToken(c.id)
			changed.Name, changed.Version = c.name, c.version
			tx.Append(counterfoil.Event{Type: "tokens", Action: "token_updated"})
			return tx.UpdateToken(changed)
		})
		if err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	got := present(t, s, org, func(tx *Tx) (Token, bool, error) { return tx.Token(token.ID) })
	if got.Version != 2 || got.Name != "the version that was read" {
		t.Errorf("version %d of %q", got.Version, got.Name)
	}
	events := read(t, s, org, func(tx *Tx) ([]counterfoil.Event, error) { return eventsIn(tx, 10) })
	if len(events) != 1 {
		t.Errorf("%d events for one change", len(events))
	}
}

func testRevokeTokens(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	s.later(1)
	tokens := map[string]Token{}
	for name, owner := range map[string]string{"one": "mem_1", "two": "mem_1", "three": "mem_2", "four": ""} {
		token := newToken(tokenID())
		token.Owner, token.Name = owner, name
		tokens[name] = token
		s.write(t, org, func(tx *Tx) error { return tx.InsertToken(token) })
	}
	s.write(t, other, func(tx *Tx) error {
		token := newToken(tokenID())
		token.Owner = "mem_1"
		return tx.InsertToken(token)
	})
	revoke := func(owner string) map[string]bool {
		got := map[string]bool{}
		s.write(t, org, func(tx *Tx) error {
			list, err := tx.RevokeTokens(owner, "mem_9", "left", "rcp_1")
			for _, r := range list {
				got[r.Name] = r.RevokedAt == tx.Now() && r.RevokedBy == "mem_9" && r.RevokedReason == "left" && r.Receipt == "rcp_1"
			}
			return err
		})
		return got
	}
	for _, c := range []struct {
		owner string
		want  map[string]bool
	}{
		{"mem_1", map[string]bool{"one": true, "two": true}},
		{"mem_1", map[string]bool{}},
		{"", map[string]bool{"three": true, "four": true}},
	} {
		if got := revoke(c.owner); !reflect.DeepEqual(got, c.want) {
			t.Errorf("revoking those of %q: %v, want %v", c.owner, got, c.want)
		}
	}
	stored := present(t, s, org, func(tx *Tx) (Token, bool, error) { return tx.Token(tokens["one"].ID) })
	if stored.RevokedAt == 0 || stored.RevokedReason != "left" || stored.Version != 2 {
		t.Errorf("stored %+v", stored)
	}
	list := tokensOf(t, s, other)
	if len(list) != 1 {
		t.Error("the other organization's token was revoked")
	}
}

func testPrefixInUse(t *testing.T, s *fixture) {
	token := newToken(tokenID())
	token.Hint = "acme1_org_" + token.ID[4:12] + "…x9Qk"
	s.write(t, s.organization(t), func(tx *Tx) error { return tx.InsertToken(token) })
	for prefix, want := range map[string]bool{"acme1": true, "acme": false, "acme12": false, "acme_": false, "%": false} {
		used, other, err := s.PrefixInUse(t.Context(), prefix)
		if used != want || err != nil || (other == "") != want || strings.Contains(other, "_") {
			t.Errorf("%s: %v, %q, %v; want %v", prefix, used, other, err, want)
		}
	}
}

func testLookUp(t *testing.T, s *fixture) {
	org := s.organization(t)
	token := full(org)
	system := newToken(tokenID())
	system.Kind = counterfoil.KindSystem
	s.write(t, org, func(tx *Tx) error { return tx.InsertToken(token) })
	s.write(t, "", func(tx *Tx) error { return tx.InsertToken(system) })
	for _, want := range []Token{token, system} {
		want.Version = 1
		got, found, err := s.LookUp(t.Context(), want.ID)
		if err != nil || !found || !reflect.DeepEqual(got, want) {
			t.Errorf("LookUp: %+v, %v, %v; want %+v", got, found, err, want)
		}
		var by Token
		s.write(t, s.organization(t), func(tx *Tx) (err error) {
			by, found, err = tx.Credential(want.ID)
			return err
		})
		if !found || !reflect.DeepEqual(by, want) {
			t.Errorf("Credential: %+v, %v; want %+v", by, found, want)
		}
	}
	for _, id := range []string{tokenID(), "", strings.ToUpper(token.ID), token.ID + " ", "tok_%", "' OR 1=1 --"} {
		if _, found, err := s.LookUp(t.Context(), id); found || err != nil {
			t.Errorf("LookUp(%q): %v, %v", id, found, err)
		}
	}
}

func testTokenCursor(t *testing.T, s *fixture) {
	org := s.organization(t)
	for range 3 {
		s.write(t, org, func(tx *Tx) error { return tx.InsertToken(newToken(tokenID())) })
	}
	page := func(f TokenFilter) (next string, err error) {
		err = s.View(t.Context(), org, func(tx *Tx) (err error) {
			_, next, err = tx.Tokens(f)
			return err
		})
		return next, err
	}
	byName, err := page(TokenFilter{Sort: "name", Limit: 1})
	if err != nil || byName == "" {
		t.Fatalf("%q, %v", byName, err)
	}
	byAge, err := page(TokenFilter{Limit: 1})
	if err != nil || byAge == "" {
		t.Fatalf("%q, %v", byAge, err)
	}
	made := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	for _, c := range []struct{ sort, cursor string }{
		{"", byName}, {"name", byAge}, {"expires_at", byAge}, {"", "%"}, {"", made("{}")}, {"", made(`["",1]`)}, {"", made(`["","1","tok_1"]`)},
		{"name", made(`["name",1,"tok_1"]`)}, {"", made(`["",1.5,"tok_1"]`)}, {"", made(`["",1e99,"tok_1"]`)}, {"", made(`["",1,2]`)},
		{"", made(`["",null,"tok_1"]`)}, {"name", made(`["name","a",1]`)}, {"", byAge[:len(byAge)-4]},
	} {
		if _, err := page(TokenFilter{Sort: c.sort, Cursor: c.cursor, Limit: 1}); !errors.Is(err, ErrCursor) || isUnavailable(err) {
			t.Errorf("sort %q, cursor %q: %v, want ErrCursor", c.sort, c.cursor, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(makeCursor("", int64(5), "tok_1"), "")
	f.Add(makeCursor("name", "ä\x00", "tok_1"), "name")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`["",1e5,"tok_1"]`)), "")
	f.Fuzz(func(t *testing.T, cursor, sort string) {
		key, id, err := openCursor(cursor, sort)
		if err != nil {
			if err != ErrCursor {
				t.Errorf("%q: %v", cursor, err)
			}
			return
		}
		again, sameID, err := openCursor(makeCursor(sort, key, id), sort)
		if again != key || sameID != id || err != nil {
			t.Errorf("%v, %q became %v, %q (%v)", key, id, again, sameID, err)
		}
	})
}
