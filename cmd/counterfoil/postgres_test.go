package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

func TestScriptsOnPostgreSQL(t *testing.T) {
	testscript.Run(t, params("testdata/postgres", []string{"POSTGRES_URL=" + postgrestest.NewDatabase(t)}))
}
