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
	binary := filepath.Join(binaries, "counterfoil"+defect)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-tags", defect, "-o", binary, "./cmd/counterfoil")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return binary
}
