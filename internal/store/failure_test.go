package store

import (
	"context"
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
}
