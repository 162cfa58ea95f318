//go:build linux

// Command bench measures what the service costs beside what nothing could undercut on the same machine in the same run:
// the hash, an empty handler, the disk. It prints ratios, because those travel between machines; docs/benchmarks.md says
// what they mean. It refuses to be a test: it fails only where -gate asks it to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	gate    bool
	only    string
	dir     string
	tokens  int
	rounds  int
	seconds float64
	profile string
}

// bench is one run.
type bench struct {
	options
	ctx    context.Context
	work   string // a directory of this run's own, removed at its end
	binary string // the built command
	load   *generator
	disk   *world // see diskWorld
	report report
}

func main() {
	if len(os.Args) > 1 && children[os.Args[1]] != nil {
		if err := children[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench", os.Args[1]+":", err)
			os.Exit(2)
		}
		return
	}
	var o options
	flag.BoolVar(&o.gate, "gate", false, "exit with status 1 when a gate is missed")
	flag.StringVar(&o.only, "only", "", "measure only these, of check,http,writes,start,nodes (comma between)")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where to put the databases; its disk is the one that is measured")
	flag.IntVar(&o.tokens, "tokens", 1_000_000, "tokens in memory for the check in process, and in the databases that nodes are started on")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each HTTP measurement; the median counts")
	flag.Float64Var(&o.seconds, "seconds", 0.6, "length of one HTTP round")
	flag.StringVar(&o.profile, "profile", "", "write CPU profiles of the server into this directory instead of measuring")
	flag.Parse()
	ok, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if o.gate && !ok {
		os.Exit(1)
	}
}

// children are what this binary does in processes of their own, so that each one's processor time is known.
var children = map[string]func([]string) error{"load": generate, "empty": serveNothing, "serve": serveProfiled}

func run(o options) (ok bool, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	b := &bench{options: o, ctx: ctx}
	if b.work, err = os.MkdirTemp(o.dir, "counterfoil-bench-"); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	b.binary = filepath.Join(b.work, "counterfoil")
	if err := b.build(); err != nil {
		return false, err
	}
	if b.load, err = startGenerator(); err != nil {
		return false, err
	}
	defer b.load.stop()
	if o.profile != "" {
		return true, b.profiles()
	}
	fmt.Printf("%s, %d processors, %s\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	steps := []struct {
		name string
		run  func() error
	}{{"start", b.start}, {"http", b.http}, {"writes", b.writes}, {"nodes", b.nodes}, {"check", b.check}}
	for _, step := range steps {
		if !b.wanted(step.name) {
			continue
		}
		if err := step.run(); err != nil {
			return false, fmt.Errorf("measuring %s: %w", step.name, err)
		}
		if err := ctx.Err(); err != nil {
			return false, errors.New("interrupted")
		}
	}
	ok = b.report.print(os.Stdout)
	fmt.Printf("\nmeasured in %.0f s\n", time.Since(began).Seconds())
	return ok, nil
}

// wanted reports whether a part is to be measured.
func (b *bench) wanted(part string) bool {
	return b.only == "" || slices.Contains(strings.Split(b.only, ","), part)
}

// progress tells whoever waits what goes on.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "… "+format+"\n", args...) }
