package postgrestest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// orphan, when set, makes this binary a test process that is about to be killed.
const orphan = "COUNTERFOIL_POSTGRESTEST_ORPHAN"

func TestMain(m *testing.M) { os.Exit(postgrestest.Runner{M: m}.Run()) }

func TestAvailable(t *testing.T) {
	if err := postgrestest.Available(); err != nil {
		t.Fatal(err)
	}
}

func TestNewDatabase(t *testing.T) {
	for range 2 { // each is empty, owned and alone
		run(t, postgrestest.NewDatabase(t), "CREATE TABLE tokens (name TEXT)")
	}
}

func TestServerIsAsAnOperatorWouldRunIt(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	for _, test := range []struct{ question, want string }{
		{"SHOW fsync", "on"},
		{"SHOW listen_addresses", "127.0.0.1"},
		{"SELECT (current_setting('server_version_num')::INT >= 150000)::TEXT", "true"},
		{"SELECT rolsuper::TEXT FROM pg_roles WHERE rolname = current_user", "false"},
		{"SELECT string_agg(v, ' ' ORDER BY v) FROM (VALUES ('B'), ('a'), ('C')) AS t (v)", "a B C"},
	} {
		if got := query(t, url, test.question); got != test.want {
			t.Errorf("%s: %s, want %s", test.question, got, test.want)
		}
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(url, ":", ":x", 2)); err == nil {
		t.Error("the server took a wrong password")
	}
}

func TestTemplate(t *testing.T) {
	prepared := 0
	prepare := func(url string) error {
		prepared++
		run(t, url, "CREATE TABLE tokens (name TEXT)")
		run(t, url, "INSERT INTO tokens VALUES ('deploy')")
		return nil
	}
	one := postgrestest.Template(t, "tokens", prepare)
	run(t, one, "UPDATE tokens SET name = 'changed'")
	other := postgrestest.Template(t, "tokens", prepare)
	if got := query(t, other, "SELECT name FROM tokens"); got != "deploy" {
		t.Errorf("the copy holds %q, want what prepare put there", got)
	}
	if prepared != 1 {
		t.Errorf("prepare ran %d times, want once", prepared)
	}
}

func TestServerStopsAndComesBack(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Options{Settings: map[string]string{"max_connections": "17"}})
	if got := query(t, s.URL(), "SHOW max_connections"); got != "17" {
		t.Errorf("max_connections is %s, want the setting asked for", got)
	}
	run(t, s.URL(), "CREATE TABLE log (n INT)")
	for i, end := range []func() error{s.Stop, s.Kill, s.Kill} {
		open, err := pgx.Connect(t.Context(), s.URL())
		if err != nil {
			t.Fatal(err)
		}
		run(t, s.URL(), fmt.Sprintf("INSERT INTO log VALUES (%d)", i))
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
			t.Error("the server takes connections after its end")
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := open.Ping(t.Context()); err == nil {
			t.Error("a connection outlived its server")
		}
	}
	if got := query(t, s.URL(), "SELECT string_agg(n::TEXT, ' ' ORDER BY n) FROM log"); got != "0 1 2" {
		t.Errorf("committed rows: %s, want all", got)
	}
	if got := query(t, s.AdminURL(), "SELECT rolsuper::TEXT FROM pg_roles WHERE rolname = current_user"); got != "true" {
		t.Errorf("AdminURL: superuser is %s", got)
	}
}

// A killed test must not leave a server behind: the machine of a developer would fill up with them.
func TestServerDiesWithItsTest(t *testing.T) {
	self := exec.Command(os.Args[0], "-test.run=^TestOrphan$")
	self.Env = append(os.Environ(), orphan+"=1")
	self.Stderr = os.Stderr
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = self.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	backend, err := pgx.Connect(t.Context(), strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close(context.Background())
	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = backend.WaitForNotification(ctx) // fails as soon as the server is gone
	if ctx.Err() != nil {
		t.Fatalf("the server still holds a connection half a minute after its test was killed: %v", err)
	}
}

func TestOrphan(t *testing.T) {
	if os.Getenv(orphan) == "" {
		return // only TestServerDiesWithItsTest gives it a job
	}
	fmt.Println(postgrestest.NewDatabase(t))
	select {}
}

func run(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func query(t *testing.T, url, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), statement).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return answer
}

// What a test of the store pays for its database.
func BenchmarkNewDatabase(b *testing.B) {
	for range b.N {
		postgrestest.NewDatabase(b)
	}
}
