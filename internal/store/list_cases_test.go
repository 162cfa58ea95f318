package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// names lists the names of the organization's tokens that f selects, sorted.
func names(t *testing.T, s *fixture, org string, f TokenFilter) string {
	t.Helper()
	f.Sort, f.Limit = "name", 100
	list := read(t, s, org, func(tx *Tx) (l []ListedToken, err error) { l, _, err = tx.Tokens(f); return })
	var out []string
	for _, l := range list {
		out = append(out, l.Name)
	}
	return strings.Join(out, ", ")
}

func testTokenStatus(t *testing.T, s *fixture) {
	org := s.organization(t)
	now := s.Now()
	for name, change := range map[string]func(*Token){
		"active":            func(*Token) {},
		"expires next":      func(o *Token) { o.ExpiresAt = now + 1 },
		"expires now":       func(o *Token) { o.ExpiresAt = now },
		"old":               func(o *Token) { o.RenewedAt = now - 60e6 },
		"almost old":        func(o *Token) { o.RenewedAt = now - 60e6 + 1 },
		"old, other kind":   func(o *Token) { o.RenewedAt, o.Kind = now-60e6, counterfoil.KindOrganization },
		"paused":            func(o *Token) { o.Paused = true },
		"held":              func(o *Token) { o.Paused, o.Held = true, true },
		"paused, expired":   func(o *Token) { o.Paused, o.ExpiresAt = true, now-1 },
		"revoked, the rest": func(o *Token) { o.Paused, o.ExpiresAt, o.RevokedAt = true, now-1, now },
	} {
		token := newToken(tokenID())
		token.Name = name
		change(&token)
		s.write(t, org, func(tx *Tx) error {
			if err := tx.InsertToken(token); err != nil {
				return err
			}
			token.Version = 1
			return tx.UpdateToken(token)
		})
	}
	limits := map[counterfoil.Kind]int64{counterfoil.KindPersonal: 60}
	for _, c := range []struct {
		status counterfoil.Status
		limits map[counterfoil.Kind]int64
		want   []string
	}{
		{"", limits, []string{"active", "almost old", "expires next", "expires now", "held", "old", "old, other kind", "paused", "paused, expired"}},
		{counterfoil.StatusActive, limits, []string{"active", "almost old", "expires next", "old, other kind"}},
		{counterfoil.StatusActive, nil, []string{"active", "almost old", "expires next", "old", "old, other kind"}},
		{counterfoil.StatusExpired, limits, []string{"expires now", "old", "paused, expired"}},
		{counterfoil.StatusExpired, nil, []string{"expires now", "paused, expired"}},
		{counterfoil.StatusPaused, limits, []string{"held", "paused"}},
		{counterfoil.StatusRevoked, limits, []string{"revoked, the rest"}},
		{counterfoil.StatusExpired, map[counterfoil.Kind]int64{counterfoil.KindPersonal: 3155760000}, []string{"expires now", "paused, expired"}},
	} {
		slices.Sort(c.want)
		if got := names(t, s, org, TokenFilter{Status: c.status, MaxLifetime: c.limits}); got != strings.Join(c.want, ", ") {
			t.Errorf("status %q, limits %v: %s; want %s", c.status, c.limits, got, strings.Join(c.want, ", "))
		}
	}
}

func testTokenText(t *testing.T, s *fixture) {
	org := s.organization(t)
	var first Token
	for i, name := range []string{"Deploy", "deploy 100%", "100_000", `back\slash`, "ÄRGER", "ärger", "雪"} {
		token := newToken(tokenID())
		token.ID = fmt.Sprintf("tok_0123456789%s%d", token.ID[14:], i)
		token.Name, token.Hint = name, "hint"
		if first.ID == "" {
			first = token
		}
		s.write(t, org, func(tx *Tx) error { return tx.InsertToken(token) })
	}
	s.write(t, org, func(tx *Tx) error {
		first.Hint, first.Version = "cfl_pat_UNIQUE…", 1
		return tx.UpdateToken(first)
	})
	all := `100_000, Deploy, back\slash, deploy 100%, ÄRGER, ärger, 雪`
	for text, want := range map[string]string{
		"": all, "deploy": "Deploy, deploy 100%", "DEPLOY": "Deploy, deploy 100%", "%": "deploy 100%", "_000": "100_000",
		`\`: `back\slash`, "ärger": "ÄRGER, ärger", "ÄRG": "ÄRGER, ärger", "雪": "雪", "nothing": "", "TOK_0123": all,
		first.ID: "Deploy", "cfl_pat_unique": "Deploy", "'": "",
	} {
		if got := names(t, s, org, TokenFilter{Text: text}); got != want {
			t.Errorf("text %q: %s; want %s", text, got, want)
		}
	}
}
