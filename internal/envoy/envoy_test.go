package envoy_test

import (
	"context"
	"database/sql"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	_ "github.com/jackc/pgx/v5/stdlib"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/envoy"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/server"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Runner{M: m}.Run()) }

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// serve runs s until the test ends or stop is called.
func serve(t *testing.T, s *envoy.Server) (conn *grpc.ClientConn, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln, 10*time.Second); close(ended) }()
	stop = func() error { cancel(); return <-ended }
	t.Cleanup(func() { _ = stop() })
	return dial(t, ln.Addr().String()), stop
}

func question(token, path string, says map[string]string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{ContextExtensions: says, Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: path, Headers: map[string]string{"authorization": "Bearer " + token}},
	}}}
}

// understood is the question as the server reads it.
func understood(t *testing.T, q *authv3.CheckRequest) *envoy.CheckRequest {
	t.Helper()
	b, err := proto.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	r := new(envoy.CheckRequest)
	if err := proto.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A check whose caller has gone, or waits no longer, never says yes, also where the answer is in memory.
func TestDeadline(t *testing.T) {
	dir := t.TempDir()
	s := counterfoiltest.Start(t, counterfoiltest.WithConfig(func(c *server.Config) { c.Dir = dir }))
	s.Stop()
	core, err := server.Open(t.Context(), server.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	e := envoy.New(envoy.Config{Gate: &gateway.Gate{Verifier: core.Verifier}})
	q := understood(t, question(s.OwnerToken, "/api/devices", nil))
	if a, err := e.Check(t.Context(), q); err != nil || a.GetOkResponse() == nil {
		t.Fatal(a, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for want, ctx := range map[codes.Code]context.Context{codes.Canceled: gone, codes.DeadlineExceeded: late} {
		if a, err := e.Check(ctx, q); status.Code(err) != want || a != nil {
			t.Errorf("%v, %v; want %s", a, err, want)
		}
	}
	e = envoy.New(envoy.Config{Gate: &gateway.Gate{Verifier: core.Verifier}, Ready: func() bool { return false }})
	if a, err := e.Check(t.Context(), q); err != nil || a.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("before it is set up: %v, %v", a, err)
	}
}

// A database that does not answer costs a check its deadline and no more, and nobody gets in.
func TestStuckDatabase(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	s := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(url), counterfoiltest.WithConfig(func(c *server.Config) { c.EnvoyListen = "127.0.0.1:0" }))
	checks := authv3.NewAuthorizationClient(dial(t, s.EnvoyAddress))
	strict := question(s.OwnerToken, "/api/devices", map[string]string{"consistency": "strict"})
	if a, err := checks.Check(t.Context(), strict); err != nil || a.GetOkResponse() == nil {
		t.Fatal(a, err)
	}
	release := lock(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if a, err := checks.Check(ctx, strict); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("while the database is stuck: %v, %v", a, err)
	}
	release()
	if a, err := checks.Check(t.Context(), strict); err != nil || a.GetOkResponse() == nil {
		t.Errorf("afterwards: %v, %v", a, err)
	}
}

// lock keeps everybody from the tokens until release is called.
func lock(t *testing.T, url string) (release func()) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// A handler that panics lets nobody in, and the next question is answered.
func TestPanic(t *testing.T) {
	conn, _ := serve(t, envoy.New(envoy.Config{Gate: &gateway.Gate{}})) // without a verifier
	checks := authv3.NewAuthorizationClient(conn)
	for range 2 {
		if a, err := checks.Check(t.Context(), question(secret.Mint("cfl", "pat").Reveal(), "/", nil)); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("%v, %v", a, err)
		}
	}
	if a, err := checks.Check(t.Context(), question(strings.Repeat("x", 1<<20), "/", nil)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a question of a megabyte: %v, %v", a, err)
	}
	if a, err := checks.Check(t.Context(), &authv3.CheckRequest{}); err != nil || a.GetDeniedResponse().GetStatus().GetCode() != 401 {
		t.Errorf("the next question: %v, %v", a, err)
	}
}

// While it drains it says so, and still answers; when it stops, connections end in good order.
func TestStop(t *testing.T) {
	e := envoy.New(envoy.Config{Gate: &gateway.Gate{}})
	conn, stop := serve(t, e)
	checks, health := authv3.NewAuthorizationClient(conn), healthv1.NewHealthClient(conn)
	serving := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if a, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || a.GetStatus() != want {
			t.Errorf("%v, %v; want %s", a, err, want)
		}
		if _, err := checks.Check(t.Context(), &authv3.CheckRequest{}); err != nil {
			t.Error(err)
		}
	}
	serving(healthv1.HealthCheckResponse_SERVING)
	e.Drain()
	serving(healthv1.HealthCheckResponse_NOT_SERVING)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := checks.Check(t.Context(), &authv3.CheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}
