package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/counterfoil/counterfoil/internal/web"
)

// sink is the cheapest writer: what it costs is not ours.
type sink http.Header

func (s sink) Header() http.Header       { return http.Header(s) }
func (sink) WriteHeader(int)             {}
func (sink) Write(b []byte) (int, error) { return len(b), nil }

// check is all of this package that runs before a token check, behind a router of some size.
func check(tb testing.TB) (http.Handler, *http.Request) {
	mux := http.NewServeMux()
	trusted := proxies(tb, "10.0.0.0/8", "fd00::/8")
	for _, pattern := range []string{"GET /v1/organizations/{org}/tokens", "POST /v1/organizations/{org}/tokens", "GET /v1/organizations/{org}/tokens/{id}",
		"GET /v1/tokens/current", "GET /openapi.json", "GET /docs", "POST /oauth2/introspect", "POST /v1/verify/batch", "/v1/authorize"} {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	mux.HandleFunc("POST /v1/verify", func(w http.ResponseWriter, r *http.Request) {
		token, err := web.Credential(r)
		if err != nil || token == "" || !trusted.ClientIP(r).IsValid() || web.RequireJSON(r) != nil {
			tb.Error("the check was refused")
		}
	})
	r := httptest.NewRequest("POST", "/v1/verify", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("Authorization", "Bearer cfl_sys_4fZr81bQx0Lm0123456789abcdefghijklmnopqrst")
	r.Header.Set("Content-Type", "application/json")
	return web.Wrap(web.Mux404(mux), web.Options{Logger: slog.New(slog.DiscardHandler)}), r
}

func TestHotPathAllocations(t *testing.T) {
	h, r := check(t)
	w := sink{}
	if n := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) }); n > 3 {
		t.Errorf("%v allocations, the budget is 3", n)
	}
}

func BenchmarkHotPath(b *testing.B) {
	h, r := check(b)
	w := sink{}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkWrap(b *testing.B) {
	_, r := check(b)
	h := web.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), web.Options{Logger: slog.New(slog.DiscardHandler)})
	w := sink{}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkCredential(b *testing.B) {
	_, r := check(b)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = web.Credential(r)
	}
}

func BenchmarkClientIP(b *testing.B) {
	_, r := check(b)
	trusted := proxies(b, "10.0.0.0/8", "fd00::/8")
	b.ReportAllocs()
	for b.Loop() {
		_ = trusted.ClientIP(r)
	}
}
