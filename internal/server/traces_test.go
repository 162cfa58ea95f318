package server_test

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/otlptest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/tracing"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// traced is a server whose spans go to a collector.
type traced struct {
	*counterfoiltest.Server
	*otlptest.Collector
	tracer *tracing.Tracer
}

func startTraced(t *testing.T, with ...counterfoiltest.Option) *traced {
	t.Helper()
	c := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tracer, err := tracing.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	with = append(with, counterfoiltest.WithConfig(func(c *server.Config) { c.Tracer, c.EnvoyListen = tracer, "127.0.0.1:0" }))
	return &traced{counterfoiltest.Start(t, with...), c, tracer}
}

// ask sends a request and returns the id that the answer has.
func (s *traced) ask(t *testing.T, method, target string, headers ...string) (status int, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.Server.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("X-Request-Id")
}

// end stops the server and returns every span that arrived, and the one of each request.
func (s *traced) end(t *testing.T) (all []otlptest.Span, of map[string]otlptest.Span) {
	t.Helper()
	s.Stop()
	if err := s.tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	of = map[string]otlptest.Span{}
	all = s.Spans()
	for _, span := range all {
		if id := span.Attributes["counterfoil.request_id"]; id != "" {
			of[id] = span
		}
	}
	return all, of
}

// below returns the names of the spans below one, each with what it says, in order.
func below(all []otlptest.Span, parent otlptest.Span) (names []string) {
	for _, s := range all {
		if s.Parent != parent.ID || s.Trace != parent.Trace {
			continue
		}
		name := s.Name
		for _, key := range []string{"counterfoil.audience", "counterfoil.code", "db.system.name"} {
			if value := s.Attributes[key]; value != "" {
				name += " " + value
			}
		}
		names = append(names, name)
		for _, deeper := range below(all, s) {
			names = append(names, name+" > "+deeper)
		}
	}
	slices.Sort(names)
	return names
}

// TestTraces: what a request did is below its span, and its span below the caller's.
func TestTraces(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	for name, test := range map[string]struct {
		engine string
		with   []counterfoiltest.Option
	}{
		"sqlite":   {"sqlite", nil},
		"postgres": {"postgresql", []counterfoiltest.Option{counterfoiltest.WithDatabaseURL(postgrestest.NewDatabase(t))}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTraced(t, test.with...)
			made := s.Token(t, "devices:read")
			bearer := "Authorization: Bearer " + made.Secret
			_, first := s.ask(t, "GET", "/v1/authorize", bearer, "Traceparent: 00-"+callersTrace+"-"+callersSpan+"-01")
			_, again := s.ask(t, "GET", "/v1/authorize?permission=devices:read", bearer)
			_, strict := s.ask(t, "GET", "/v1/authorize?consistency=strict", bearer)
			_, refused := s.ask(t, "GET", "/v1/authorize?permission=devices:write", bearer)
			_, unknown := s.ask(t, "GET", "/v1/authorize", bearer+"x")
			_, page := s.ask(t, "GET", "/sign-in", "Accept: text/html")
			_, nowhere := s.ask(t, "GET", "/v1/nowhere")
			if _, err := s.Client().RevokeToken(t.Context(), s.Organization.ID, made.Token.ID, ""); err != nil {
				t.Fatal(err)
			}
			conn, err := grpc.NewClient(s.EnvoyAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
			q := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Path: "/api/devices", Headers: map[string]string{"authorization": "Bearer " + made.Secret}}}}}
			if _, err := authv3.NewAuthorizationClient(conn).Check(ctx, q); err != nil {
				t.Fatal(err)
			}
			all, of := s.end(t)

			db := " " + test.engine
			for _, want := range []struct {
				id, name, status, parent string
				below                    []string
			}{
				{first, "GET /v1/authorize", "200", callersSpan, nil},
				{again, "GET /v1/authorize", "200", "", []string{"check product ok"}},
				{strict, "GET /v1/authorize", "200", "", []string{"check product ok", "check product ok > database read" + db}},
				{refused, "GET /v1/authorize", "403", "", []string{"check product missing_permission"}},
				{unknown, "GET /v1/authorize", "401", "", []string{"check product invalid_token"}},
				{page, "GET /sign-in", "200", "", nil},
				{nowhere, "GET", "404", "", nil},
			} {
				span := of[want.id]
				if span.Name != want.name || span.Attributes["http.response.status_code"] != want.status || span.Parent != want.parent || span.Status != "STATUS_CODE_UNSET" || span.Kind != "SPAN_KIND_SERVER" {
					t.Errorf("want %+v, got %+v", want, span)
				}
				names := below(all, span)
				for _, w := range want.below { // beside them, a look-up where the log has just told of the token
					if !slices.Contains(names, w) {
						t.Errorf("below %s: %q, want %q", want.name, names, w)
					}
				}
			}
			if names := below(all, of[first]); of[first].Trace != callersTrace || !slices.Contains(names, "check product ok > database look-up"+db) {
				t.Errorf("the first check of a token: %q", names)
			}
			found := map[string][]string{}
			for _, span := range all {
				if span.Kind == "SPAN_KIND_SERVER" {
					found[span.Name] = append(found[span.Name], below(all, span)...)
				} else if span.Parent == "" {
					t.Errorf("a span of no request: %+v", span)
				}
			}
			if names := found["DELETE /v1/organizations/{org}/tokens/{id}"]; !slices.Contains(names, "check api ok") || !slices.Contains(names, "database write"+db) {
				t.Errorf("a revocation: %q of %q", names, slices.Collect(maps.Keys(found)))
			}
			i := slices.IndexFunc(all, func(s otlptest.Span) bool { return s.Name == "envoy.service.auth.v3.Authorization/Check" })
			if i < 0 || all[i].Parent != callersSpan || all[i].Attributes["rpc.grpc.status_code"] != "0" || !slices.Contains(below(all, all[i]), "check product token_revoked") {
				t.Errorf("Envoy's check: %+v", all)
			}
		})
	}
}

