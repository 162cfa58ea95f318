// Package counterfoiltest runs a whole Counterfoil inside a test: a server on a loopback port of its own, prepared, with
// a client for everyone who matters. It refuses to fake anything: storage, check and API are the real ones.
package counterfoiltest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

// Catalogue is what a server knows of its product, unless WithCatalogue says otherwise.
const Catalogue = `permissions:
  - name: devices:read
    title: Read devices
    group: Devices
    description: List devices and show them.
    kinds: [personal, organization]
    default: true
    endpoints: ["GET /api/devices", "GET /api/devices/{id}"]
  - name: devices:write
    title: Change devices
    group: Devices
    description: Add, change and remove devices.
    kinds: [personal, organization]
    endpoints: ["POST /api/devices", "PUT /api/devices/{id}", "DELETE /api/devices/{id}"]
  - name: sites:read
    title: Read sites
    group: Sites
    description: List sites and show them.
    kinds: [personal, organization]
    default: true
    endpoints: ["GET /api/sites", "GET /api/sites/{id}"]
  - name: sites:write
    title: Change sites
    group: Sites
    description: Add, change and remove sites.
    kinds: [personal]
    endpoints: ["POST /api/sites", "PUT /api/sites/{id}"]
roles:
  - {name: operator, permissions: [devices:read, devices:write, sites:read]}
  - {name: viewer, permissions: [devices:read, sites:read]}
`

// Server is one running server with one organization and its owner. Its methods fail the test rather than return an
// error. It is safe for concurrent use, but for Stop and Restart.
type Server struct {
	URL, AdminURL string
	EnvoyAddress  string // of Envoy's external authorization, where WithConfig has it listen

	Organization struct{ ID, Slug string }
	Owner        struct{ ID, Email string } // a member of Organization
	OwnerToken   string                     // personal, with every permission that a personal token can hold
	SystemToken  string                     // with every permission

	t      testing.TB
	config server.Config
	logs   logs
	stop   context.CancelFunc // nil while stopped
	done   chan error
	count  counter

	transport http.Transport // of every client, so that stopping leaves no connection behind
}

// Option configures a Server.
type Option func(*options)

type options struct {
	catalogue string
	config    server.Config
}

// WithDatabaseURL uses a PostgreSQL database, which has to be empty, instead of SQLite.
func WithDatabaseURL(url string) Option { return func(o *options) { o.config.DatabaseURL = url } }

// WithCatalogue replaces Catalogue by the text of another catalogue file.
func WithCatalogue(text string) Option { return func(o *options) { o.catalogue = text } }

// WithClock makes now the server's clock.
func WithClock(now func() time.Time) Option { return func(o *options) { o.config.Now = now } }

// WithConfig changes the server's configuration before it starts.
func WithConfig(change func(*server.Config)) Option { return func(o *options) { change(&o.config) } }

// Start runs a server until the test ends. Its data is in a directory of the test's own.
func Start(t testing.TB, with ...Option) *Server {
	t.Helper()
	s := &Server{t: t}
	o := options{catalogue: Catalogue, config: server.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Version: "test",
		Logger: slog.New(slog.NewTextHandler(&s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	for _, option := range with {
		option(&o)
	}
	s.config = o.config
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", end(s.Logs(), 30))
		}
	})
	if err := s.setUp(o.catalogue); err != nil {
		t.Fatalf("setting up the server: %v", err)
	}
	s.start()
	return s
}

func (s *Server) setUp(catalogue string) error {
	ctx := context.Background()
	core, err := server.Open(ctx, s.config)
	if err != nil {
		return err
	}
	answer, err := core.Registry.SetUp(ctx, registry.SetupRequest{Organization: "Acme", Email: "owner@acme.example", Catalogue: catalogue})
	if err := cmp.Or(err, core.Close()); err != nil {
		return err
	}
	s.Organization.ID, s.Organization.Slug = answer.Organization.ID, answer.Organization.Slug
	s.Owner.ID, s.Owner.Email = answer.Owner.ID, answer.Owner.Email
	s.OwnerToken, s.SystemToken = answer.OwnerToken, answer.SystemToken
	return nil
}

// start serves. After the first time it keeps its addresses.
func (s *Server) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	running, err := server.Start(ctx, s.config)
	if err != nil {
		cancel()
		s.t.Fatalf("starting the server: %v", err)
	}
	s.stop, s.done = cancel, make(chan error, 1)
	s.URL, s.AdminURL = running.URL, running.AdminURL
	s.config.Listen = strings.TrimPrefix(s.URL, "http://")
	if s.AdminURL != "" {
		s.config.AdminListen = strings.TrimPrefix(s.AdminURL, "http://")
	}
	if s.EnvoyAddress = running.EnvoyAddress; s.EnvoyAddress != "" {
		s.config.EnvoyListen = s.EnvoyAddress
	}
	go func() { s.done <- running.Serve(ctx) }()
}

// Stop ends the server: requests under way finish, its data stays. A stopped server stays stopped.
func (s *Server) Stop() {
	s.t.Helper()
	if s.stop == nil {
		return
	}
	s.transport.CloseIdleConnections()
	s.stop()
	s.stop = nil
	if err := <-s.done; err != nil {
		s.t.Errorf("stopping the server: %v", err)
	}
}

// Restart ends the server, if it runs, and starts another on the same data and the same addresses.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
}

// Logs is everything that the server has logged so far, at every level.
func (s *Server) Logs() string { return s.logs.String() }

// Client presents the owner's token.
func (s *Server) Client() *client.Client { return s.As(s.OwnerToken) }

// System presents the system token.
func (s *Server) System() *client.Client { return s.As(s.SystemToken) }

// As presents any token.
func (s *Server) As(token string) *client.Client {
	return client.New(s.URL, token, client.WithHTTPClient(&http.Client{Transport: &s.transport}))
}

type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// end returns the last n lines of text.
func end(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-1-n):], "")
}

// counter makes names that do not repeat.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next(what string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return fmt.Sprintf("%s %d", what, c.n)
}
