package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/otlptest"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

func TestWanted(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 "
	for environment, want := range map[string]string{
		"":                    "off",
		"OTEL_SERVICE_NAME=x": "off",
		endpoint:              "on",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces":                                                 "on",
		endpoint + "OTEL_SDK_DISABLED=true":                                                                                  "off",
		endpoint + "OTEL_SDK_DISABLED=false":                                                                                 "on",
		endpoint + "OTEL_TRACES_EXPORTER=none":                                                                               "off",
		endpoint + "OTEL_TRACES_EXPORTER=otlp":                                                                               "on",
		endpoint + "OTEL_TRACES_EXPORTER=zipkin":                                                                             "OTEL_TRACES_EXPORTER",
		endpoint + "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf":                                                               "on",
		endpoint + "OTEL_EXPORTER_OTLP_PROTOCOL=grpc":                                                                        "OTEL_EXPORTER_OTLP_PROTOCOL",
		endpoint + "OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf":                       "on",
		"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318":                                                                         "OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318":                                                                         "OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://me:s3cret@127.0.0.1:4318":                                                       "OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://127.0.0.1/v1/traces?key=s3cret":                                          "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=authorization:s3cret":                                                         "OTEL_EXPORTER_OTLP_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b,s3cret":                                                            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=authorization=s3cret,b=c=d,":                                                  "on",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=authorization=s3cret%zz,b=c":                                                  "OTEL_EXPORTER_OTLP_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=authorization=s3cret%0A":                                                      "OTEL_EXPORTER_OTLP_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20s3cret%25":                                              "on",
		endpoint + "OTEL_EXPORTER_OTLP_HEADERS=my@key=s3cret,b=c":                                                            "OTEL_EXPORTER_OTLP_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_TRACES_HEADERS=auth:s3cret=,b=c":                                                      "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
		endpoint + "OTEL_EXPORTER_OTLP_TIMEOUT=10s":                                                                          "OTEL_EXPORTER_OTLP_TIMEOUT",
		endpoint + "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=0":                                                                     "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
		endpoint + "OTEL_EXPORTER_OTLP_TIMEOUT=10000":                                                                        "on",
		endpoint + "OTEL_EXPORTER_OTLP_CERTIFICATE=/nonexistent/s3cret.pem":                                                  "OTEL_EXPORTER_OTLP_CERTIFICATE",
		endpoint + "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=tracing.go":                                                        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
		endpoint + "OTEL_EXPORTER_OTLP_CLIENT_KEY=tracing.go":                                                                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY",
		endpoint + "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=tracing.go OTEL_EXPORTER_OTLP_CLIENT_KEY=x":                        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
		endpoint + "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE=tracing.go OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=tracing.go": "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
		endpoint + "OTEL_TRACES_SAMPLER=ratio":                                                                               "OTEL_TRACES_SAMPLER",
		endpoint + "OTEL_TRACES_SAMPLER=ParentBased_always_on":                                                               "on",
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":                                                                                   "off",
	} {
		on, err := wanted(func(name string) string {
			for _, v := range strings.Fields(environment) {
				if key, value, _ := strings.Cut(v, "="); key == name {
					return value
				}
			}
			return ""
		})
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: a header is repeated: %v", environment, err)
		}
		got := map[bool]string{true: "on", false: "off"}[on]
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("%q: %s, %v; want %s", environment, got, err, want)
		}
	}
}

// open is a Tracer that sends to c, and what it says.
func open(t *testing.T, c *otlptest.Collector) (*Tracer, *strings.Builder) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	said := new(strings.Builder)
	tracer, err := Open(t.Context(), "1.2.3", slog.New(slog.NewTextHandler(said, nil)))
	if err != nil || tracer == nil {
		t.Fatal(tracer, err)
	}
	return tracer, said
}

func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/v1/x", nil)
	r.Method, r.Pattern = method, "GET /v1/{x}"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// TestSpans: what the environment says is in force, and callers' traces go on.
