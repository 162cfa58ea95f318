package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// upstream is the API behind the gateway. It answers with what it was asked, and remembers it.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// seen is one request as it came upstream. Target is the request line's, untouched.
type seen struct {
	Method, Target string
	Header         http.Header
}

func startUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{r.Method, r.RequestURI, r.Header.Clone()}
		u.mu.Lock()
		u.seen = append(u.seen, s)
		u.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.RequestURI, "/upstream-says-403") {
			w.WriteHeader(http.StatusForbidden)
		}
		_ = json.NewEncoder(w).Encode(s)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) address() string { return strings.TrimPrefix(u.URL, "http://") }

// take returns what came since the last time.
func (u *upstream) take() []seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.seen
	u.seen = nil
	return list
}
