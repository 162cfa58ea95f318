package acceptance

import (
	"testing"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// regressions is one test for each fault that was found once. They share a server and run side by side.
var regressions = []struct {
	name string
	run  func(*testing.T, *tenant)
}{
	{"rotated_while_the_body_is_withheld", rotatedWhileWithheld},
	{"expiry_in_1970_and_in_the_year_1", ancientExpiry},
	{"too_many_permissions_asked", tooManyAsked},
	{"traces_are_bounded", boundedTraces},
	{"revoke_itself_many_times_at_once", revokedByItselfAtOnce},
	{"revoked_with_its_member", revokedWithItsMember},
	{"reactivate_beyond_what_one_holds", reactivation},
	{"permissions_in_place_of_permission", misspeltPermission},
	{"a_faulty_request_writes_nothing", faultyWritesNothing},
}

func TestRegressions(t *testing.T) {
	// PostgreSQL starts first, as in TestSuite.
	for _, engine := range []struct{ name, database string }{{"PostgreSQL", postgrestest.NewDatabase(t)}, {"SQLite", ""}} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine.database)
			for _, test := range regressions {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(t, w.tenant(t))
				})
			}
			t.Run("a_large_catalogue", func(t *testing.T) {
				t.Parallel()
				database := ""
				if engine.database != "" {
					database = postgrestest.NewDatabase(t)
				}
				largeCatalogue(t, newWorld(t, database))
			})
		})
	}
}
