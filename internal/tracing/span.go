package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Span is one piece of work. End it.
type Span struct{ span trace.Span }

// Child begins a span below that of ctx. Where ctx has none, or one that nobody records, there is none: the service's own
// housekeeping is not traced.
func (t *Tracer) Child(ctx context.Context, name string) (context.Context, Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, Span{span}
}

// Database is Child for one transaction; engine is sqlite or postgresql.
func (t *Tracer) Database(ctx context.Context, name, engine string) (context.Context, Span) {
	ctx, s := t.Child(ctx, name)
	if s.span != nil {
		s.span.SetAttributes(attribute.String("db.system.name", engine))
	}
	return ctx, s
}

// Request begins the span of an HTTP request, below the caller's if it sent a traceparent. The request that it returns is
// the one to serve: its Pattern names the span when it was Answered.
func (t *Tracer) Request(r *http.Request) (*http.Request, Span) {
	if t == nil {
		return r, Span{}
	}
	ctx, span := t.tracer.Start(above(r.Context(), r.Header.Values("traceparent")), methodOf(r), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", methodOf(r))))
	return r.WithContext(ctx), Span{span}
}

// Answered ends the span of r: with its route, its status, and the id that the answer and the service's log name it by.
// A status of 0 means that it was broken off.
func (s Span) Answered(r *http.Request, status int, requestID string) {
	if s.span == nil {
		return
	}
	route := r.Pattern[strings.IndexByte(r.Pattern, ' ')+1:] // of "GET /v1/self"
	if route != "" {
		s.span.SetName(methodOf(r) + " " + route)
		s.span.SetAttributes(attribute.String("http.route", route))
	}
	s.span.SetAttributes(attribute.String("counterfoil.request_id", requestID))
	if status != 0 {
		s.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if status == 0 || status >= 500 {
		s.Failed()
	}
	s.End()
}

// Call begins the span of a gRPC call to a method of ours, such as "envoy.service.auth.v3.Authorization/Check", below the
// caller's if it sent a traceparent.
func (t *Tracer) Call(ctx context.Context, method string, traceparent []string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(above(ctx, traceparent), method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("rpc.system", "grpc")))
	return ctx, Span{span}
}

// Returned ends the span of a call with gRPC's status code; 0 is OK.
func (s Span) Returned(code int) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(attribute.Int("rpc.grpc.status_code", code))
	if code != 0 {
		s.Failed()
	}
	s.End()
}

// Checked says what was asked about a token and what was answered, which is one of the codes of the API.
func (s Span) Checked(audience, code string, strict bool) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String("counterfoil.audience", audience), attribute.String("counterfoil.code", code), attribute.Bool("counterfoil.strict", strict))
	}
}

// Failed says that the service failed in it. A refusal is no failure.
func (s Span) Failed() {
	if s.span != nil {
		s.span.SetStatus(codes.Error, "")
	}
}

// End ends it.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// above puts the caller's span above what begins in ctx, by its W3C traceparent. Its tracestate and baggage are not taken:
// they are text that a caller wrote.
func above(ctx context.Context, traceparent []string) context.Context {
	if len(traceparent) != 1 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent[0]})
}

// methodOf is a method that HTTP knows; any other is text that a caller wrote.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}