// TestTracesHoldNothingOfCallers: whatever a caller writes, wherever, no span has it.
func TestTracesHoldNothingOfCallers(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	s := startTraced(t)
	made := s.Token(t, "devices:read")
	secret, canary := made.Secret, "canary-of-the-test"
	for _, text := range []string{secret, canary} {
		everywhere := []string{"X-API-Key: " + text, "Cookie: session=" + text, "User-Agent: " + text, "Referer: http://x/" + text, "X-Request-Id: " + text, "X-Forwarded-For: " + text,
			"X-Original-Method: " + text, "X-Original-URI: /" + text + "?" + text, "Baggage: a=" + text, "Tracestate: a=" + text,
			"Traceparent: 00-" + callersTrace + "-" + callersSpan + "-01"}
		for _, method := range []string{"GET", "POST", "DELETE", text} {
			for _, target := range []string{"/v1/authorize?permission=" + text, "/v1/" + text, "/" + text + "/" + text, "/v1/organizations/" + text + "/tokens/" + text, "/setup/" + text, "/oauth2/introspect?token=" + text} {
				s.ask(t, method, target, everywhere...)
				s.ask(t, method, target, "Authorization: Bearer "+text, "Traceparent: "+text)
			}
		}
		if _, err := s.System().Verify(t.Context(), counterfoil.Question{Token: text, Endpoint: "GET /" + text, Permissions: []string{text}}); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := s.end(t)
	if len(all) < 90 {
		t.Fatalf("only %d spans", len(all))
	}
	sent := s.Bytes()
	for _, text := range []string{secret, canary, s.OwnerToken, s.SystemToken, s.Organization.ID, s.Owner.ID, made.Token.ID, "127.0.0.1"} {
		if bytes.Contains(sent, []byte(text)) {
			t.Errorf("%q was sent", text)
		}
	}
	allowed := []string{"http.request.method", "http.route", "http.response.status_code", "counterfoil.request_id", "counterfoil.audience", "counterfoil.code", "counterfoil.strict", "db.system.name"}
	for _, span := range all {
		for key := range span.Attributes {
			if !slices.Contains(allowed, key) {
				t.Errorf("%s has the attribute %s", span.Name, key)
			}
		}
		if span.Events+span.Links > 0 || span.State != "" {
			t.Errorf("more than was meant: %+v", span)
		}
	}
}
