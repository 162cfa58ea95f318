package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const patience = 60 * time.Second

// counterfoil and receiver are the programs, built by TestMain.
var counterfoil, receiver string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "counterfoil-hec-")
	counterfoil, receiver = filepath.Join(dir, "counterfoil"), filepath.Join(dir, "hec")
	for _, args := range [][]string{
		{"../..", "-ldflags=-s -w", "-o", counterfoil, "./cmd/counterfoil"},
		{".", "-tags=hec", "-o", receiver, "."},
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

// program is one that runs, and can be killed and started again.
type program struct {
	t       *testing.T
	address string
	command []string
	log     string
	cmd     *exec.Cmd
	ended   chan error
}

// start runs a program until the test ends, and returns when it listens on address.
func start(t *testing.T, address string, command ...string) *program {
	t.Helper()
	p := &program{t: t, address: address, command: command, log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("%s wrote:\n%s", filepath.Base(command[0]), text[max(0, len(text)-4000):])
		}
	})
	p.again()
	return p
}

func (p *program) again() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.command[0], p.command[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, ended := p.cmd, make(chan error, 1)
	p.ended = ended
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(patience)
	for look := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-look.C:
			if conn, err := net.Dial("tcp", p.address); err == nil {
				conn.Close()
				look.Stop()
				return
			}
		case err := <-p.ended:
			p.t.Fatalf("%s ended: %v", p.command[0], err)
		case <-deadline:
			p.t.Fatalf("%s does not listen on %s", p.command[0], p.address)
		}
	}
}

// end sends a signal and waits for the end. SIGKILL is what the name says.
func (p *program) end(signal os.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("%s did not stop", p.command[0])
	}
	p.cmd = nil
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
