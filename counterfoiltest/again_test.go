package counterfoiltest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// A pause that another node committed, and did not live to see numbered, is asked for again: when that is answered, the verifiers of
// the node that answers go by it. Nothing is slow here, and nothing is held.
func TestAskedAgainIsKnownToVerifiers(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	a := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url))
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, err := client.NewVerifier(client.New(a.URL, a.SystemToken), client.VerifierConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	made := a.Token(t, "devices:read")
	good := func() bool {
		verdict, err := v.Verify(t.Context(), made.Secret, counterfoil.Attempt{Permissions: []string{"devices:read"}})
		if err != nil {
			t.Fatal(err)
		}
		return verdict.Active
	}
	set := func(paused bool) {
		t.Helper()
		if _, err := a.Client().EditToken(t.Context(), client.Current, made.Token.ID, counterfoil.Edit{Paused: &paused}); err != nil {
			t.Fatal(err)
		}
	}
	var org string
	if err := db.QueryRow("SELECT organization FROM tokens WHERE id = $1", made.Token.ID).Scan(&org); err != nil {
		t.Fatal(err)
	}
	wrong, longest := 0, time.Duration(0)
	const rounds = 15
	for i := range rounds {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if _, ok := v.Staleness(); ok && good() {
				break
			}
			if time.Now().After(end) {
				t.Fatal("it honours no token within 20 s")
			}
		}
		time.Sleep(20 * time.Millisecond)
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("evt_died", i)
		for _, statement := range []string{
			"UPDATE tokens SET paused = 2, version = version + 1 WHERE id = '" + made.Token.ID + "'",
			"INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ('" + id + "', '" + org + "', 'tokens', 'token_paused', 1, '', '" + made.Token.ID + `',
				'{"id":"` + id + `","organization_id":"` + org + `","target":{"kind":"token","id":"` + made.Token.ID + `"},"metadata":{}}')`,
		} {
			if _, err := tx.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		set(true) // answered
		answered := time.Now()
		if good() {
			wrong++
			for good() {
			}
			longest = max(longest, time.Since(answered))
		}
		set(false)
	}
	if wrong > 0 {
		t.Errorf("a paused token was good at a verifier after the pause was answered: %d times of %d, for up to %v", wrong, rounds, longest)
	}
}

// One server on SQLite, over HTTP, and no fault: several clients revoke or pause one token at the same time, and each asks for a check
// once it is answered.
func TestNarrowedByManyClients(t *testing.T) {
	a := counterfoiltest.Start(t)
	for _, what := range []string{"revoked", "paused"} {
		t.Run(what, func(t *testing.T) {
			const rounds, clients = 40, 8
			wrong := 0
			for range rounds {
				made := a.Token(t, "devices:read")
				ask := func() bool {
					v, err := a.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Permissions: []string{"devices:read"}})
					return err == nil && v.Active
				}
				for range 2 { // the second goes by memory
					if !ask() {
						t.Fatal("it is not good at first")
					}
				}
				bad := make(chan bool, clients)
				for range clients {
					go func() {
						var err error
						if what == "revoked" {
							_, err = a.Client().RevokeToken(t.Context(), client.Current, made.Token.ID, "")
						} else {
							paused := true
							_, err = a.Client().EditToken(t.Context(), client.Current, made.Token.ID, counterfoil.Edit{Paused: &paused})
						}
						bad <- err == nil && ask()
					}()
				}
				for range clients {
					if <-bad {
						wrong++
					}
				}
			}
			if wrong > 0 {
				t.Errorf("it was good %d times after that was answered, of %d", wrong, rounds*clients)
			}
		})
	}
}

// Two clients revoke one token at the same time, each at a node of theirs. Both are answered by one receipt, and whoever reads it from
// then on, at whichever node, reads that.
func TestRevokedAtTwoNodesAtOnce(t *testing.T) {
	url, dir := postgrestest.NewDatabase(t), ""
	a := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url), counterfoiltest.WithConfig(func(c *server.Config) { dir = c.Dir }))
	b := another(t, server.Config{KeyFile: filepath.Join(dir, "instance.key"), DatabaseURL: url})
	clients := []*client.Client{a.Client(), client.New(b.URL, a.OwnerToken)}
	for range 20 {
		made := a.Token(t, "devices:read")
		told := make(chan string, 2*(1+len(clients)))
		for _, c := range clients {
			go func() {
				gone, err := c.RevokeToken(context.Background(), client.Current, made.Token.ID, "")
				told <- fmt.Sprint(text(gone.Receipt), err)
				for _, c := range clients {
					r, err := c.Receipt(context.Background(), gone.Receipt.ID)
					told <- fmt.Sprint(text(r), err)
				}
			}()
		}
		first := <-told
		for range cap(told) - 1 {
			if other := <-told; other != first {
				t.Fatalf("one is told\n%s\nanother\n%s", first, other)
			}
		}
	}
}

func text(r counterfoil.Receipt) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
