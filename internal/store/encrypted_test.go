package store

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

func TestUnencrypted(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u@db.example.com/x":                                          "db.example.com",
		"postgres://u@192.0.2.7/x?sslmode=prefer":                                "192.0.2.7",
		"postgres://u@192.0.2.7/x?sslmode=allow":                                 "192.0.2.7",
		"postgres://u@192.0.2.7/x?sslmode=disable":                               "192.0.2.7",
		"postgres://u@[2001:db8::7]/x":                                           "2001:db8::7",
		"postgres://u@127.0.0.1,192.0.2.7/x":                                     "192.0.2.7",
		"postgres://u@192.0.2.7/x?sslmode=require":                               "",
		"postgres://u@a.example.com,b.example.com/x?sslmode=verify-full":         "",
		"postgres://u@localhost,127.0.0.7/x?sslmode=disable":                     "",
		"postgres://u@[::1]/x":                                                   "",
		"postgres:///x?host=/run/postgresql&sslmode=disable":                     "",
		"host=db.example.com dbname=x sslmode=verify-full sslrootcert=system":    "",
		"host=db.example.com dbname=x sslmode=prefer application_name=elsewhere": "db.example.com",
	} {
		config, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := unencrypted(&config.Config); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// A start says so; on this machine there is nothing to say.
func TestUnencryptedIsLogged(t *testing.T) {
	here := postgrestest.NewDatabase(t)
	for url, want := range map[string]bool{here: false, strings.Replace(here, "127.0.0.1", "0.0.0.0", 1): true} { // the same server by an address that is not known to be here
		var log bytes.Buffer
		s, err := Open(t.Context(), Config{DatabaseURL: url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "sslmode=verify-full"); got != want {
			t.Errorf("%s: %s", url, log.String())
		}
	}
}
