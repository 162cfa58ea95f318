package e2e_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/counterfoil/counterfoil/internal/otlptest"
)

// TestTraces: the program sends what it has before it ends, and ends as well where nobody takes it. It is not parallel: the
// settings are the environment's.
func TestTraces(t *testing.T) {
	c := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL+"/v1/traces")
	in := serveNew(t, "")
	r, err := oneShot.Get("http://" + in.address + "/v1/authorize")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	in.stop(syscall.SIGTERM)
	spans := c.Spans()
	if len(spans) != 1 || spans[0].Name != "GET /v1/authorize" || spans[0].Resource["service.name"] != "counterfoil" || spans[0].Attributes["counterfoil.request_id"] != r.Header.Get("X-Request-Id") {
		t.Errorf("%+v", spans)
	}

	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"+freeAddress(t)+"/v1/traces")
	in.start()
	if r, err = oneShot.Get("http://" + in.address + "/v1/authorize"); err != nil || r.StatusCode != http.StatusUnauthorized {
		t.Fatal(r, err)
	}
	r.Body.Close()
	in.stop(syscall.SIGTERM)
	if !strings.Contains(in.logs(), "traces are not taken by the collector") {
		t.Error(in.logs())
	}
}