func TestSpans(t *testing.T) {
	c := otlptest.New(t)
	t.Setenv("OTEL_SERVICE_NAME", "tokens")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=7")
	tracer, said := open(t, c)
	serve := func(r *http.Request, status int) {
		r, span := tracer.Request(r)
		_, child := tracer.Child(r.Context(), "child")
		child.End()
		span.Answered(r, status, "id")
	}
	serve(request("GET", "Traceparent: 00-"+callersTrace+"-"+callersSpan+"-01", "Tracestate: vendor=secret"), 200)
	serve(request("GET", "Traceparent: 00-"+callersTrace+"-"+callersSpan+"-00"), 201) // the caller does not record
	serve(request("GET", "Traceparent: secret"), 202)
	serve(request("GET", "Traceparent: 00-"+callersTrace+"-"+callersSpan+"-01", "Traceparent: 00-"+callersTrace+"-"+callersSpan+"-01"), 203)
	serve(request("SECRET"), 503)
	unmatched := request("GET")
	unmatched.Pattern = ""
	serve(unmatched, 0)
	if _, s := tracer.Child(t.Context(), "housekeeping"); s != (Span{}) {
		t.Error("a span without a request")
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := map[string]otlptest.Span{}
	for _, s := range c.Spans() {
		if s.Kind == "SPAN_KIND_SERVER" {
			spans[s.Attributes["http.response.status_code"]] = s
		} else if s.Name != "child" || s.Parent == "" {
			t.Errorf("%+v", s)
		}
		if s.State != "" || s.Events+s.Links != 0 {
			t.Errorf("more than was meant: %+v", s)
		}
		if r := s.Resource; r["service.name"] != "tokens" || r["service.version"] != "1.2.3" || r["deployment.environment.name"] != "test" || len(r["service.instance.id"]) != 36 {
			t.Errorf("sent by %v", r)
		}
	}
	for status, want := range map[string]otlptest.Span{
		"200": {Name: "GET /v1/{x}", Trace: callersTrace, Parent: callersSpan, Status: "STATUS_CODE_UNSET"},
		"202": {Name: "GET /v1/{x}", Status: "STATUS_CODE_UNSET"},
		"203": {Name: "GET /v1/{x}", Status: "STATUS_CODE_UNSET"},
		"503": {Name: "_OTHER /v1/{x}", Status: "STATUS_CODE_ERROR"},
		"":    {Name: "GET", Status: "STATUS_CODE_ERROR"},
	} {
		got := spans[status]
		if got.Name != want.Name || got.Parent != want.Parent || want.Trace != "" && got.Trace != want.Trace || got.Status != want.Status || got.Attributes["counterfoil.request_id"] != "id" {
			t.Errorf("%s: %+v", status, got)
		}
	}
	if len(c.Spans()) != 10 || strings.Contains(strings.ToLower(string(c.Bytes())), "secret") {
		t.Errorf("%d spans: %+v", len(c.Spans()), c.Spans())
	}
	if c.Headers().Get("X-Tenant") != "7" || said.Len() > 0 {
		t.Errorf("headers %v, said %s", c.Headers(), said)
	}
}

// TestSampler: the standard variable decides how much is sent.
func TestSampler(t *testing.T) {
	c := otlptest.New(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	tracer, _ := open(t, c)
	r, span := tracer.Request(request("GET"))
	span.Answered(r, 200, "id")
	if err := tracer.Close(t.Context()); err != nil || len(c.Spans()) != 0 {
		t.Error(c.Spans(), err)
	}
}

// TestStuckCollector: a collector that does not answer holds nobody up, costs a bounded number of spans, and the end its time.
func TestStuckCollector(t *testing.T) {
	const all = 8000
	c := otlptest.New(t)
	release := c.Hold()
	defer release()
	tracer, _ := open(t, c)
	for i := range all {
		r, span := tracer.Request(request("GET"))
		span.Answered(r, 200, "id")
		if i == 600 { // more than a batch: it is on its way and stays there
			<-c.Asked()
		}
	}
	if len(c.Spans()) != 0 {
		t.Fatal("the collector is not stuck")
	}
	release()
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(c.Spans()); n < 2048 || n > 2048+2*512 {
		t.Errorf("%d spans of %d were kept", n, all)
	}

	c.Hold()
	tracer, said := open(t, c)
	r, span := tracer.Request(request("GET"))
	span.Answered(r, 200, "id")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tracer.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the end of one whose collector is stuck: %v; %s", err, said)
	}
}

// TestRefused: that spans are not taken is said once, and that they are again.
func TestRefused(t *testing.T) {
	c := otlptest.New(t)
	tracer, said := open(t, c)
	for _, refuse := range []bool{true, true, false, false} {
		c.Refuse(refuse)
		r, span := tracer.Request(request("GET"))
		span.Answered(r, 200, "id")
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "traces are not taken by the collector") || !strings.HasSuffix(lines[1], "lost=2") || len(c.Spans()) != 2 {
		t.Error(said, c.Spans())
	}
}

// Without a Tracer nothing is allocated.
func TestOff(t *testing.T) {
	var none *Tracer
	r := request("GET")
	if n := testing.AllocsPerRun(100, func() {
		r, span := none.Request(r)
		ctx, child := none.Child(r.Context(), "child")
		_, database := none.Database(ctx, "read", "sqlite")
		database.Failed()
		database.End()
		child.Checked("api", "ok", false)
		child.End()
		span.Answered(r, 200, "id")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := none.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// BenchmarkRequest is what a request with its check costs beside itself: without a Tracer, with one that records nothing of
// it, and recorded. What is sent goes nowhere.
func BenchmarkRequest(b *testing.B) {
	c := otlptest.New(b)
	c.Refuse(true)
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	for _, sampler := range []string{"", "always_off", "always_on"} {
		b.Run("sampler="+sampler, func(b *testing.B) {
			var tracer *Tracer
			if sampler != "" {
				b.Setenv("OTEL_TRACES_SAMPLER", sampler)
				var err error
				if tracer, err = Open(b.Context(), "", slog.New(slog.DiscardHandler)); err != nil {
					b.Fatal(err)
				}
				defer tracer.Close(b.Context())
			}
			asked := request("GET")
			b.ReportAllocs()
			for b.Loop() {
				r, span := tracer.Request(asked)
				_, check := tracer.Child(r.Context(), "check")
				check.Checked("product", "ok", false)
				check.End()
				span.Answered(r, 200, "id")
			}
		})
	}
}
