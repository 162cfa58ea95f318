// Package tracing sends spans by OpenTelemetry's protocol over HTTP, where the environment names a collector. A span has
// names, codes and numbers out of fixed sets, ids that are random, and times. The package refuses to put anything into one
// that a caller or a customer wrote: no path, query, header, address, name, nor the text of an error.
//
// A nil *Tracer, and the zero Span, do nothing.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer begins spans and sends those that ended, in the background: a full queue loses spans and holds up nobody.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Open reads OpenTelemetry's variables from the process's environment. It returns nil where they name no collector, or say
// that nothing is to be traced. Close the Tracer.
func Open(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	if on, err := wanted(os.Getenv); !on || err != nil {
		return nil, err
	}
	otel.SetLogger(logr.Discard()) // it would print what it cannot read, secrets of headers as well
	sender, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "counterfoil"),
		attribute.String("service.version", version), attribute.String("service.instance.id", uuid.NewString())), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// The library reads its remaining variables itself, and has no other way to say what it cannot read.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("tracing", "error", err) }))
	p := sdk.NewTracerProvider(sdk.WithBatcher(&exporter{SpanExporter: sender, log: log}), sdk.WithResource(about))
	return &Tracer{provider: p, tracer: p.Tracer("github.com/counterfoil/counterfoil", trace.WithInstrumentationVersion(version))}, nil
}

// wanted reads whether spans are to be sent.
func wanted(getenv func(string) string) (bool, error) {
	first := func(names ...string) (name, value string) {
		for _, name := range names {
			if value := strings.TrimSpace(getenv(name)); value != "" {
				return name, value
			}
		}
		return "", ""
	}
	name, endpoint := first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch kind := getenv("OTEL_TRACES_EXPORTER"); kind {
	case "none":
		return false, nil
	case "", "otlp":
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is neither otlp nor none", kind)
	}
	// The library would go to another address than was meant, or sample otherwise, with no more than a warning.
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return false, fmt.Errorf("%s: give the whole URL, such as http://127.0.0.1:4318", name)
	} else if u.User != nil || u.RawQuery != "" { // the library leaves both out
		return false, fmt.Errorf("%s: a name, password or query in the URL is not sent; give what the collector wants to know in OTEL_EXPORTER_OTLP_HEADERS", name)
	}
	switch sampler := strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER")); strings.ToLower(sampler) {
	case "", "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio":
	default:
		return false, fmt.Errorf("OTEL_TRACES_SAMPLER: there is no sampler %q; take traceidratio, and OTEL_TRACES_SAMPLER_ARG=0.1 for a tenth", sampler)
	}
	if err := readable(getenv); err != nil {
		return false, err
	}
	switch name, protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "", "http/protobuf", "http/json":
	default:
		return false, fmt.Errorf("%s: traces are sent by http/protobuf or http/json, not by %q; a collector takes them on port 4318", name, protocol)
	}
	return true, nil
}

// Close sends what has ended, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the last traces were not sent: %w", err)
	}
	return nil
}

// exporter says once that the collector does not take spans, and once that it does again. What it did not take is lost.
type exporter struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing bool // ExportSpans is called by one at a time
	lost    int
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil:
		if e.lost += len(spans); !e.failing {
			e.failing = true
			e.log.Warn("traces are not taken by the collector; what it does not take is lost", "error", err)
		}
	case e.failing:
		e.log.Info("traces are taken by the collector again", "lost", e.lost)
		e.failing, e.lost = false, 0
	}
	return nil
}
