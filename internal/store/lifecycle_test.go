package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func TestOpeningAgainChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		appendOne(t, s, "org_1", "a")
		before := schema(t, s)
		if !strings.Contains(before, "tokens") || !strings.Contains(before, "version 1") {
			t.Fatalf("the schema is\n%s", before)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, config)
			if after := schema(t, s); after != before {
				t.Errorf("opening again made\n%s\nof\n%s", after, before)
			}
		}
		expectChain(t, s, 1, 0)
	})
}

// The schema grows before the code that wants it: the binary of one version back opens what a newer one has migrated.
func TestANewerSchemaIsServed(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		s.raw(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES ("+fmt.Sprint(len(migrations)+7)+", "+map[string]string{"sqlite": "1", "postgres": "TRUE"}[s.Engine()]+")")
		s.raw(t, "ALTER TABLE tokens ADD COLUMN later TEXT NOT NULL DEFAULT ''")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, config)
		testTokenKept(t, s)
	})
}

// schema describes every table, index and applied migration.
func schema(t *testing.T, s *fixture) string {
	t.Helper()
	query := "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master"
	if s.Engine() == "postgres" {
		query = `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'`
	}
	lines := read(t, s, "", func(tx *Tx) ([]string, error) {
		text := func(r scanner) (line string, err error) { return line, r.Scan(&line) }
		objects, err := collect(tx.q, text, query)
		if err != nil {
			return nil, err
		}
		applied, err := collect(tx.q, text, "SELECT 'version ' || version_id FROM goose_db_version")
		return append(objects, applied...), err
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Close waits for the write under way, whose outcome is then known; what comes later is refused.
func TestCloseWaitsForWrites(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		begun, release, ended, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1), make(chan error, 1)
		go func() {
			ended <- s.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
				close(begun)
				<-release
				tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
				return tx.InsertToken(newToken(tokenID()))
			})
		}()
		<-begun
		go func() { closed <- s.Close() }()
		eventually(t, "Close waits", longest, func() bool {
			var mu *sync.RWMutex
			switch e := s.engine.(type) {
			case *sqliteEngine:
				mu = &e.writer.mu
				if len(e.writer.jobs) == 0 && mu.TryRLock() { // it holds the lock for a moment only
					defer mu.RUnlock()
					return e.writer.shut
				}
				return false
			case *postgresEngine:
				mu = &e.writing
			}
			if !mu.TryRLock() {
				return true
			}
			mu.RUnlock()
			return false
		})
		close(release)
		if err := errors.Join(<-ended, <-closed); err != nil {
			t.Fatal(err)
		}
		nothing := func(*Tx) error { return nil }
		_, _, lookUp := s.LookUp(t.Context(), tokenID())
		for name, err := range map[string]error{
			"Update": s.Update(t.Context(), "", ForTokens, nothing), "View": s.View(t.Context(), "", nothing),
			"LookUp": lookUp, "Ping": s.Ping(t.Context()), "RecordUses": s.RecordUses(t.Context(), nil),
		} {
			if !isUnavailable(err) {
				t.Errorf("%s of a closed store: %v", name, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		if _, ok := s.Alive(); ok && s.Engine() == "postgres" {
			t.Error("a closed store calls itself alive")
		}
		whole(t, open(t, config), "org_1", 1)
	})
}
