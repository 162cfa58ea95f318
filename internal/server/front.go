package server

import (
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// front divides what comes in: the API has its roots, the console everything else. Before the instance is set up there is only the page that does it.
func (c *Core) front(api http.Handler, roots []string, console http.Handler) http.Handler {
	mine := map[string]bool{}
	for _, r := range roots {
		mine[r] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch {
		case !c.ready.Load() && first != "setup" && first != "assets":
			w.Header().Set("Retry-After", "60")
			web.WriteProblem(w, r, counterfoil.Refuse(counterfoil.CodeUnavailable, "This instance is not set up yet: open the one-time link that the server printed when it started."))
		case mine[first], first == "" && !strings.Contains(r.Header.Get("Accept"), "text/html"): // a program asks for /
			api.ServeHTTP(w, r)
		default:
			console.ServeHTTP(w, r)
		}
	})
}
