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
type older struct{ told, refused atomic.Int64 }

func (o *older) RoundTrip(r *http.Request) (*http.Response, error) {
	return throughReports(r, func(body []byte) (wrongAt string) {
		if bytes.Contains(body, []byte("previous_until")) {
			o.refused.Add(1)
			return "/uses/0/previous_until"
		}
		if bytes.Contains(body, []byte(`"count"`)) {
			o.told.Add(1)
		}
		return ""
	})
}

// throughReports sends a request on, once see has seen it where it is a report; one that has something wrong at a JSON Pointer is
// refused in its place.
func throughReports(r *http.Request, see func(body []byte) (wrongAt string)) (*http.Response, error) {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/verifiers/") {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	if wrongAt := see(body); wrongAt != "" {
		return invalid(r, wrongAt), nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// invalid is the refusal of a request, in the service's words, for what is wrong at a JSON Pointer.
func invalid(r *http.Request, pointer string) *http.Response {
	problem := `{"status":422,"code":"validation_failed","title":"The request has invalid values","detail":"there is no such member",
		"errors":[{"pointer":"` + pointer + `","code":"validation_failed","detail":"there is no such member"}]}`
	return &http.Response{StatusCode: 422, Header: http.Header{"Content-Type": {"application/problem+json"}}, Body: io.NopCloser(strings.NewReader(problem)), Request: r}
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

// Steady use of an old value, beside a server that does not tell values apart, goes by memory all the time.
func TestVerifierOfANewerVersionInSteadyUse(t *testing.T) {
	s, line := counterfoiltest.Start(t), &older{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
	made := s.Token(t, "devices:read")
	must(s.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour))(t)
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	eventually(t, "as many reports of uses are refused as a lease has time for, and two more", func() bool {
		if got, err := v.Verify(t.Context(), made.Secret, counterfoil.Attempt{}); err != nil || !got.Active {
			t.Fatalf("%+v, %v", got, err)
		}
		if !goesByMemory(v) {
			t.Fatalf("after %d refused reports, and %d that told uses, it asks about each check", line.refused.Load(), line.told.Load())
		}
		return line.refused.Load() >= 6
	})
	if told, refused := line.told.Load(), line.refused.Load(); told < refused-1 {
		t.Errorf("%d reports told uses, though %d were refused", told, refused)
	}
}

// strict is a transport that refuses the first report of uses for something else, and notes whether later ones tell values apart.
type strict struct {
	refused atomic.Bool
	apart   atomic.Int64
	alike   atomic.Int64
}

func (o *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	return throughReports(r, func(body []byte) (wrongAt string) {
		switch {
		case !bytes.Contains(body, []byte(`"count"`)):
		case !o.refused.Swap(true):
			return "/uses/0/ip"
		case bytes.Contains(body, []byte("previous_until")):
			o.apart.Add(1)
		default:
			o.alike.Add(1)
		}
		return ""
	})
}

// What a server refuses for another reason is told again as it was: a use of an old value must not look like one of the present.
func TestRefusedReportKeepsValuesApart(t *testing.T) {
	s, line := counterfoiltest.Start(t), &strict{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
	made := s.Token(t, "devices:read")
	must(s.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour))(t)
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	for range 2 {
		must(v.Verify(t.Context(), made.Secret, counterfoil.Attempt{}))(t)
	}
	eventually(t, "its uses are told", func() bool { return line.apart.Load()+line.alike.Load() > 0 })
	if !line.refused.Load() || line.alike.Load() > 0 {
		t.Errorf("after a refusal %d reports told values apart, and %d did not", line.apart.Load(), line.alike.Load())
	}
}
