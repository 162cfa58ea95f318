//go:build !linux

package postgrestest

import (
	"errors"
	"io"
	"os"
	"os/exec"
)

const dirPrefix = "counterfoil-postgres-"

// account is who runs the server; here always whoever runs the test.
type account struct{}

func serverAccount() (account, error) {
	if os.Geteuid() == 0 {
		return account{}, errors.New("it refuses to run as root: run the tests as another user")
	}
	return account{}, nil
}

func (account) apply(*exec.Cmd) {}

func (account) own(...string) error { return nil }

func lockDir(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func removeAbandoned() {}
