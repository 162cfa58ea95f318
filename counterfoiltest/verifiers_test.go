package counterfoiltest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// cuttable is a line to a node that can be cut: nothing is sent any more, and nothing that is under way arrives.
type cuttable struct {
	cut  atomic.Bool
	gone context.Context
	stop context.CancelFunc
}

func (c *cuttable) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.cut.Load() {
		return nil, errors.New("the line is cut")
	}
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(c.gone, cancel)
	return http.DefaultTransport.RoundTrip(r.WithContext(ctx))
}

// another is one more node, with a directory of its own.
func another(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	c.Dir, c.Listen, c.AdminListen = t.TempDir(), "127.0.0.1:0", "-"
	ctx, stop := context.WithCancel(context.Background())
	node, err := server.Start(ctx, c)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- node.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return node
}

// TestVerifiersOfAnotherNode: a revocation at one node waits for a verifier that another node feeds, or for its lease.
func TestVerifiersOfAnotherNode(t *testing.T) {
	url, dir := postgrestest.NewDatabase(t), ""
	a := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url), counterfoiltest.WithConfig(func(c *server.Config) { dir = c.Dir; c.Lease = time.Second }))
	b := another(t, server.Config{KeyFile: filepath.Join(dir, "instance.key"), DatabaseURL: url, Lease: time.Second})
	line := &cuttable{}
	line.gone, line.stop = context.WithCancel(context.Background())
	v, err := client.NewVerifier(client.New(b.URL, a.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})), client.VerifierConfig{OnLimit: client.Deny})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	check := func(secret string) bool {
		verdict, err := v.Verify(t.Context(), secret, counterfoil.Attempt{Permissions: []string{"devices:read"}})
		if err != nil && !errors.Is(err, client.ErrStale) {
			t.Fatal(err)
		}
		return verdict.Active
	}
	warm := func() counterfoil.Created {
		made := a.Token(t, "devices:read")
		for end := time.Now().Add(20 * time.Second); !check(made.Secret); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it honours no token within 20 s")
			}
		}
		return made
	}
	for range 20 {
		made := warm()
		revoked, err := a.Client().RevokeToken(t.Context(), client.Current, made.Token.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		if check(made.Secret) {
			t.Fatal("it honours a token whose revocation at the other node was answered")
		}
		if len(revoked.Receipt.Nodes) != 2 || !revoked.Receipt.Complete {
			t.Errorf("the receipt: %+v", revoked.Receipt)
		}
	}
	made := warm()
	line.cut.Store(true)
	line.stop()
	if _, err := a.Client().RevokeToken(t.Context(), client.Current, made.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	if check(made.Secret) {
		t.Error("cut off, it honours a token whose revocation at the other node was answered")
	}
}

// A stream ends where the log becomes another one in its middle, as when a standby takes over that lacked the end.
func TestChangesOfAnotherLog(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	a := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url))
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	messages := 0
	err = client.New(a.URL, a.SystemToken).FollowChanges(ctx, -1, nil, time.Minute, func(counterfoil.Changes) error {
		if messages++; messages > 1 {
			return errors.New("it goes on")
		}
		_, err := db.ExecContext(ctx, "UPDATE events SET hash = hash || 'other'::bytea")
		return err
	})
	if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
		t.Error(err)
	}
}

// A stream of changes ends with its token: nothing is sent any more once the revocation was answered.
func TestChangesEndWithTheToken(t *testing.T) {
	for name, option := range map[string]counterfoiltest.Option{"SQLite": counterfoiltest.WithConfig(func(*server.Config) {}), "PostgreSQL": counterfoiltest.WithDatabaseURL(postgrestest.NewDatabase(t))} {
		t.Run(name, func(t *testing.T) {
			s := counterfoiltest.Start(t, option)
			own, err := s.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "verifier", Permissions: []string{counterfoil.PermTokensVerify}})
			if err != nil {
				t.Fatal(err)
			}
			later := ""
			err = s.As(own.Secret).FollowChanges(t.Context(), -1, nil, time.Minute, func(m counterfoil.Changes) error {
				if slices.ContainsFunc(m.Changes, func(c counterfoil.Change) bool {
					return c.ID == own.Token.ID && later != "" || c.ID == later && later != ""
				}) {
					return fmt.Errorf("it goes on: %+v", m)
				}
				if later != "" {
					return nil // of what was before
				}
				_, err := s.System().RevokeToken(t.Context(), client.System, own.Token.ID, "")
				later = s.Token(t, "devices:read").Token.ID
				return err
			})
			if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeTokenRevoked}) {
				t.Error(err)
			}
		})
	}
}
