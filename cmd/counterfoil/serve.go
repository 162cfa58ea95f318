package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/tracing"
)

type serveCmd struct {
	storage `embed:""`
	service `embed:""`
	signIn  `embed:""`
}

func (serveCmd) Help() string {
	return `SIGHUP reads the catalogue again; SIGTERM and Ctrl-C let the requests under way finish, a second one does not.

A setting comes from its flag, else from the environment, else from the configuration file, where it is named as the flag with _ for -. The file alone has data_centers: the other data centres of the same service, a list of {name, prefix, url}; and oidc_providers: see docs/sign-in.md.

Example:

	counterfoil serve --data /var/lib/counterfoil --listen 127.0.0.1:8080`
}

func (c *serveCmd) config(logger *slog.Logger) (config server.Config, err error) {
	config = c.storage.config()
	config.Listen, config.AdminListen, config.EnvoyListen, config.URL = c.Listen, c.AdminListen, c.EnvoyListen, string(c.PublicURL)
	config.Lease, config.DrainDelay, config.TrustedProxies, config.CacheTokens, config.OutgoingAllow = c.Lease, c.DrainDelay, c.TrustedProxies, c.CacheTokens, c.OutgoingAllow
	if config.ActivityRate = c.ActivityRatePerMinute; c.ActivityRatePerMinute == 0 {
		config.ActivityRate = -1
	}
	config.KeepDays = c.KeepEventsDays
	config.Logger = logger
	config.SignIn, err = c.signIn.config()
	return config, err
}

func (c *serveCmd) Run(ctx context.Context, s *session) error { return c.serve(ctx, s, nil) }

// serve runs the service until it is told to stop. ready, if not nil, is called once it listens.
func (c *serveCmd) serve(ctx context.Context, s *session, ready func(context.Context, *server.Server) error) error {
	logger, err := newLogger(s.err, c.LogLevel, c.LogFormat)
	if err != nil {
		return err
	}
	if err := c.service.wrong(); err != nil {
		return err
	}
	if text := s.ignored(); text != "" {
		logger.Warn(text)
	}
	if name := s.emptyDatabase(); name != "" && c.DatabaseURL == "" {
		logger.Warn(name + " is empty, as if it were not set: the data is in SQLite")
	}
	withoutCoreDumps(logger)
	ctx, stop := untilStopped(ctx)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	config, err := c.config(logger)
	if err != nil {
		return usageError{err}
	}
	if config.Tracer, err = tracing.Open(ctx, config.Version, logger); err != nil {
		return usageError{err} // of the environment's variables: nothing is sent yet
	}
	defer flush(config.Tracer, logger)
	running, err := server.Start(ctx, config)
	if err != nil {
		return c.explain(ctx, err)
	}
	go reloads(ctx, running, reload, logger)
	c.announce(s, running, logger)
	err = c.offerSetup(ctx, s, running)
	if err == nil && ready != nil {
		err = ready(ctx, running)
	}
	if err != nil {
		err = c.explain(ctx, err)
		stop()
	}
	if err := errors.Join(err, running.Serve(ctx)); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

// flushWithin is how long the last spans may take, once everything else has ended.
const flushWithin = 5 * time.Second

func flush(t *tracing.Tracer, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		logger.Warn("stopping", "error", err)
	}
}

// untilStopped ends with the first SIGTERM or interrupt; a second signal ends the process. After an interrupt, and after
// stop, the cause is server.ErrAtOnce.
func untilStopped(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-ctx.Done():
		case sig := <-signals:
			if sig == os.Interrupt {
				cancel(server.ErrAtOnce)
			}
			cancel(nil)
		}
	}()
	return ctx, func() { cancel(server.ErrAtOnce) }
}

// announce says where it serves, in one line.
func (c *serveCmd) announce(s *session, running *server.Server, logger *slog.Logger) {
	engine, admin := "SQLite", running.AdminURL
	if c.DatabaseURL != "" {
		engine = "PostgreSQL"
	}
	node := running.Store.Node() // as receipts and the other nodes' logs name it
	if c.LogFormat == "json" {
		logger.Info("serving", "api", running.URL, "admin", admin, "envoy", running.EnvoyAddress, "engine", engine, "data", c.Data, "node", node)
		return
	}
	if c.DatabaseURL != "" {
		engine += " as " + node
	}
	if admin != "" {
		admin = ", health and metrics at " + admin
	}
	if running.EnvoyAddress != "" {
		admin += ", Envoy's authorization at " + running.EnvoyAddress
	}
	s.say("counterfoil: serving the API at %s%s; %s, data in %s; documentation at %[1]s/docs", running.URL, admin, engine, c.Data)
}

// offerSetup prints the one-time link to the page that prepares an empty instance. It is for whoever sees this terminal,
// so it goes into no log.
func (c *serveCmd) offerSetup(ctx context.Context, s *session, running *server.Server) error {
	link, err := running.SetupLink(ctx)
	if err != nil || link == "" {
		return err
	}
	s.say("counterfoil: this instance is not set up yet. Open this once, within a day, to make the first organization and its owner:\n\n  %s\n%s\nOr stop it and run counterfoil setup, which makes tokens as well.", link, insecure(link))
	return nil
}

// insecure says of a link over http to another machine than the reader's that no browser signs in there; of another, nothing.
func insecure(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return ""
	}
	return "\n  Nobody can sign in over plain http from another machine: put a proxy that does TLS in front, and name its address by --public-url.\n"
}

// reloads applies the catalogue file at each signal until ctx ends.
func reloads(ctx context.Context, running *server.Server, signals <-chan os.Signal, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		switch applied, err := running.ReloadCatalogue(ctx); {
		case err != nil:
			logger.Error("the catalogue was not reloaded; the one in force stays", "error", err)
		case applied:
			logger.Info("the catalogue was reloaded and is in force", "file", running.CataloguePath())
		default:
			logger.Info("the catalogue is as it was", "file", running.CataloguePath())
		}
	}
}

// explain says what to do about an error of starting. What fails because ctx has ended is nobody's fault.
func (c *serveCmd) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("stopped while it was starting")
	}
	var op *net.OpError
	if errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &op) {
		flag := "--listen"
		for name, given := range map[string]string{"--admin-listen": c.AdminListen, "--envoy-listen": c.EnvoyListen} {
			if address, e := net.ResolveTCPAddr("tcp", given); e == nil && op.Addr != nil && op.Addr.String() == address.String() {
				flag = name
			}
		}
		return fmt.Errorf("the address %v is in use: stop what listens there, or choose another with %s ADDR", op.Addr, flag)
	}
	return err
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-:@%+,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// withoutCoreDumps keeps the instance key out of files that nobody thinks of.
func withoutCoreDumps(logger *slog.Logger) {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		logger.Warn("core dumps stay on", "error", err)
	}
}
