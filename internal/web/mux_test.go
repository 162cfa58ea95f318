package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/web"
)

func TestMux404(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tokens/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("id")) })
	mux.HandleFunc("DELETE /tokens/{id}", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("GET /own", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "my own 404", 404) })
	mux.HandleFunc("GET /tree/", func(w http.ResponseWriter, r *http.Request) {})
	h := web.Wrap(web.Mux404(mux), web.Options{})
	tests := []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/tokens/tok_1", 200, "tok_1", ""},
		{"DELETE", "/tokens/tok_1", 204, "", ""},
		{"POST", "/tokens/tok_1", 405, `"code":"method_not_allowed"`, "DELETE, GET, HEAD"},
		{"GET", "/nothing", 404, `"code":"not_found"`, ""},
		{"POST", "/nothing", 404, `"code":"not_found"`, ""},
		{"GET", "//nothing", 404, `"code":"not_found"`, ""},
		{"GET", "/own", 404, "my own 404", ""},
		{"GET", "/tree", 307, "", ""},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q Allow %q, want %d %q Allow %q", tt.method, tt.path, w.Code, w.Body, w.Header().Get("Allow"), tt.status, tt.body, tt.allow)
		}
		if ours := strings.HasPrefix(tt.body, `"code"`); ours && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %q", tt.method, tt.path, w.Header().Get("Content-Type"))
		}
	}
}
