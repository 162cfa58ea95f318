package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// binary is the program as "make build" makes it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "counterfoil-e2e-")
	if err == nil {
		binary = filepath.Join(dir, "counterfoil")
		err = build()
	}
	status := 1
	if err == nil {
		status = postgrestest.Run(m)
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

func build() error {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "./cmd/counterfoil")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}
