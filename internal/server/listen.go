package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/api"
	"github.com/counterfoil/counterfoil/internal/console"
	"github.com/counterfoil/counterfoil/internal/envoy"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Server is a Core with its listeners.
type Server struct {
	*Core
	URL, AdminURL string // where it listens
	EnvoyAddress  string // host and port; empty: nowhere
	listeners     []*listener
}

// listener serves until ctx ends, and gives what is under way drain to finish. It owns the net.Listener.
type listener struct {
	net.Listener
	admin bool   // it serves until the others have ended
	drain func() // tells those who ask that the end is near; may be nil
	serve func(ctx context.Context, ln net.Listener, drain time.Duration) error
}

func (l *listener) http(s *http.Server) {
	l.serve = func(ctx context.Context, ln net.Listener, drain time.Duration) error {
		return web.Serve(ctx, s, ln, drain)
	}
}

// Start opens the service and its listeners. Serve runs them.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	if err := c.defaults(); err != nil {
		return nil, SettingError{err}
	}
	proxies, err := web.ParseProxies(c.TrustedProxies)
	if err != nil {
		return nil, SettingError{fmt.Errorf("trusted_proxies: %w", err)}
	}
	for _, p := range proxies {
		if p.Bits() == 0 {
			c.Logger.Warn("trusted_proxies names everybody: whoever asks can choose the address that IP filters judge", "network", p)
		}
	}
	core, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &Server{Core: core}
	defer func() {
		if err != nil {
			for _, l := range s.listeners {
				l.Close()
			}
			core.Close()
		}
	}()
	ready, err := core.Registry.IsSetUp(ctx)
	if err != nil {
		return nil, err
	}
	core.ready.Store(ready)
	core.waits.Store(!ready)
	if !ready {
		// The catalogue is applied with the set-up.
	} else if applied, err := core.ReloadCatalogue(ctx); err != nil {
		core.Config.Logger.Error("the catalogue in force stays as it was", "error", err)
	} else if applied {
		core.Config.Logger.Info("catalogue applied", "file", core.CataloguePath())
	}
	a, err := api.New(api.Config{Registry: core.Registry, Verifier: core.Verifier, Proxies: proxies, Logger: core.Config.Logger, Version: core.Config.Version, URL: core.Config.URL, Tracer: core.Config.Tracer, Checked: core.metrics.checked, ActivityRate: core.Config.ActivityRate})
	if err != nil {
		return nil, err
	}
	l, err := s.listen(core.Config.Listen)
	if err != nil {
		return nil, err
	}
	s.URL = l.url()
	if core.Registry.URL == "" {
		core.Registry.URL = s.URL // nobody is served before Serve
	}
	core.Registry.ConsoleURL = ConsoleURL(core.Config.URL, s.URL)
	if core.Identity, err = core.newIdentity(core.Registry.ConsoleURL); err != nil {
		return nil, err
	}
	core.notify()
	pages, err := console.New(console.Config{Registry: core.Registry, Identity: core.Identity, Proxies: proxies, Logger: core.Config.Logger, Tracer: core.Config.Tracer, Mask: core.Verifier.Masked,
		URL: core.Registry.ConsoleURL, Name: core.Config.SignIn.Product, Accent: core.Config.SignIn.Color, Logo: core.Config.SignIn.Logo})
	if err != nil { // a colour or a logo that is none
		return nil, SettingError{err}
	}
	shown, err := pages.Handler()
	if err != nil {
		return nil, err
	}
	public := web.NewServer(core.front(a.Handler(), a.Roots(), shown))
	public.RegisterOnShutdown(a.Drain)
	l.http(public)
	if core.Config.AdminListen != "-" {
		l, err := s.listen(core.Config.AdminListen)
		if err != nil {
			return nil, err
		}
		s.AdminURL, l.admin = l.url(), true
		l.http(web.NewServer(core.adminHandler()))
	}
	if core.Config.EnvoyListen != "" {
		l, err := s.listen(core.Config.EnvoyListen)
		if err != nil {
			return nil, err
		}
		s.EnvoyAddress = l.Addr().String()
		server := envoy.New(core.envoy(proxies))
		l.serve, l.drain = server.Serve, server.Drain
	}
	if err := core.beginLedger(); err != nil {
		return nil, err
	}
	core.push()
	return s, nil
}

func (c *Core) envoy(proxies web.Proxies) envoy.Config {
	checked := func(code counterfoil.Code) { c.metrics.checked("envoy", code) }
	return envoy.Config{Gate: &gateway.Gate{Verifier: c.Verifier, Proxies: proxies, Checked: checked}, Ready: c.ready.Load, Logger: c.Config.Logger, URL: c.Config.URL, Tracer: c.Config.Tracer}
}

func (s *Server) listen(address string) (*listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		err = fmt.Errorf("listening: %w", err)
		if errors.As(err, new(*net.AddrError)) { // it is no address at all
			err = SettingError{err}
		}
		return nil, err
	}
	made := &listener{Listener: l}
	s.listeners = append(s.listeners, made)
	return made, nil
}

func (l *listener) url() string { return "http://" + l.Addr().String() }

// SetupLink is the one-time address of the page that prepares an empty instance; empty where that is done.
func (s *Server) SetupLink(ctx context.Context) (string, error) {
	if s.ready.Load() {
		return "", nil
	}
	return s.Identity.SetupLink(ctx)
}

// drain is how long requests under way may take after the server was asked to stop.
const drain = 10 * time.Second

// ErrAtOnce is the cause of a context that ends because a person waits for the end: Serve skips DrainDelay.
var ErrAtOnce = errors.New("stopped by hand")

// Serve answers until ctx ends. Then /readyz says so for DrainDelay, while everything is still answered; then no more
// connections are taken, and the requests under way finish. The admin listener and the core come last: uses are written,
// and the node signs off.
func (s *Server) Serve(ctx context.Context) error {
	doors, shut := context.WithCancel(context.Background())
	defer shut()
	admin, shutAdmin := context.WithCancel(context.Background())
	defer shutAdmin()
	failed := make(chan error, len(s.listeners))
	var atDoors, atAdmin sync.WaitGroup
	for _, l := range s.listeners {
		ctx, group := doors, &atDoors
		if l.admin {
			ctx, group = admin, &atAdmin
		}
		group.Go(func() {
			if err := l.serve(ctx, l.Listener, drain); err != nil {
				failed <- err
				shut() // one that fails ends them all
			}
		})
	}
	select {
	case <-ctx.Done():
		s.draining.Store(true)
		s.awaitBalancers(ctx, doors)
	case <-doors.Done():
	}
	shut()
	atDoors.Wait()
	shutAdmin()
	atAdmin.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.Core.Close())...)
}

// awaitBalancers gives those who ask whether this node is ready time to hear that it is not.
func (s *Server) awaitBalancers(ctx, doors context.Context) {
	for _, l := range s.listeners {
		if l.drain != nil {
			l.drain()
		}
	}
	if s.Store.Alone() || errors.Is(context.Cause(ctx), ErrAtOnce) {
		return
	}
	s.Config.Logger.Info("draining: not ready any more; everything is still answered", "for", s.Config.DrainDelay)
	select {
	case <-time.After(s.Config.DrainDelay):
	case <-doors.Done():
	}
}
