package server_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// eventually waits until something that is sure to come is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute: ", what)
		}
	}
}

// TestLedgerIsBegunAnew: a server whose ledger was lost writes into a new one what has ended, also where it fails at first.
func TestLedgerIsBegunAnew(t *testing.T) {
	var dir string
	s := counterfoiltest.Start(t, counterfoiltest.WithConfig(func(c *server.Config) { dir = c.Dir }))
	id := s.Token(t).Token.ID
	if _, err := s.Client().RevokeToken(t.Context(), "current", id, ""); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	file := filepath.Join(dir, server.LedgerName)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TRIGGER not_now BEFORE INSERT ON instance WHEN NEW.name LIKE 'ledger_known:%' BEGIN SELECT RAISE(ABORT, 'not now'); END"); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	eventually(t, "it says that it fails", func() bool { return strings.Contains(s.Logs(), "not now") })
	if _, err := db.Exec("DROP TRIGGER not_now; DELETE FROM instance WHERE name LIKE 'ledger_known:%'"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is tried again", func() bool {
		var n int
		return db.QueryRow("SELECT COUNT(*) FROM instance WHERE name LIKE 'ledger_known:%'").Scan(&n) == nil && n == 1
	})
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), id) != 1 {
		t.Errorf("the ledger has %s (%v), want %s once", text, err, id)
	}
}
