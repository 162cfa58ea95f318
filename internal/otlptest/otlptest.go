// Package otlptest is an OpenTelemetry collector for tests: it takes traces by OTLP over HTTP in protobuf, by the published
// messages, and keeps them in memory. It refuses to be more than that.
package otlptest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one that the collector took; its ids are in hex, those that it lacks are empty.
type Span struct {
	Name, Trace, ID, Parent string
	Kind, Status, State     string
	Attributes, Resource    map[string]string
	Events, Links           int
}

// Collector is safe for concurrent use.
type Collector struct {
	URL string

	mu      sync.Mutex
	spans   []Span
	bytes   []byte
	headers http.Header
	held    chan struct{}
	refuse  bool
	asked   chan struct{}
}

// New starts a Collector that ends with the test.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{asked: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.take)
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c.URL = server.URL
	return c
}

// Refuse has it take nothing, or take it again.
func (c *Collector) Refuse(refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = refuse
}

// Hold has it answer nobody until release is called.
func (c *Collector) Hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := make(chan struct{})
	c.held = held
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = nil
		close(held)
	})
}

// Asked receives once or more when requests have come.
func (c *Collector) Asked() <-chan struct{} { return c.asked }

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	select {
	case c.asked <- struct{}{}:
	default:
	}
	c.mu.Lock()
	held, refuse := c.held, c.refuse
	c.mu.Unlock()
	if refuse {
		http.Error(w, "not now", http.StatusBadRequest) // a status that is not tried again
		return
	}
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	var q collector.ExportTraceServiceRequest
	if r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &q) != nil {
		http.Error(w, "this is not OTLP in protobuf", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers, c.bytes = r.Header.Clone(), append(c.bytes, body...)
	for _, from := range q.GetResourceSpans() {
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, Span{
					Name: s.GetName(), Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
					Kind: s.GetKind().String(), Status: s.GetStatus().GetCode().String(), State: s.GetTraceState() + s.GetStatus().GetMessage(),
					Attributes: words(s.GetAttributes()), Resource: words(from.GetResource().GetAttributes()), Events: len(s.GetEvents()), Links: len(s.GetLinks()),
				})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func words(list []*common.KeyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			m[a.GetKey()] = a.GetValue().String()
		}
	}
	return m
}

// Spans are all that were taken.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Bytes are the bodies of all requests that were taken, one after the other.
func (c *Collector) Bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.bytes...)
}

// Headers are those of the last request.
func (c *Collector) Headers() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers
}
