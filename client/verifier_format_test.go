package client_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// newer is a transport that makes a server one of a newer version, which judges by more.
type newer struct{ facts atomic.Int64 }

func (n *newer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/facts") {
		return answer, err
	}
	n.facts.Add(1)
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	text = bytes.Replace(text, []byte(`"format":1,`), []byte(`"format":2,"unheard_of":"only at full moon",`), 1)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return answer, err
}

// What a newer server judges by, and this version does not know, is not judged by here: each check is asked about.
func TestVerifierOfAnOlderVersion(t *testing.T) {
	s, line := counterfoiltest.Start(t), &newer{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	made := s.Token(t, "devices:read")
	check := func(want counterfoil.Code) {
		t.Helper()
		got, err := v.Verify(t.Context(), made.Secret, counterfoil.Attempt{Permissions: []string{"devices:read"}})
		if err != nil || got.Code != want {
			t.Errorf("a check is %q (%v), not %q", got.Code, err, want)
		}
	}
	check(counterfoil.CodeOK)
	check(counterfoil.CodeOK)
	if _, err := s.Client().RevokeToken(t.Context(), current, made.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	check(counterfoil.CodeTokenRevoked)
	if v.Tokens() != 0 || line.facts.Load() != 1 {
		t.Errorf("%d values are remembered, and facts were asked for %d times", v.Tokens(), line.facts.Load())
	}
}
