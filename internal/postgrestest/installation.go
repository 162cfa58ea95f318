package postgrestest

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const oldest = 15 // the first version that the product supports

// installation is a PostgreSQL on this machine.
type installation struct {
	bin     string // the directory that holds postgres and its initdb
	account account
}

// findInstallation looks once: PATH first, so that a developer can choose, then where systems put it.
var findInstallation = sync.OnceValues(func() (installation, error) {
	account, err := serverAccount()
	if err != nil {
		return installation{}, fmt.Errorf("the tests need PostgreSQL: %w", err)
	}
	var refused []error
	for _, bin := range candidates() {
		err := try(bin, account)
		if err == nil {
			return installation{bin, account}, nil
		}
		refused = append(refused, fmt.Errorf("%s: %w", bin, err))
	}
	return installation{}, fmt.Errorf("the tests need PostgreSQL %d or later, and this machine has none that works. "+
		"Run \"make deps\", or install the PostgreSQL server and put its bin directory on PATH.\n%w",
		oldest, errors.Join(refused...))
})

func candidates() []string {
	var bins []string
	add := func(dirs ...string) {
		for _, dir := range dirs {
			if !slices.Contains(bins, dir) {
				bins = append(bins, dir)
			}
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		add(filepath.Dir(path))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		dirs, _ := filepath.Glob(pattern)
		slices.Reverse(dirs) // newest first
		add(dirs...)
	}
	return bins
}

// try says why the server in bin cannot be used by account.
func try(bin string, account account) error {
	for _, name := range []string{"postgres", "initdb"} {
		cmd := exec.Command(filepath.Join(bin, name), "--version")
		cmd.Dir = "/"
		account.apply(cmd)
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		if major := majorVersion(string(out)); major < oldest {
			return fmt.Errorf("%s is too old or unknown: %s", name, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

var version = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorVersion reads "postgres (PostgreSQL) 15.18 (Debian …)"; 0 is unknown.
func majorVersion(s string) int {
	match := version.FindStringSubmatch(s)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1])
	return major
}
