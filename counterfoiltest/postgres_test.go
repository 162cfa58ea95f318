package counterfoiltest_test

import (
	"os"
	"testing"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func TestPostgreSQL(t *testing.T) {
	use(t, counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(postgrestest.NewDatabase(t))))
}
