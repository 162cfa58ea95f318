//go:build hec

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// runTraces is the collector's receiver of traces: it appends each span to a file, as a line of JSON, until it is told to stop.
func runTraces(address, file string) error {
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	take, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error { return writeSpans(out, traces) })
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	server := confighttp.NewDefaultServerConfig()
	server.Endpoint, server.TLS = address, nil
	config.GRPC = configoptional.None[configgrpc.ServerConfig]()
	config.HTTP = configoptional.Some(otlpreceiver.HTTPConfig{ServerConfig: server, TracesURLPath: "/v1/traces"})
	receiver, err := factory.CreateTraces(ctx, receivertest.NewNopSettings(factory.Type()), config, take)
	if err != nil {
		return err
	}
	if err := receiver.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	<-ctx.Done()
	return receiver.Shutdown(context.Background())
}

func writeSpans(out *os.File, traces ptrace.Traces) error {
	var lines []byte
	for _, resource := range traces.ResourceSpans().All() {
		by := resource.Resource().Attributes().AsRaw()
		for _, scope := range resource.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				line, err := json.Marshal(map[string]any{"by": by, "name": s.Name(), "kind": s.Kind().String(), "trace": s.TraceID().String(), "span": s.SpanID().String(),
					"parent": s.ParentSpanID().String(), "attributes": s.Attributes().AsRaw()})
				if err != nil {
					return err
				}
				lines = append(append(lines, line...), '\n')
			}
		}
	}
	_, err := out.Write(lines)
	return err
}
