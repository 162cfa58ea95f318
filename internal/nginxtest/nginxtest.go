// Package nginxtest starts a real nginx on 127.0.0.1 for a test. It refuses to skip: without an nginx that knows
// auth_request the test fails and says what to install.
package nginxtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest/child"
)

const (
	patience  = 30 * time.Second
	portInUse = "Address already in use"
)

// Start starts an nginx that ends with the test, and returns its base URL, such as "http://127.0.0.1:4711".
//
// The text that conf returns goes into the http block, so a server block from the documentation works as it is; it must
// listen on 127.0.0.1:port. Dir is a directory that nginx may read and write. Conf may be called again with another
// port, when somebody else took the first. If the test fails, it logs what nginx wrote.
func Start(t testing.TB, conf func(port int, dir string) string) (baseURL string) {
	t.Helper()
	nginx, err := find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 10 {
		var port int
		if port, err = child.FreePort(); err != nil {
			t.Fatal(err)
		}
		var process *child.Process
		process, err = launch(nginx, dir, port, conf(port, dir))
		if err == nil {
			t.Cleanup(func() { end(t, process, dir) })
			return "http://" + address(port)
		}
		if !strings.Contains(err.Error(), portInUse) {
			break
		}
	}
	t.Fatalf("starting nginx: %v", err)
	return ""
}

// Available says whether the tests can have an nginx; the error tells what to install.
func Available() error {
	_, err := find()
	return err
}

// find looks once for an nginx with auth_request. Administrators' directories are often not on PATH.
var find = sync.OnceValues(func() (string, error) {
	refused := errors.New("no nginx on PATH or in the sbin directories")
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "-V").CombinedOutput()
		if err != nil {
			refused = fmt.Errorf("%s -V: %w", path, err)
			continue
		}
		if strings.Contains(string(out), "http_auth_request_module") {
			return path, nil
		}
		refused = fmt.Errorf("%s is built without http_auth_request_module", path)
	}
	return "", fmt.Errorf("the tests need an nginx with auth_request: %w. Run \"make deps\", or install nginx", refused)
})

// launch starts nginx and returns when it listens on port.
func launch(nginx, dir string, port int, httpBlock string) (*child.Process, error) {
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(wrap(dir, httpBlock)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(logFile(dir))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(nginx, "-p", dir, "-c", config, "-e", "stderr")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd, syscall.SIGTERM) // the master then ends its workers
	if err != nil {
		return nil, err
	}
	if err := awaitListening(process, address(port)); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, written(dir)), process.Stop(syscall.SIGTERM, patience))
	}
	return process, nil
}

// wrap makes a whole configuration of what a test has to say, and keeps nginx's files in dir.
func wrap(dir, httpBlock string) string {
	var b strings.Builder
	b.WriteString("daemon off;\nworker_processes 1;\nerror_log stderr notice;\n")
	if os.Geteuid() == 0 {
		b.WriteString("user root;\n") // the test's directory is closed to others
	}
	fmt.Fprintf(&b, "pid %q;\nevents {}\nhttp {\naccess_log off;\n", filepath.Join(dir, "nginx.pid"))
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %q;\n", kind, filepath.Join(dir, kind))
	}
	fmt.Fprintf(&b, "%s\n}\n", httpBlock)
	return b.String()
}

func awaitListening(process *child.Process, address string) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		conn, dialErr := net.DialTimeout("tcp4", address, patience)
		// nginx ends when the port was taken; the connection then is to whoever took it.
		select {
		case <-process.Done():
			if dialErr == nil {
				conn.Close()
			}
			return fmt.Errorf("nginx ended: %w", process.Err())
		default:
		}
		if dialErr == nil {
			return conn.Close()
		}
		select {
		case <-process.Done():
		case <-deadline.C:
			return fmt.Errorf("nginx did not listen on %s within %v: %w", address, patience, dialErr)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func end(t testing.TB, process *child.Process, dir string) {
	select {
	case <-process.Done():
		t.Errorf("nginx ended before its test: %v", process.Err())
	default:
	}
	if err := process.Stop(syscall.SIGTERM, patience); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("nginx wrote:\n%s", written(dir))
	}
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func logFile(dir string) string { return filepath.Join(dir, "nginx.log") }

func written(dir string) string {
	text, err := os.ReadFile(logFile(dir))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
