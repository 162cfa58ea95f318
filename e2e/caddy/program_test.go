package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 60 * time.Second

// counterfoil and caddy are the programs, built by TestMain.
var counterfoil, caddy string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "counterfoil-caddy-")
	counterfoil, caddy = filepath.Join(dir, "counterfoil"), filepath.Join(dir, "caddy")
	for _, args := range [][]string{
		{"../..", "-ldflags=-s -w", "-o", counterfoil, "./cmd/counterfoil"},
		{".", "-tags=caddy", "-o", caddy, "."},
	} {
		if err == nil {
			err = build(args[0], args[1:]...)
		}
	}
	status := 1
	if err == nil {
		status = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

func build(dir string, args ...string) error {
	cmd := exec.Command("go", append([]string{"build"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", args[len(args)-1], err, out)
	}
	return nil
}

// start runs a program until the test ends or stop is called, and returns when it listens on address.
func start(t *testing.T, address, program string, args ...string) (stop func()) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // Caddy keeps things there
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s did not stop", program)
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s wrote:\n%s", filepath.Base(program), text)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return stop
		}
		select {
		case err := <-ended:
			t.Fatalf("%s ended: %v", program, err)
		default:
		}
	}
	t.Fatalf("%s does not listen on %s", program, address)
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// setUp prepares a data directory and returns a system token.
func setUp(t *testing.T, dir string) (systemToken string) {
	t.Helper()
	cmd := exec.Command(counterfoil, "setup", "--json", "--data", dir, "--organization", "Acme", "--email", "owner@acme.example", "--catalogue", "../../examples/catalogue.yaml")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("setup: %v, %s", err, out)
	}
	var answer struct {
		SystemToken string `json:"system_token"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.SystemToken
}

// caddyfile writes examples/Caddyfile with the test's addresses and returns its name.
func caddyfile(t *testing.T, listen, api, upstream string) string {
	t.Helper()
	text, err := os.ReadFile("../../examples/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	for from, to := range map[string]string{"http://api.example.com {": "http://" + listen + " {", "127.0.0.1:8080 {": api + " {", "reverse_proxy 127.0.0.1:9000\n": "reverse_proxy " + upstream + "\n"} {
		if strings.Count(conf, from) != 1 {
			t.Fatalf("examples/Caddyfile has %q %d times", from, strings.Count(conf, from))
		}
		conf = strings.Replace(conf, from, to, 1)
	}
	name := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(name, []byte("{\n\tadmin off\n\tpersist_config off\n}\n"+conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
