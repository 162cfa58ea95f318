package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/counterfoil/counterfoil/internal/hectest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func TestMain(m *testing.M) {
	testscript.Main(postgrestest.Runner{M: m}, map[string]func(){"counterfoil": main, "curl": curl})
}

// raceOptions keeps the race detector from letting the service and curl sleep a second before they exit.
const raceOptions = "GORACE=atexit_sleep_ms=0"

// Each script has a machine of its own: a directory, no COUNTERFOIL_ in the environment, and these words beside those of
// testscript:
//
//	start serve|quickstart [flag…]   run the service on free ports, wait until it listens, set COUNTERFOIL_URL and ADMIN_URL
//	signal HUP|TERM                  send it a signal
//	await REGEXP                     wait until what it printed since the last await matches
//	stopped [N]                      wait until it has ended, with this exit status (0)
//	exits N COMMAND…                 run a command, which must exit with that status
//	keep NAME REGEXP                 set $NAME to the group of the match in the last stdout
//	collector TOKEN                  run a collector that takes a token, and set $COLLECTOR
//	example VERB… [OLD=NEW…]         run the example in the help of a verb, as TestHelp knows it, with words replaced,
//	                                 which must exit with 0
//
// The service is this test's binary, so that the race detector watches it. Whatever else a script runs is the program as
// "make build" makes it: several hundred commands that do one thing and end, each of which would begin ten times as slowly.
func TestScripts(t *testing.T) {
	testscript.Run(t, params(t, "testdata/script"))
}

func params(t *testing.T, dir string, environment ...string) testscript.Params {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return testscript.Params{
		Dir:                dir,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "TZ=UTC", raceOptions)
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Vars = append(env.Vars, environment...)
			s := new(running)
			env.Values[serviceKey{}] = s
			env.Defer(func() {
				s.kill()
				env.T().Log("the service printed:\n" + s.log.String())
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "signal": signalled, "await": await, "stopped": stopped, "exits": exits, "keep": keep, "example": runExample, "receive": receive, "collector": collector,
		},
	}
}

func collector(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: collector TOKEN")
	}
	c := hectest.Start(hectest.Settings{Token: args[0]})
	ts.Defer(c.Close)
	ts.Setenv("COLLECTOR", c.URL)
}

// running is the service of one script.
type running struct {
	cmd  *exec.Cmd
	log  printed
	done chan error
}

type serviceKey struct{}

func serviceOf(ts *testscript.TestScript) *running { return ts.Value(serviceKey{}).(*running) }

func (r *running) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		<-r.done
		r.cmd = nil
	}
}

// printed is what a process prints; readers wait for it.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next write
	seen int
}

func (p *printed) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Reset()
	p.seen = 0
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.more != nil {
		close(p.more)
		p.more = nil
	}
	return p.text.Write(b)
}

