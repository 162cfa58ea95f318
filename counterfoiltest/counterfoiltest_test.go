package counterfoiltest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

func TestSQLite(t *testing.T) { use(t, counterfoiltest.Start(t)) }

// use goes through everything that a Server offers.
func use(t *testing.T, s *counterfoiltest.Server) {
	ctx := t.Context()
	owner, err := s.Client().CurrentToken(ctx)
	if err != nil || owner.Owner == nil || owner.Owner.ID != s.Owner.ID || owner.Owner.Email != s.Owner.Email || *owner.OrganizationID != s.Organization.ID {
		t.Errorf("the owner's token is %+v, %v", owner, err)
	}
	if system, err := s.System().CurrentToken(ctx); err != nil || system.Kind != counterfoil.KindSystem {
		t.Errorf("the system token is %+v, %v", system, err)
	}
	m, c := s.Member(t, "operator", "viewer")
	if got, err := c.CurrentToken(ctx); err != nil || got.ID != m.Token.Token.ID || strings.Join(got.EffectivePermissions, " ") != "devices:read devices:write sites:read" {
		t.Errorf("the member's token is %+v, %v", got, err)
	}
	if admin, _ := s.Member(t, counterfoil.RoleAdmin); !admin.Token.Token.EffectivePermissions.Has(counterfoil.PermTokensWrite) || !admin.Token.Token.EffectivePermissions.Has("sites:write") {
		t.Errorf("the admin's token is %+v", admin.Token.Token)
	}
	other := s.NewOrganization(t, "Other")
	if _, err := other.Client().Organization(ctx, s.Organization.ID); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
		t.Errorf("another organization's owner is answered %v", err)
	}
	if theirs, _ := other.Member(t, "viewer"); *theirs.Token.Token.OrganizationID != other.ID {
		t.Errorf("the other organization's member has %+v", theirs.Token.Token)
	}
	if theirs := other.Token(t, "devices:read"); *theirs.Token.OrganizationID != other.ID {
		t.Errorf("the other organization's token is %+v", theirs.Token)
	}

	made, url, admin := s.Token(t, "devices:read"), s.URL, s.AdminURL
	s.Stop()
	s.Stop()
	if _, err := http.Get(url); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a stopped server is %v", err)
	}
	for range 2 {
		s.Restart()
		v, err := s.System().Verify(ctx, counterfoil.Question{Token: made.Secret, Endpoint: "GET /api/devices/7"})
		if err != nil || !v.Active || v.Organization.ID != s.Organization.ID || s.URL != url || s.AdminURL != admin {
			t.Errorf("after a restart at %s the verdict is %+v, %v", s.URL, v, err)
		}
	}
	ready, err := http.Get(s.AdminURL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if text, err := io.ReadAll(ready.Body); err != nil || ready.StatusCode != 200 {
		t.Errorf("it is not ready: %d %s", ready.StatusCode, text)
	}
	if logs := s.Logs(); !strings.Contains(logs, "path=/v1/verify") || strings.Contains(logs, made.Secret) {
		t.Errorf("the log is\n%s", logs)
	}
}

func TestOptions(t *testing.T) {
	now := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	s := counterfoiltest.Start(t,
		counterfoiltest.WithCatalogue("permissions: [{name: things:read}]\n"),
		counterfoiltest.WithClock(clock),
		counterfoiltest.WithConfig(func(c *server.Config) { c.Prefix, c.AdminListen = "acme", "-" }))
	made := s.Token(t, "things:read")
	if !strings.HasPrefix(made.Secret, "acme_org_") || !made.Token.CreatedAt.Equal(now) || s.AdminURL != "" {
		t.Errorf("made %+v; the admin listener is %q", made, s.AdminURL)
	}
	mu.Lock()
	now = now.Add(25 * time.Hour)
	mu.Unlock()
	if _, err := s.Client().CurrentToken(t.Context()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeTokenExpired}) {
		t.Errorf("a day later the owner's token is answered %v", err)
	}
	s.Restart()
	if _, err := s.As(made.Secret).CurrentToken(t.Context()); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// TestSideBySide: servers of one process share nothing.
func TestSideBySide(t *testing.T) {
	one, other := counterfoiltest.Start(t), counterfoiltest.Start(t)
	for range 3 {
		one.Member(t, counterfoil.RoleMember)
	}
	for s, want := range map[*counterfoiltest.Server]int{one: 4, other: 1} {
		n := 0
		for _, err := range s.Client().Members(t.Context(), client.Current, client.MemberQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("it has %d members, want %d", n, want)
		}
	}
	if _, err := other.As(one.OwnerToken).CurrentToken(t.Context()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeInvalidToken}) {
		t.Errorf("the token of another server is answered %v", err)
	}
}
