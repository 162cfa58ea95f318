package store

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The driver tries with TLS and without, and says the same of both.
func TestFailureSaysThingsOnce(t *testing.T) {
	_, err := pgx.Connect(context.Background(), "postgres://u@127.0.0.1:1/x")
	if err == nil {
		t.Fatal("something answers at port 1")
	}
	if text := unavailable(err).Error(); strings.Count(text, "connection refused") != 1 || !strings.Contains(text, "database=x") {
		t.Errorf("%q", text)
	}
	if _, err := Open(t.Context(), Config{DatabaseURL: "postgres://u@127.0.0.1:1/x"}); err == nil || strings.Count(err.Error(), "connection refused") != 1 {
		t.Errorf("a start says %v", err)
	}
}

// SQLite's own words and numbers are not what an operator looks for when a disk is full.
func TestFullDatabaseIsExplained(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA max_page_count=1; CREATE TABLE a (b); CREATE TABLE c (d)"); !strings.Contains(unavailable(err).Error(), "disk of the data directory full") {
		t.Errorf("%v", unavailable(err))
	}
	if _, err := db.Exec("SELECT"); strings.Contains(unavailable(err).Error(), "full") {
		t.Errorf("%v", unavailable(err))
	}
}
