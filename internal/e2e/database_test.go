package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// lease is how long a server may trust what it remembers after it last heard from the database.
const lease = 2 * time.Second

func TestLostDatabase(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t, postgrestest.Options{})
	in := serveNew(t, database.URL())
	var made []counterfoil.Created
	for range 3 {
		made = append(made, in.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}}))
	}
	gone := in.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	if _, err := in.system().RevokeToken(t.Context(), in.Organization.ID, gone.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	ask := func(c counterfoil.Created) (counterfoil.Code, error) {
		v, err := in.system().Verify(t.Context(), counterfoil.Question{Token: c.Secret, Endpoint: "GET /api/devices/7"})
		return v.Code, err
	}
	for _, end := range []struct {
		name string
		lose func() error
	}{{"stopped", database.Stop}, {"killed", database.Kill}} {
		if code, err := ask(made[0]); err != nil || code != counterfoil.CodeOK {
			t.Fatalf("before: %q, %v", code, err)
		}
		if err := end.lose(); err != nil {
			t.Fatal(err)
		}
		lost := time.Now()
		if _, err := in.system().CreateToken(t.Context(), in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "lost"}); !unavailable(err) {
			t.Errorf("%s: a creation: %v", end.name, err)
		}
		if _, err := in.system().RevokeToken(t.Context(), in.Organization.ID, made[0].Token.ID, ""); !unavailable(err) {
			t.Errorf("%s: a revocation: %v", end.name, err)
		}
		lastYes := in.untilRefused(t, func() (bool, error) {
			code, err := ask(made[0])
			if err == nil && code != counterfoil.CodeOK {
				t.Errorf("%s: the verdict is %q", end.name, code)
			}
			if code, err := ask(gone); err == nil && code != counterfoil.CodeTokenRevoked || err != nil && !unavailable(err) {
				t.Errorf("%s: of the revoked token the verdict is %q, %v", end.name, code, err)
			}
			return err == nil, err
		}).Sub(lost)
		if lastYes > lease {
			t.Errorf("%s: a token was honoured %v after the database was gone", end.name, lastYes)
		}
		in.await("readyz", http.StatusServiceUnavailable)
		if status, _, err := in.page("healthz"); status != 200 {
			t.Errorf("%s: healthz: %d, %v", end.name, status, err)
		}
		if r := send(t, in.address, request{line: "GET /v1/authorize", headers: []string{bearer(made[0].Secret)}}); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || r.code() != counterfoil.CodeUnavailable {
			t.Errorf("%s: forward authentication: %d %s", end.name, r.StatusCode, r.Body)
		}
		if err := database.Restart(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		in.await("readyz", http.StatusOK)
		t.Logf("%s: honoured for %v at most, ready %v after its return", end.name, lastYes, time.Since(back))
		for _, c := range made {
			if code, err := ask(c); err != nil || code != counterfoil.CodeOK {
				t.Errorf("%s: afterwards: %q, %v", end.name, code, err)
			}
		}
		if code, err := ask(gone); err != nil || code != counterfoil.CodeTokenRevoked {
			t.Errorf("%s: of the revoked token afterwards: %q, %v", end.name, code, err)
		}
		made = append(made, in.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}}))
	}
	in.stop(15)
	checkTokens(t, in, append(made, gone))
}

// untilRefused asks until the answer is 503, and returns when the last question with another answer was asked.
func (in *instance) untilRefused(t *testing.T, ask func() (bool, error)) (lastYes time.Time) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		asked := time.Now()
		yes, err := ask()
		if !yes {
			if !unavailable(err) {
				t.Errorf("refused by %v", err)
			}
			return lastYes
		}
		lastYes = asked
	}
	t.Fatal("tokens are honoured for ever")
	return lastYes
}
