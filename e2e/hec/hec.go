//go:build hec

// Command hec is the OpenTelemetry collector's Splunk HEC receiver, or its receiver of traces, and nothing else: it appends each
// event or span that it takes to a file, as a line of JSON, before it answers. The build tag keeps its many dependencies away from vet and the other tools; the
// test builds it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/ackextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/splunkhecreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	var err error
	if os.Args[1] == "traces" {
		err = runTraces(os.Args[2], os.Args[3])
	} else {
		err = run(os.Args[1], os.Args[2], os.Args[3], os.Args[4] == "ack")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var (
	ackID  = component.MustNewID("ack")
	authID = component.MustNewID("token")
)

// host is what the receiver finds its extensions in.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// tokens lets in whoever presents the token as Splunk's clients do.
type tokens string

func (tokens) Start(context.Context, component.Host) error { return nil }
func (tokens) Shutdown(context.Context) error              { return nil }

func (t tokens) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	if got := headers["Authorization"]; len(got) != 1 || got[0] != "Splunk "+string(t) {
		return ctx, errors.New("invalid token")
	}
	return ctx, nil
}

// run receives until it is told to stop.
func run(address, file, token string, ack bool) error {
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := out.WriteString("\n"); err != nil { // a receiver that was killed may have left half a line
		return err
	}
	take, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error { return write(out, logs) })
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	factory := splunkhecreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*splunkhecreceiver.Config)
	config.Endpoint = address
	config.Auth = &confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: authID}}
	extensions := host{authID: tokens(token)}
	if ack {
		made := ackextension.NewFactory()
		e, err := made.Create(ctx, extensiontest.NewNopSettings(made.Type()), made.CreateDefaultConfig())
		if err != nil {
			return err
		}
		extensions[ackID], config.Extension = e.(extension.Extension), &ackID
	}
	for _, e := range extensions {
		if err := e.Start(ctx, extensions); err != nil {
			return err
		}
	}
	settings := receivertest.NewNopSettings(factory.Type())
	settings.TelemetrySettings = componenttest.NewNopTelemetrySettings()
	receiver, err := factory.CreateLogs(ctx, settings, config, take)
	if err != nil {
		return err
	}
	if err := receiver.Start(ctx, extensions); err != nil {
		return err
	}
	<-ctx.Done()
	return receiver.Shutdown(context.Background())
}

// write appends the events with what they came as.
func write(out *os.File, logs plog.Logs) error {
	var lines []byte
	for _, resource := range logs.ResourceLogs().All() {
		as := resource.Resource().Attributes().AsRaw()
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				line, err := json.Marshal(map[string]any{"as": as, "time": record.Timestamp().AsTime(), "event": record.Body().AsRaw()})
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
