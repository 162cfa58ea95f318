package consistency_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

var binaries string // directory

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "counterfoil-consistency-")
	status := 1
	if err == nil {
		binaries = dir
		status = postgrestest.Run(m)
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// build makes the program; a defect is a build tag that breaks it.
func build(t *testing.T, defect string) string {
	t.Helper()
	return compile(t, "counterfoil"+defect, "./cmd/counterfoil", "-ldflags=-s -w", "-tags", defect)
}

// buildNext makes the program as a next version may be: with a column, a table and an index more, and entries about
// something that this version does not know.
func buildNext(t *testing.T) string {
	t.Helper()
	const ours = "github.com/counterfoil/counterfoil/internal/"
	migrations := `ALTER TABLE tokens ADD COLUMN origin TEXT NOT NULL DEFAULT '';
CREATE TABLE origins (name {{name}} PRIMARY KEY, organization TEXT NOT NULL);
INSERT INTO origins (name, organization) SELECT id, id FROM organizations;
|DROP INDEX{{concurrently}} IF EXISTS tokens_by_origin;
CREATE INDEX{{concurrently}} tokens_by_origin ON tokens (origin, id) WHERE origin <> '';
`
	return compile(t, "next", "./cmd/counterfoil", `-ldflags=-s -w "-X=`+ours+`store.nextVersion=`+migrations+`" -X=`+ours+`registry.revokedKind=credential`)
}

func compile(t *testing.T, name, program string, flags ...string) string {
	t.Helper()
	binary := filepath.Join(binaries, name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", binary, program)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return binary
}
