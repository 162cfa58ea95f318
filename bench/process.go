//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/web"
)

// build makes the command as "make build" does.
func (b *bench) build() error {
	progress("building the command")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", b.binary, "github.com/counterfoil/counterfoil/cmd/counterfoil")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, out)
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	if b.profile == "" {
		megabytes := float64(info.Size()) / 1e6
		b.report.add(row{what: "binary", value: fmt.Sprintf("%.1f MB", megabytes), ratio: megabytes, unit: "MB", gate: 40, wish: 30})
	}
	return nil
}

// processTime is the processor time that a process has used, in the kernel's ticks of 10 ms; 0 when it is gone.
func processTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// process is a server in a process of its own.
type process struct {
	cmd     *exec.Cmd
	address string
	said    bytes.Buffer
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// launch starts a server whose last argument is the address to listen on.
func launch(name string, args ...string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(name, append(args, address)...), address: address}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p, p.cmd.Start()
}

// await returns once the process takes connections.
func (p *process) await() error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		c, err := net.Dial("tcp", p.address)
		if err == nil {
			return c.Close()
		}
	}
	return errors.Join(errors.New("a server did not start"), p.stop())
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(p.cmd.Path), err, p.said.String())
	}
	return nil
}

// serveCommand are the arguments of the built command for a world, but for the address.
func serveCommand(c server.Config) []string {
	args := []string{"serve", "--data", c.Dir, "--admin-listen", "-", "--trusted-proxies", "127.0.0.1/32", "--log-level", "warn"}
	if c.DatabaseURL != "" {
		args = append(args, "--database-url", c.DatabaseURL)
	}
	return append(args, "--listen")
}

func (b *bench) serve(c server.Config) (*process, error) {
	p, err := launch(b.binary, serveCommand(c)...)
	if err != nil {
		return nil, err
	}
	return p, p.await()
}

// serveNothing is an empty handler behind the same limits as ours.
func serveNothing(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	return stopped(func(ctx context.Context) error {
		return web.Serve(ctx, web.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), l, time.Second)
	})
}

// serveProfiled is the service with a CPU profile from the first SIGUSR1 to its end: bench serve PROFILE DIR ADDRESS.
func serveProfiled(args []string) error {
	c := worldConfig(args[1], "")
	c.Listen, c.TrustedProxies = args[2], []string{"127.0.0.1/32"}
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	return stopped(func(ctx context.Context) error {
		s, err := server.Start(ctx, c)
		if err != nil {
			return err
		}
		warm := make(chan os.Signal, 1)
		signal.Notify(warm, syscall.SIGUSR1)
		go func() {
			<-warm
			if err := pprof.StartCPUProfile(f); err != nil {
				fmt.Fprintln(os.Stderr, "bench serve:", err)
			}
		}()
		defer pprof.StopCPUProfile()
		return s.Serve(ctx)
	})
}

func stopped(serve func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return serve(ctx)
}
