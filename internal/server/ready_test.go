package server_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Runner{M: m}.Run()) }

// askReady returns the status and the text of /readyz.
func askReady(t *testing.T, admin string) (int, string) {
	t.Helper()
	r, err := http.Get(admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// awaitReady waits until the answer begins with want; "ready" is 200, everything else 503.
func awaitReady(t *testing.T, admin, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		status, text := askReady(t, admin)
		if strings.HasPrefix(text, want) && (status == 200) == (want == "ready\n") && (status == 200 || status == 503) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %q, want %q", status, text, want)
		}
	}
}

// TestReady: each thing without which a node cannot do what it is asked is a reason, and nothing else is.
func TestReady(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	url := postgrestest.NewDatabase(t)
	s := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url), counterfoiltest.WithConfig(func(c *server.Config) { c.Lease = 500 * time.Millisecond }))
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	awaitReady(t, s.AdminURL, "ready\n")
	for _, test := range []struct{ name, break_, mend, want string }{
		{"another instance key", `UPDATE instance SET value = '{"1":"0123","2":"4567"}' WHERE name = 'instance_keys'`, "", "instance key: the database expects key 1 with fingerprint 0123"},
		{"a key that another node has", `UPDATE instance SET value = REPLACE(value, '}', ',"2":"4567"}') WHERE name = 'instance_keys'`, "", "instance key: the database expects key 2 with fingerprint 4567"},
		{"an older schema", "DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)",
			"INSERT INTO goose_db_version (version_id, is_applied) SELECT MAX(version_id) + 1, TRUE FROM goose_db_version", "schema: "},
		{"a newer version's schema", "INSERT INTO instance (name, value) VALUES ('schema_needs', '999999')", "DELETE FROM instance WHERE name = 'schema_needs'", "version: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var keys string
			if err := db.QueryRow("SELECT value FROM instance WHERE name = 'instance_keys'").Scan(&keys); err != nil {
				t.Fatal(err)
			}
			run(test.break_)
			awaitReady(t, s.AdminURL, test.want)
			if test.mend == "" {
				test.mend = "UPDATE instance SET value = '" + keys + "' WHERE name = 'instance_keys'"
			}
			run(test.mend)
			awaitReady(t, s.AdminURL, "ready\n")
		})
	}
	t.Run("the log is not heard", func(t *testing.T) {
		tx, err := db.BeginTx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("LOCK TABLE nodes IN EXCLUSIVE MODE"); err != nil { // no lease can be renewed
			t.Fatal(err)
		}
		awaitReady(t, s.AdminURL, "log: it was last heard from ")
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		awaitReady(t, s.AdminURL, "ready\n")
	})
}

// TestReadyWithoutDatabase: a server whose database is gone says so, and is ready again when it is back.
func TestReadyWithoutDatabase(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	database := postgrestest.Start(t, postgrestest.Options{})
	s := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(database.URL()), counterfoiltest.WithConfig(func(c *server.Config) { c.Lease = 500 * time.Millisecond }))
	awaitReady(t, s.AdminURL, "ready\n")
	if err := database.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, s.AdminURL, "storage: ") // within the lease
	awaitReady(t, s.AdminURL, "log: ")
	if _, text := askReady(t, s.AdminURL); !strings.Contains(text, "\nstorage: ") {
		t.Errorf("of two reasons it gives %q", text)
	}
	outageIsCounted(t, s)
	if err := database.Restart(); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, s.AdminURL, "ready\n")
}
