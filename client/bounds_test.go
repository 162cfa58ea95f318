package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/client"
)

// A list whose pages lead in a circle ends with an error.
func TestPagesInACircle(t *testing.T) {
	var pages atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		next := "ab"[pages.Add(1)%2:][:1]
		_, _ = io.WriteString(w, `{"data":[],"next_cursor":"`+next+`"}`)
	}))
	t.Cleanup(s.Close)
	for _, err := range client.New(s.URL, "x").Tokens(t.Context(), "acme", client.TokenQuery{}) {
		if err == nil || !strings.Contains(err.Error(), "does not move on") {
			t.Errorf("the list ends with %v", err)
		}
	}
	if n := pages.Load(); n != 3 {
		t.Errorf("%d pages were read", n)
	}
}

// An answer that is too long is an error, not half of it.
func TestAnswerTooLong(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[]}`+strings.Repeat(" ", 32<<20))
	}))
	t.Cleanup(s.Close)
	if _, err := client.New(s.URL, "x").ListEvents(t.Context(), "acme", client.EventQuery{}); err == nil || !strings.Contains(err.Error(), "longer than 32 MiB") {
		t.Errorf("the answer is %v", err)
	}
}

// A stream for which there is no place yet is asked for again, when the server says.
func TestStreamWaitsForItsPlace(t *testing.T) {
	var tries atomic.Int64
	var refused time.Time
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) == 1 {
			refused = time.Now()
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"code":"rate_limited","detail":"Too many streams are open."}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: 1\ndata: {\"action\":\"token_created\"}\n\n")
	}))
	t.Cleanup(s.Close)
	for e, err := range client.New(s.URL, "x").StreamEvents(t.Context(), "acme", client.EventQuery{}) {
		if err != nil || e.Action != "token_created" || time.Since(refused) < time.Second {
			t.Errorf("%q after %v: %v", e.Action, time.Since(refused), err)
		}
		break
	}
}
