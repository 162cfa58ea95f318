package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestTraces: the collector takes what the program sends, gzipped too, and all of it before the program has ended.
func TestTraces(t *testing.T) {
	collector, api, file := freeAddress(t), freeAddress(t), filepath.Join(t.TempDir(), "spans")
	start(t, collector, receiver, "traces", collector, file)
	data := filepath.Join(t.TempDir(), "data")
	token := setUp(t, data)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+collector)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_SERVICE_NAME", "tokens")
	program := start(t, api, counterfoil, "serve", "--data", data, "--listen", api, "--admin-listen", "-")
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+api+"/v1/tokens/current", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Traceparent": {"00-" + trace + "-" + parent + "-01"}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	program.end(syscall.SIGTERM)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	type span struct {
		Name, Kind, Trace, Span, Parent string
		By, Attributes                  map[string]any
	}
	spans := map[string]span{}
	for line := range bytes.Lines(text) {
		var s span
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		spans[s.Name] = s
	}
	request, check := spans["GET /v1/tokens/current"], spans["check"]
	if request.Trace != trace || request.Parent != parent || request.Kind != "Server" || request.By["service.name"] != "tokens" || request.Attributes["http.response.status_code"] != 200.0 {
		t.Errorf("the request: %+v", request)
	}
	if check.Trace != trace || check.Parent != request.Span || check.Attributes["counterfoil.code"] != "ok" {
		t.Errorf("its check: %+v", check)
	}
	if bytes.Contains(text, []byte(token)) {
		t.Error("the token was sent")
	}
}
