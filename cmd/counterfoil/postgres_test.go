package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

func TestScriptsOnPostgreSQL(t *testing.T) {
	testscript.Run(t, params(t, "testdata/postgres", "POSTGRES_URL="+postgrestest.NewDatabase(t)))
}
