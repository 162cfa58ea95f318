// Package envoy is Envoy's external authorization over gRPC: envoy.service.auth.v3.Authorization/Check. The question is
// that of package gateway, with the same answers as forward authentication over HTTP. The package refuses to decide
// anything, and to say yes after the caller's deadline.
//
// Whoever reaches its listener is believed about the client's address, method and path. It is for Envoy alone.
package envoy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/tracing"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Config is what a Server needs. Gate is required.
type Config struct {
	Gate   *gateway.Gate
	Ready  func() bool // whether the instance is set up; nil: it is
	Logger *slog.Logger
	URL    string          // where clients reach the API, for the type of problems; empty: that is relative
	Tracer *tracing.Tracer // nil: nothing is traced
}

// Server answers Envoy. It serves grpc.health.v1 beside it.
type Server struct {
	Config
	server   *grpc.Server
	health   *health.Server
	failures web.Failures
}

// maxMessage bounds a question, in bytes: headers, and no body (leave with_request_body out of Envoy's configuration).
const maxMessage = 256 << 10

// New builds the server. Serve runs it.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &Server{Config: c, health: health.NewServer()}
	s.server = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxHeaderListSize(16<<10), grpc.MaxConcurrentStreams(1000), grpc.ConnectionTimeout(5*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true), grpc.UnaryInterceptor(s.rescue),
	)
	s.server.RegisterService(&authorization, s)
	healthv1.RegisterHealthServer(s.server, s.health)
	return s
}

// Drain has the health service say NOT_SERVING. Checks are answered as before.
func (s *Server) Drain() { s.health.Shutdown() }

// Serve answers on ln until ctx ends, then gives the checks under way drain to finish. It owns ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener, drain time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.Drain()
	late := time.AfterFunc(drain, s.server.Stop)
	s.server.GracefulStop()
	<-served
	if !late.Stop() {
		return fmt.Errorf("checks still running after %s were broken off", drain)
	}
	return nil
}

// rescue answers for a handler that panicked: nobody is let in.
func (s *Server) rescue(ctx context.Context, q any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.Logger.LogAttrs(ctx, slog.LevelError, "handler panicked", slog.String("method", info.FullMethod),
				slog.String("panic", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
			answer, err = nil, status.Error(codes.Internal, "The server failed.")
		}
	}()
	return handle(ctx, q)
}

// Check answers one question. A refusal, and that nobody knows, are answers; an error is for a caller that has gone or
// whose deadline has passed, and Envoy lets nobody in by it unless failure_mode_allow says so.
func (s *Server) Check(ctx context.Context, q *CheckRequest) (*CheckResponse, error) {
	if s.Ready != nil && !s.Ready() {
		return s.denied(counterfoil.Refuse(counterfoil.CodeUnavailable, "This instance is not set up yet.")), nil
	}
	v, err := s.Gate.Ask(ctx, asked(q.GetAttributes()))
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if err != nil {
		return s.denied(err), nil
	}
	return allowed(&v), nil
}

// denied is the problem that forward authentication answers with, under its own status: Envoy passes every one on.
func (s *Server) denied(err error) *CheckResponse {
	p := web.NewProblem(err)
	p.Type, p.RequestID = s.URL+p.Type, web.NewRequestID()
	if p.Status >= 500 {
		s.failures.Log(s.Logger, slog.LevelWarn, "check failed", err, slog.String("request_id", p.RequestID))
		p.Status = 503
	}
	return refusal(p)
}
