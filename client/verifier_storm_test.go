package client_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// overtaken is a transport that brings facts only after what they tell of was changed.
type overtaken struct {
	change func()
	facts  atomic.Int64
}

func (o *overtaken) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/facts") {
		o.facts.Add(1)
		o.change()
	}
	return answer, err
}

// A token that is changed faster than it can be learnt is asked about: a good one is not refused.
func TestVerifierInAStormOfChanges(t *testing.T) {
	s, line := counterfoiltest.Start(t), &overtaken{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	made := s.Token(t, "devices:read")
	line.change = func() { // answered when the verifier has applied it
		for _, paused := range []bool{true, false} {
			if _, err := s.Client().EditToken(t.Context(), current, made.Token.ID, counterfoil.Edit{Paused: &paused}); err != nil {
				t.Error(err)
			}
		}
	}
	v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	got, err := v.Verify(t.Context(), made.Secret, counterfoil.Attempt{Permissions: []string{"devices:read"}})
	if err != nil || !got.Active {
		t.Errorf("%+v, %v", got, err)
	}
	if n := line.facts.Load(); n != 3 {
		t.Errorf("facts were asked for %d times, not 3", n)
	}
	if v.Tokens() != 0 {
		t.Error("facts are kept that were out of date when they came")
	}
}
