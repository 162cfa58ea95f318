package store

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// A database that a newer version has changed for good is not served by an older one.
func TestAnOutdatedProgramIsRefused(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		known := len(migrations) - 1
		s.raw(t, needs(known))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, config)
		s.raw(t, needs(known+1))
		if s.Engine() == "postgres" {
			eventually(t, "the running one shuts itself off", longest, func() bool { return s.Ping(t.Context()) != nil })
			for name, err := range map[string]error{
				"View":   s.View(t.Context(), "", func(*Tx) error { return nil }),
				"Update": s.Update(t.Context(), "", ForTokens, func(*Tx) error { return nil }),
			} {
				if !isUnavailable(err) {
					t.Errorf("%s: %v", name, err)
				}
			}
			eventually(t, "it trusts its memory no more", longest, func() bool { _, alive := s.Alive(); return !alive })
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := tryOpen(t, config); !errors.Is(err, errOutdated) {
			t.Errorf("it started: %v", err)
		}
	})
}

// A migration that must wait for a table does not make others wait with it, and comes to its end when it can.
func TestAMigrationDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	s := open(t, Config{DatabaseURL: address})
	conns := make([]*pgx.Conn, 3)
	for i := range conns {
		conns[i] = must(pgx.Connect(t.Context(), address))
		defer conns[i].Close(t.Context())
	}
	holder, reader, watcher := conns[0], conns[1], conns[2]
	do := func(conn *pgx.Conn, statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do(holder, "BEGIN")
	do(holder, "LOCK TABLE tokens IN ACCESS SHARE MODE") // as pg_dump does
	db := must(sql.Open("pgx", address))
	defer db.Close()
	later := append(slices.Clone(migrations), "ALTER TABLE tokens ADD COLUMN later TEXT NOT NULL DEFAULT ''", "CREATE INDEX{{concurrently}} tokens_later ON tokens (later)")
	ended := make(chan error, 1)
	go func() { ended <- migratePostgres(t.Context(), db, later) }()
	for seen := range 2 { // it waits, and again after it has given way
		eventually(t, "the migration waits", longest, func() bool {
			var waits bool
			err := watcher.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tokens'::regclass)").Scan(&waits)
			return err == nil && waits
		})
		do(reader, "SELECT 1 FROM tokens") // behind it in the queue
		select {
		case err := <-ended:
			t.Fatalf("after %d waits the migration had ended: %v", seen, err)
		default:
		}
	}
	do(holder, "COMMIT")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	var valid bool
	if err := watcher.QueryRow(t.Context(), "SELECT indisvalid FROM pg_index WHERE indexrelid = 'tokens_later'::regclass").Scan(&valid); err != nil || !valid {
		t.Errorf("the index is valid: %v, %v", valid, err)
	}
	testTokenKept(t, s)
}

// released is the last migration that is older than the first node that runs beside another version.
const released = 10

// From there on a migration only adds, without holding a table for long, so that the version before goes on running; or it
// says that it does not.
func TestMigrationsExpand(t *testing.T) {
	for number, text := range migrations {
		if number <= released {
			continue
		}
		if bad := contracts(text); bad != "" && !strings.Contains(text, schemaNeeds) {
			t.Errorf("migration %d: the version before may not run on this, or would have to wait for it; it must end with needs(%d) then: %s", number, number, bad)
		}
	}
	for _, c := range []struct {
		text string
		good bool
	}{
		{"CREATE TABLE a (x TEXT);\nCREATE INDEX a_x ON a (x)", true},
		{"CREATE INDEX tokens_x ON tokens (x)", false},
		{"CREATE INDEX{{concurrently}} tokens_x ON tokens (x)", true},
		{"CREATE UNIQUE INDEX{{concurrently}} tokens_x ON tokens (x)", false}, // the version before may write what is there twice
		{"DROP INDEX{{concurrently}} IF EXISTS tokens_x;\nCREATE INDEX{{concurrently}} tokens_x ON tokens (x)", true},
		{"ALTER TABLE tokens ADD COLUMN x TEXT NOT NULL DEFAULT ''", true},
		{"ALTER TABLE tokens ADD COLUMN x TEXT NOT NULL", false},
		{"ALTER TABLE tokens ADD COLUMN x TEXT", true},
		{"ALTER TABLE tokens ADD COLUMN x TEXT UNIQUE", false},
		{"ALTER TABLE tokens DROP COLUMN hint", false},
		{"ALTER TABLE tokens RENAME COLUMN hint TO tail", false},
		{"DROP TABLE receipts", false},
		{"INSERT INTO a SELECT id FROM organizations", true},
		{"UPDATE tokens SET name = ''", false},
	} {
		if got := contracts(c.text) == ""; got != c.good {
			t.Errorf("%s: %v", c.text, got)
		}
	}
}

var (
	created = regexp.MustCompile(`CREATE TABLE (\w+)`)
	indexed = regexp.MustCompile(`CREATE (?:UNIQUE )?INDEX \w+\s+ON (\w+)`)
	adds    = regexp.MustCompile(`^(CREATE TABLE|ALTER TABLE \w+ ADD COLUMN|(CREATE|DROP) INDEX\{\{concurrently\}\}|INSERT INTO)`)
)

// contracts returns the first statement that is not one of the few that are known to be harmless.
func contracts(migration string) (bad string) {
	fresh := map[string]bool{}
	for statement := range strings.SplitSeq(migration, ";\n") {
		statement = strings.TrimSpace(statement)
		if m := created.FindStringSubmatch(statement); m != nil {
			fresh[m[1]] = true
		}
		of := indexed.FindStringSubmatch(statement)
		column := strings.HasPrefix(statement, "ALTER TABLE")
		must := strings.Contains(statement, "UNIQUE") || strings.Contains(statement, "NOT NULL") && !strings.Contains(statement, "DEFAULT")
		switch {
		case statement == "", of != nil && fresh[of[1]]:
		case !adds.MatchString(statement), column && must:
			return fmt.Sprintf("%.60s", statement)
		}
	}
	return ""
}
