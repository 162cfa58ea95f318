package client_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// older is a transport that makes a server one of a version before, which knows no values before a rotation in reports.
type older struct{ told atomic.Int64 }

func (o *older) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/verifiers/") {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	if bytes.Contains(body, []byte("previous_until")) {
		problem := `{"status":422,"code":"validation_failed","title":"The request has invalid values"}`
		return &http.Response{StatusCode: 422, Header: http.Header{"Content-Type": {"application/problem+json"}}, Body: io.NopCloser(strings.NewReader(problem)), Request: r}, nil
	}
	if bytes.Contains(body, []byte(`"count"`)) {
		o.told.Add(1)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// A use of an old value reaches a server that does not tell values apart as a use of the token, and keeps no report back.
func TestVerifierOfANewerVersion(t *testing.T) {
	s, line := counterfoiltest.Start(t), &older{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
	made := s.Token(t, "devices:read")
	if _, err := s.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	for range 2 {
		if got, err := v.Verify(t.Context(), made.Secret, counterfoil.Attempt{}); err != nil || !got.Active {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	eventually(t, "its uses are told", func() bool { return line.told.Load() > 0 })
	eventually(t, "it answers by itself still", func() bool { return goesByMemory(v) })
}
