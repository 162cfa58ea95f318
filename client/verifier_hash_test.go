package client_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// hashes is a transport that counts reports with the hash of what was applied, and without.
type hashes struct{ with, without atomic.Int64 }

func (h *hashes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/verifiers/") {
		if r.Header.Get("Counterfoil-Applied-Hash") != "" {
			h.with.Add(1)
		} else {
			h.without.Add(1)
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Each report says of which log it is: one without counts for nothing once the log has become another.
func TestReportsSayOfWhichLog(t *testing.T) {
	s, line := counterfoiltest.Start(t), &hashes{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := must(client.NewVerifier(client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})), client.VerifierConfig{}))(t)
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	s.Token(t, "devices:read") // the log goes on
	with := line.with.Load()
	eventually(t, "it reports that", func() bool { return line.with.Load() > with })
	v.Close()
	if n := line.without.Load(); n > 0 {
		t.Errorf("%d reports of %d are without a hash", n, n+line.with.Load())
	}
}
