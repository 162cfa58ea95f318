package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest/child"
)

const (
	patience  = time.Minute // for anything the server does: it may share its machine with a whole test suite
	role      = "counterfoil"
	admin     = "postgres"
	portInUse = "could not create any TCP/IP sockets"
)

// passing is what a start right after a kill fails with. The last backends of the server before write to the same log on
// their way out: their words may be all that its end holds.
var passing = []string{portInUse, "pre-existing shared memory block", "unexpected postmaster exit"}

// Options of a server. The zero value is a server as the shared one.
type Options struct {
	// Settings are added to the server's command line, name to value: {"fsync": "off", "max_connections": "20"}.
	Settings map[string]string
}

// Server is one PostgreSQL server. NewDatabase and Template may be called from several goroutines; Stop, Kill and
// Restart from one at a time.
type Server struct {
	installation installation
	settings     map[string]string
	dir          string
	lock         io.Closer // held as long as dir is in use
	port         int
	password     string
	databases    atomic.Int64

	mu      sync.Mutex
	process *child.Process // nil while stopped

	templating sync.Mutex
	templates  map[string]string // name → database, guarded by templating
}

// Start starts a server for one test, which may stop and kill it. It ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := newServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PostgreSQL wrote:\n%s", s.logTail())
		}
		s.remove()
	})
	if err := s.exec("CREATE DATABASE " + role + " OWNER " + role + " TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	return s
}

// URL is that of a database that is there from the start; its role owns it and is no superuser.
func (s *Server) URL() string { return s.url(role, role) }

// AdminURL is that of a superuser in the database "postgres".
func (s *Server) AdminURL() string { return s.url(admin, "postgres") }

// NewDatabase makes an empty database and returns its URL, as the function of that name does.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	return s.copyOf(t, "template0")
}

// Template copies the database that prepare made, as the function of that name does.
func (s *Server) Template(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	original, err := s.template(name, prepare)
	if err != nil {
		t.Fatal(err)
	}
	return s.copyOf(t, original)
}

// Stop stops the server as an operator would: open transactions are rolled back, connections are closed, and what is
// committed is on disk. A stopped server is left alone.
func (s *Server) Stop() error { return s.stop(syscall.SIGINT, patience) }

// Kill ends the server with SIGKILL. Connections break at once or with their next statement.
func (s *Server) Kill() error { return s.stop(syscall.SIGKILL, patience) }

// Restart starts a server that was stopped or killed, or stops and starts one that runs. URLs stay the same.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		err := s.launch()
		retry := err != nil && slices.ContainsFunc(passing, func(fault string) bool { return strings.Contains(err.Error(), fault) })
		if !retry || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond) // a killed server's last backend is still on its way out
	}
}

func newServer(o Options) (*Server, error) {
	found, err := findInstallation()
	if err != nil {
		return nil, err
	}
	removeAbandoned()
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("making a directory for PostgreSQL: %w", err)
	}
	s := &Server{
		installation: found, settings: o.Settings, dir: dir,
		password: rand.Text(), templates: make(map[string]string),
	}
	if err := s.initialize(); err != nil {
		s.remove()
		return nil, fmt.Errorf("starting PostgreSQL from %s: %w", found.bin, err)
	}
	return s, nil
}

func (s *Server) initialize() error {
	var err error
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	passwordFile := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o600); err != nil {
		return err
	}
	if err := s.installation.account.own(s.dir, passwordFile); err != nil {
		return err
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", admin, "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--locale-provider", "icu",
		"--icu-locale", "en-US", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 10 {
		if s.port, err = child.FreePort(); err != nil {
			return err
		}
		if err = s.launch(); err == nil || !strings.Contains(err.Error(), portInUse) {
			break
		}
	}
	if err != nil {
		return err
	}
	return s.exec("CREATE ROLE " + role + " LOGIN PASSWORD '" + s.password + "'")
}

// launch starts the server on s.port and returns when it takes connections.
func (s *Server) launch() error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port)}
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
		"fsync": "on", "log_destination": "stderr", "logging_collector": "off",
	}
	maps.Copy(settings, s.settings)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	cmd := s.command("postgres", args...)
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd, syscall.SIGQUIT) // its "immediate shutdown", which takes the backends along
	if err != nil {
		return err
	}
	if err := s.awaitReady(process); err != nil {
		return errors.Join(err, process.Stop(syscall.SIGQUIT, patience))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = process
	return nil
}

func (s *Server) awaitReady(process *child.Process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		// Whoever else may have taken the port does not know the password.
		conn, err := pgx.Connect(ctx, s.AdminURL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-process.Done():
			return fmt.Errorf("the server ended (%w):\n%s", process.Err(), s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("no connection within %v (%w):\n%s", patience, err, s.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) stop(sig syscall.Signal, patience time.Duration) error {
	s.mu.Lock()
	process := s.process
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return nil
	}
	return process.Stop(sig, patience)
}

// remove ends the server and forgets all it had. What fails here cannot matter to a test any more.
func (s *Server) remove() {
	// An immediate shutdown takes milliseconds, but waits for whoever has connected and not yet said a word.
	_ = s.stop(syscall.SIGQUIT, 5*time.Second)
	_ = os.RemoveAll(s.dir)
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

func (s *Server) template(name string, prepare func(url string) error) (string, error) {
	s.templating.Lock()
	defer s.templating.Unlock()
	if database, ok := s.templates[name]; ok {
		return database, nil
	}
	database, err := s.create("template0")
	if err != nil {
		return "", err
	}
	if err := prepare(s.url(role, database)); err != nil {
		return "", fmt.Errorf("preparing template %q: %w", name, errors.Join(err, s.drop(database)))
	}
	s.templates[name] = database
	return database, nil
}

func (s *Server) copyOf(t testing.TB, original string) string {
	t.Helper()
	database, err := s.create(original)
	if err != nil {
		t.Fatal(err)
	}
	return s.url(role, database)
}

func (s *Server) create(original string) (string, error) {
	database := fmt.Sprintf("test_%d", s.databases.Add(1))
	return database, s.exec(fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE %s", database, role, original))
}

func (s *Server) drop(database string) error {
	return s.exec("DROP DATABASE " + database + " WITH (FORCE)")
}

// exec runs one statement as the superuser.
func (s *Server) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	verb, _, _ := strings.Cut(statement, " ")
	conn, err := pgx.Connect(ctx, s.AdminURL())
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL for %s: %w", verb, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("PostgreSQL: %s: %w", verb, err)
	}
	return nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.installation.bin, name), args...)
	cmd.Dir = s.dir // its account may not enter the directory of the test
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + s.dir}
	s.installation.account.apply(cmd)
	return cmd
}

func (s *Server) url(user, database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(user, s.password), Host: fmt.Sprintf("127.0.0.1:%d", s.port),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}).String()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.dir, "log") }

// logTail is the end of what the server has written since it was last started.
func (s *Server) logTail() string {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	return string(text[max(0, len(text)-most):])
}
