package server_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestRestoreBeforeTheAnswer: what was committed to a database in whose place another was put before it was answered has ended in that
// one too once it is answered, also where this node has noticed already and replayed its ledger.
func TestRestoreBeforeTheAnswer(t *testing.T) {
	url, ctx := postgrestest.NewDatabase(t), t.Context()
	s, err := store.Open(ctx, store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := ledger.Open(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Begin(time.Now()); err != nil {
		t.Fatal(err)
	}
	r := registry.New(registry.Config{Store: s, Ledger: l, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {},
		Plans: []string{"teams"}, DataCenter: "local", URL: "https://x.example"})
	replay := func() {
		t.Helper()
		if ended, err := r.KeepLedger(ctx); err != nil || ended != 0 {
			t.Errorf("a replay ended %d, %v", ended, err)
		}
	}
	create := func() (counterfoil.Organization, error) {
		return r.CreateOrganization(ctx, registry.Operator(), counterfoil.OrganizationDraft{Name: "Later deleted"})
	}
	made, err := create()
	if err != nil {
		t.Fatal(err)
	}
	replay()
	r.Applied = func(*counterfoil.Event) {
		r.Applied = func(*counterfoil.Event) {}
		putBackBefore(t, s, url, made.ID)
		for _, err := create(); err != nil && ctx.Err() == nil; { // until no connection is left that was cut
			_, err = create()
		}
		for views(ctx, s, 12) != nil && ctx.Err() == nil {
		}
		replay()
	}
	for answered := false; !answered && ctx.Err() == nil; { // a busy machine may lose its lease: then it is asked again
		_, err := r.DeleteOrganization(ctx, registry.Operator(), made.ID)
		answered = !errors.Is(err, counterfoil.Refuse(counterfoil.CodeUnavailable, ""))
		if answered && err != nil && !errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
			t.Fatal(err)
		}
	}
	if _, err := r.Organization(ctx, registry.Operator(), made.ID); !errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
		t.Errorf("an organization whose deletion was answered is there again: %v", err)
	}
}

// views reads n times at once, on as many connections.
func views(ctx context.Context, s *store.Store, n int) error {
	if n == 0 {
		return nil
	}
	return s.View(ctx, "", func(*store.Tx) error { return views(ctx, s, n-1) })
}

// putBackBefore makes the database one with another log, in which an organization is not deleted, and returns once its node knows.
func putBackBefore(t *testing.T, s *store.Store, url, org string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	before, _ := s.Alive()
	for _, statement := range []string{"UPDATE events SET hash = '\\x00'", "UPDATE organizations SET deleted_at=0, status='active', version=version+100 WHERE id='" + org + "'",
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND datname = current_database()"} {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if epoch, alive := s.Alive(); alive && epoch != before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the node does not notice")
		}
	}
}

// TestDatabaseAstray: where a ledger tells of a database that is not there none is made: neither beside a node of PostgreSQL whose
// URL was forgotten, nor in the place of one that was lost.
func TestDatabaseAstray(t *testing.T) {
	for name, c := range map[string]server.Config{
		"a node on PostgreSQL": {Dir: t.TempDir(), DatabaseURL: postgrestest.NewDatabase(t)},
		"a lost database":      {Dir: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			core, err := server.Open(t.Context(), c)
			if err == nil {
				err = core.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(c.Dir, store.DatabaseFile+"*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
			if core, err := server.Open(t.Context(), server.Config{Dir: c.Dir}); err == nil || !strings.Contains(err.Error(), "has a revocations.ledger and no counterfoil.db") {
				if err == nil {
					core.Close()
				}
				t.Errorf("it is opened without its database: %v", err)
			}
			if _, err := os.Stat(filepath.Join(c.Dir, store.DatabaseFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a database was made all the same: %v", err)
			}
			c.DatabaseURL = cmp.Or(c.DatabaseURL, postgrestest.NewDatabase(t))
			core, err = server.Open(t.Context(), c)
			if err != nil {
				t.Fatalf("with its database: %v", err)
			}
			core.Close()
		})
	}
}
