package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// front divides what comes in: the API has its roots, the console everything else. Before the instance is set up there is only the page that does it.
func (c *Core) front(api http.Handler, roots []string, console http.Handler) http.Handler {
	mine := map[string]bool{}
	for _, r := range roots {
		mine[r] = true
	}
	closed := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := counterfoil.Refuse(counterfoil.CodeUnavailable, "This instance is not set up yet: open the one-time link that the server printed when it started.")
		web.WriteProblem(w, r, web.RetryIn(err, time.Minute))
	}), web.Options{Logger: c.Config.Logger, Mask: c.Verifier.Masked, URL: c.Config.URL})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch {
		case !c.ready.Load() && first != "setup" && first != "assets":
			closed.ServeHTTP(w, r)
		case mine[first], first == "" && !strings.Contains(r.Header.Get("Accept"), "text/html"): // a program asks for /
			api.ServeHTTP(w, r)
		default:
			console.ServeHTTP(w, r)
		}
	})
}
