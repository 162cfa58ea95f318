package server_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// TestNodeThatJoins: a node that is new beside others has no ledger yet, and says that this is as it should be.
func TestNodeThatJoins(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	var key string
	counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url), counterfoiltest.WithConfig(func(c *server.Config) { key = filepath.Join(c.Dir, "instance.key") }))
	var log bytes.Buffer
	joined, err := server.Open(t.Context(), server.Config{Dir: t.TempDir(), DatabaseURL: url, KeyFile: key, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.Close(); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "no ledger of revocations here, as at a node that is new beside others") {
		t.Errorf("it says %s", text)
	}
}
