// Package postgrestest gives tests a real PostgreSQL on 127.0.0.1: one server for the whole test binary, started by the
// first test that asks, and an empty database for each test. It refuses to skip: without PostgreSQL the test fails and
// says what to install.
//
// The server is as a careful operator would run it: fsync on, passwords checked, a role that is no superuser, and a
// collation that sorts as people do ("a" before "B"), unlike SQLite's bytes.
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }
//
//	func TestStore(t *testing.T) {
//		db, err := sql.Open("pgx", postgrestest.NewDatabase(t))
//		…
//	}
package postgrestest

import (
	"sync"
	"testing"
)

// shared is the server of this test binary. A failed start is remembered, so that each test fails at once.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Run runs the tests and stops the server that they shared, if any. A binary that does without Run leaves the server's
// files behind; the next server to start removes them.
func Run(m interface{ Run() int }) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.server != nil {
			shared.server.remove()
			shared.server = nil
		}
	}()
	return m.Run()
}

// Runner is Run for those who run the tests themselves and want only a value with a Run method, as testscript.Main does.
type Runner struct{ M *testing.M }

// Run runs the tests, then stops the shared server.
func (r Runner) Run() int { return Run(r.M) }

// Available says whether the tests can have a PostgreSQL; the error tells what to install.
func Available() error {
	_, err := findInstallation()
	return err
}

// NewDatabase makes an empty database on the shared server and returns its URL, whose role owns the database and is no
// superuser. It stays until the tests of this binary have ended: to drop a database costs more than to make one.
func NewDatabase(t testing.TB) string {
	t.Helper()
	return sharedServer(t).NewDatabase(t)
}

// Template is NewDatabase with content: a copy of the database that prepare made when name was first asked for in this
// binary. Prepare must close its connections. Copying costs what an empty database costs.
func Template(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	return sharedServer(t).Template(t, name, prepare)
}

func sharedServer(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer(Options{})
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}