// wait returns the match in what was printed since the last one that was waited for.
func (p *printed) wait(pattern *regexp.Regexp, ended <-chan error) ([]string, error) {
	deadline := time.After(time.Minute)
	for {
		p.mu.Lock()
		rest := p.text.Bytes()[p.seen:]
		match, at := pattern.FindSubmatch(rest), pattern.FindIndex(rest)
		if match != nil {
			p.seen += at[1]
			groups := make([]string, len(match))
			for i, g := range match {
				groups[i] = string(g)
			}
			p.mu.Unlock()
			return groups, nil
		}
		if p.more == nil {
			p.more = make(chan struct{})
		}
		more := p.more
		p.mu.Unlock()
		select {
		case <-more:
		case err := <-ended:
			return nil, fmt.Errorf("it ended (%v) before it printed %s:\n%s", err, pattern, p.String())
		case <-deadline:
			return nil, fmt.Errorf("it did not print %s:\n%s", pattern, p.String())
		}
	}
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

var listening = regexp.MustCompile(`serving the API at (\S+), health and metrics at (\S+);|"msg":"serving","api":"([^"]+)","admin":"([^"]+)"`)

func start(ts *testscript.TestScript, neg bool, args []string) {
	s := serviceOf(ts)
	if neg || s.cmd != nil || len(args) == 0 {
		ts.Fatalf("usage: start serve|quickstart [flag…], while none runs")
	}
	arguments := append([]string{args[0], "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args[1:]...)
	s.log.reset()
	s.cmd = exec.Command("counterfoil", arguments...)
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "TZ=UTC", raceOptions, "HOME=" + ts.Getenv("HOME")}
	for _, name := range strings.Fields(ts.Getenv("SERVER_ENV")) { // names of variables to pass on
		s.cmd.Env = append(s.cmd.Env, name+"="+ts.Getenv(name))
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	ts.Check(s.cmd.Start())
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	found, err := s.log.wait(listening, s.done)
	if err != nil {
		s.cmd = nil
	}
	ts.Check(err)
	ts.Setenv("COUNTERFOIL_URL", found[1]+found[3])
	ts.Setenv("ADMIN_URL", found[2]+found[4])
}

func signalled(ts *testscript.TestScript, neg bool, args []string) {
	number, known := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}[strings.Join(args, " ")]
	if neg || !known {
		ts.Fatalf("usage: signal HUP|TERM")
	}
	ts.Check(serviceOf(ts).cmd.Process.Signal(number))
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await REGEXP")
	}
	s := serviceOf(ts)
	found, err := s.log.wait(regexp.MustCompile("(?m)"+args[0]), nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("awaited"), []byte(found[0]+"\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(s.log.String()), 0o600))
}

func stopped(ts *testscript.TestScript, neg bool, args []string) {
	s := serviceOf(ts)
	<-s.done
	status := s.cmd.ProcessState.ExitCode()
	s.cmd = nil
	if want := strings.Join(args, " "); neg || fmt.Sprint(status) != want && !(status == 0 && want == "") {
		ts.Fatalf("it ended with status %d:\n%s", status, s.log.String())
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if exit, ok := err.(*exec.ExitError); ok {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("it exited with status %d", status)
	}
}

func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME REGEXP")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("stdout does not match %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

func runExample(ts *testscript.TestScript, neg bool, args []string) {
	var verb, words []string
	for _, arg := range args {
		if was, is, replaced := strings.Cut(arg, "="); replaced {
			words = append(words, was, is)
		} else {
			verb = append(verb, arg)
		}
	}
	if neg || len(verb) == 0 {
		ts.Fatalf("usage: example VERB… [OLD=NEW…]")
	}
	help, err := os.ReadFile(golden)
	ts.Check(err)
	_, shown, _ := strings.Cut(string(help), "$ counterfoil "+strings.Join(verb, " ")+" --help\n")
	shown, _, _ = strings.Cut(shown, "\n$ ")
	line := exampleOf(shown, verb)
	for i := 0; i < len(words); i += 2 {
		if !strings.Contains(line, words[i]) {
			ts.Fatalf("the example %q has no %q", line, words[i])
		}
	}
	line = strings.NewReplacer(words...).Replace(line)
	if err := ts.Exec("sh", "-c", line); err != nil {
		ts.Fatalf("the example %q: %v", line, err)
	}
}

// receive starts a receiver of webhooks that takes everything, and keeps its address in a variable.
func receive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receive NAME")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

// exampleOf returns the line of a verb's help that shows how it is called; empty: there is none.
func exampleOf(help string, verb []string) string {
	for line := range strings.Lines(help) {
		if text, indented := strings.CutPrefix(line, "    "); indented && strings.Contains(text, "counterfoil "+strings.Join(verb, " ")) {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// curl is as much of curl as the printed lines use, so that the tests need none on the machine.
func curl() {
	method, body, headers, show := "", "", http.Header{}, false
	var url string
	for i := 1; i < len(os.Args); i++ {
		next := func() string { i++; return os.Args[i] }
		switch os.Args[i] {
		case "-i":
			show = true
		case "-s":
		case "-X":
			method = next()
		case "-d":
			body = next()
		case "-H":
			name, value, _ := strings.Cut(next(), ": ")
			headers.Set(name, value)
		default:
			url = os.Args[i]
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err == nil {
		request.Header = headers
		var response *http.Response
		if response, err = http.DefaultClient.Do(request); err == nil {
			if show {
				fmt.Println(response.Proto, response.Status)
				_ = response.Header.Write(os.Stdout)
				fmt.Println()
			}
			_, err = io.Copy(os.Stdout, response.Body)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
}

// TestSecondSignal: a service that is still finishing a request ends at once when it is told twice.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	command := func(args ...string) *exec.Cmd { return exec.Command("counterfoil", append(args, "--data", dir)...) }
	out, err := command("setup", "--organization", "Example", "--email", "you@example.com", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var tokens registry.SetupAnswer
	if err := json.Unmarshal(out, &tokens); err != nil {
		t.Fatal(err)
	}
	serve := command("serve", "--listen", "127.0.0.1:0", "--admin-listen", "-")
	log := new(printed)
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve.Wait() }()
	found, err := log.wait(regexp.MustCompile(`serving the API at (\S+); SQLite`), ended)
	if err != nil {
		t.Fatal(err)
	}
	body, hold := io.Pipe() // a request that stays under way
	defer hold.Close()
	request, err := http.NewRequest(http.MethodPost, found[1]+"/v1/verify", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+tokens.SystemToken)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Expect", "100-continue") // the body is sent once the server reads it
	go func() {
		transport := &http.Transport{ExpectContinueTimeout: time.Minute}
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		body.CloseWithError(errors.New("the request has ended"))
	}()
	if _, err := hold.Write([]byte(`{"token":`)); err != nil {
		t.Fatal(err)
	}
	for twice := time.NewTicker(10 * time.Millisecond); ; {
		_ = serve.Process.Signal(syscall.SIGTERM)
		select {
		case <-twice.C:
			continue
		case <-ended:
		}
		twice.Stop()
		break
	}
	if status := serve.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the second SIGTERM to end it\n%s", serve.ProcessState, log)
	}
}

// TestExampleCatalogue keeps the catalogue that quickstart applies and the one that people read alike.
func TestExampleCatalogue(t *testing.T) {
	shown, err := os.ReadFile(filepath.FromSlash("../../examples/catalogue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shown, exampleCatalogue) {
		t.Error("examples/catalogue.yaml and cmd/counterfoil/example.yaml differ: copy the one that you changed over the other")
	}
}
