package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// Facts that were read before the log was begun anew may lack a change between, which no stream will tell: they are not kept.
func TestVerifierBeginsAnew(t *testing.T) {
	var end atomic.Int64 // of the log
	var revoked atomic.Bool
	var streams, questions atomic.Int64
	end.Store(5)
	cut, second, asked, answer := make(chan struct{}), make(chan struct{}), make(chan struct{}, 10), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/changes", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		first := streams.Add(1) == 1
		if !first {
			select {
			case <-second:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "id: %d\ndata: {\"number\":%d,\"changes\":[]}\n\n", end.Load(), end.Load())
		_ = http.NewResponseController(w).Flush()
		if first {
			<-cut
			_, _ = w.Write([]byte("event: problem\ndata: {\"code\":\"cursor_expired\",\"detail\":\"x\"}\n\n"))
			return
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("PUT /v1/verifiers/{id}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"number":%d,"lease_ms":2000}`, end.Load())
	})
	mux.HandleFunc("DELETE /v1/verifiers/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("POST /v1/verifiers/{id}/facts", func(w http.ResponseWriter, _ *http.Request) {
		f := counterfoil.Facts{Format: counterfoil.FactsFormat, Token: counterfoil.FactsToken{ID: "tok_abcdefghijkl", Kind: counterfoil.KindSystem, RenewedAt: 1, Revoked: revoked.Load()},
			Catalogue: counterfoil.FactsCatalogue{Version: "1", Permissions: []counterfoil.Permission{{Name: "devices:read"}}}}
		if questions.Add(1) == 1 {
			asked <- struct{}{}
			<-answer
		}
		_ = json.NewEncoder(w).Encode(counterfoil.FactsAnswer{Code: counterfoil.CodeOK, Facts: &f})
	})
	mux.HandleFunc("POST /v1/verify", func(w http.ResponseWriter, _ *http.Request) {
		v := counterfoil.Verdict{Active: true, Code: counterfoil.CodeOK}
		if revoked.Load() {
			v = counterfoil.Verdict{Code: counterfoil.CodeTokenRevoked}
		}
		_ = json.NewEncoder(w).Encode(v)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	v := newVerifier(t, client.New(s.URL, "x"))
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = v.Verify(t.Context(), "value", counterfoil.Attempt{})
	}()
	<-asked
	close(cut)
	eventually(t, "it has forgotten", func() bool { return !goesByMemory(v) })
	close(answer)
	<-done
	revoked.Store(true)
	end.Store(9)
	close(second)
	eventually(t, "it answers by itself again", func() bool { return goesByMemory(v) })
	got, err := v.Verify(t.Context(), "value", counterfoil.Attempt{})
	if err != nil || got.Code != counterfoil.CodeTokenRevoked {
		t.Errorf("what was revoked before the log was begun anew is %q (%v)", got.Code, err)
	}
}

func goesByMemory(v *client.Verifier) bool { _, ok := v.Staleness(); return ok }

func newVerifier(t *testing.T, c *client.Client) *client.Verifier {
	t.Helper()
	v := must(client.NewVerifier(c, client.VerifierConfig{}))(t)
	t.Cleanup(v.Close)
	return v
}

func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	(&local{t: t}).until(what, met)
}
