package web

import (
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Mux404 serves mux, with not_found and method_not_allowed (and its Allow) as problems where mux would answer in plain
// text. Answers of registered handlers pass untouched.
func Mux404(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") { // the mux would redirect
			WriteProblem(w, r, &counterfoil.Error{Code: counterfoil.CodeNotFound})
			return
		}
		h, pattern := mux.Handler(r)
		switch {
		case strings.Contains(pattern, "{"):
			mux.ServeHTTP(w, r) // not h: only the mux fills in path values
			return
		case pattern != "":
			r.Pattern = pattern
			h.ServeHTTP(w, r)
			return
		}
		probe := statusOnly{header: http.Header{}}
		h.ServeHTTP(&probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = probe.header["Allow"]
			WriteProblem(w, r, counterfoil.Refuse(counterfoil.CodeMethodNotAllowed, "This path does not take that method; Allow lists those that it takes."))
			return
		}
		WriteProblem(w, r, &counterfoil.Error{Code: counterfoil.CodeNotFound})
	})
}

// statusOnly is an answer nobody gets to see.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
