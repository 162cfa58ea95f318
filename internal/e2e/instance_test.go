package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest/child"
)

// patience is for whatever must happen in the end: these tests share their machine with others.
const patience = 60 * time.Second

// instance is a data directory that was set up, and the program that serves it or does not.
type instance struct {
	t           testing.TB
	dir         string
	databaseURL string
	flags       []string // of serve
	address     string   // of the API; the same after a restart
	admin       string
	log         string // file; it grows with every start
	process     *child.Process
	dying       atomic.Bool // a client that gets no answer need not wonder

	Organization struct{ ID, Slug string }
	Owner        struct{ ID, Email string }
	OwnerToken   string `json:"owner_token"`
	SystemToken  string `json:"system_token"`
}

// setUp prepares dir, which may be absent, with the example catalogue. An empty databaseURL is SQLite.
func setUp(t testing.TB, dir, databaseURL string, flags ...string) *instance {
	t.Helper()
	in := &instance{t: t, dir: dir, databaseURL: databaseURL, flags: flags, address: freeAddress(t), admin: freeAddress(t), log: filepath.Join(t.TempDir(), "log")}
	out, err := in.run("setup", "--json", "--organization", "Acme", "--email", "owner@acme.example", "--catalogue", "../../examples/catalogue.yaml")
	if err != nil {
		t.Fatalf("setup: %v\n%s", err, out)
	}
	if err := json.Unmarshal(out, in); err != nil {
		t.Fatalf("setup printed %s: %v", out, err)
	}
	t.Cleanup(func() {
		in.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(in.logs(), 4<<10))
		}
	})
	return in
}

// serveNew is setUp in a directory of its own, and start.
func serveNew(t testing.TB, databaseURL string, flags ...string) *instance {
	t.Helper()
	in := setUp(t, filepath.Join(t.TempDir(), "data"), databaseURL, flags...)
	in.start()
	return in
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func (in *instance) command(verb string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{verb, "--data", in.dir}, args...)...)
	cmd.Env = append(os.Environ(), "COUNTERFOIL_DRAIN_DELAY=0s", "COUNTERFOIL_DATABASE_URL="+in.databaseURL)
	return cmd
}

// run runs a verb to its end and returns what it printed on stdout, or, when it failed, on stderr.
func (in *instance) run(verb string, args ...string) ([]byte, error) {
	var out, told bytes.Buffer
	cmd := in.command(verb, args...)
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); err != nil {
		return told.Bytes(), err
	}
	return out.Bytes(), nil
}

// start serves and returns once the service is ready.
func (in *instance) start() {
	in.t.Helper()
	if err := in.launch(); err != nil {
		in.t.Fatalf("starting the server: %v\n%s", err, tail(in.logs(), 2<<10))
	}
	in.await("readyz", http.StatusOK)
}

func (in *instance) launch() error {
	log, err := os.OpenFile(in.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := in.command("serve", append([]string{"--listen", in.address, "--admin-listen", in.admin}, in.flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	in.process, err = child.Start(cmd, syscall.SIGKILL)
	return err
}

// stop ends the server by a signal and waits for its end. One that does not run is left alone.
func (in *instance) stop(sig syscall.Signal) {
	in.t.Helper()
	if in.process == nil {
		return
	}
	if err := in.process.Stop(sig, patience); err != nil {
		in.t.Error(err)
	}
	if err := in.process.Err(); err != nil && sig != syscall.SIGKILL {
		in.t.Errorf("the server ended with %v", err)
	}
	in.process = nil
}

// await waits until a page of the admin listener answers with status.
func (in *instance) await(page string, status int) {
	in.t.Helper()
	var got int
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got, _, err = in.page(page); got == status {
			return
		}
		select {
		case <-in.process.Done():
			in.t.Fatalf("the server ended: %v\n%s", in.process.Err(), tail(in.logs(), 2<<10))
		default:
		}
	}
	in.t.Fatalf("/%s answered %d %v, and not %d within %v", page, got, err, status, patience)
}

// page reads a page of the admin listener.
func (in *instance) page(name string) (status int, body string, err error) {
	r, err := oneShot.Get("http://" + in.admin + "/" + name)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(r.Body)
	return r.StatusCode, b.String(), err
}

// oneShot keeps no connection, so that none outlives its server.
var oneShot = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// as is a client with connections of its own.
func (in *instance) as(token string) *client.Client {
	return client.New("http://"+in.address, token, client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}), client.WithTimeout(patience))
}

func (in *instance) system() *client.Client { return in.as(in.SystemToken) }

func (in *instance) logs() string {
	text, err := os.ReadFile(in.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func tail(s string, most int) string { return s[max(0, len(s)-most):] }

// soak is how many kills are asked for by the environment, or else normal.
func soak(t testing.TB, normal int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("COUNTERFOIL_SOAK"), strconv.Itoa(normal)))
	if err != nil || n < 1 {
		t.Fatal(fmt.Errorf("COUNTERFOIL_SOAK is a number of kills, not %q", os.Getenv("COUNTERFOIL_SOAK")))
	}
	return n
}
