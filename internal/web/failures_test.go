package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// A database that is away fails every request, and has a line a second in the log, which counts them. Failures that nobody
// expects have a line each.
func TestFailuresAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		var failing error
		h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web.WriteProblem(w, r, failing) }), web.Options{Logger: log.at(slog.LevelInfo)})
		away := errors.Join(counterfoil.Refuse(counterfoil.CodeUnavailable, ""), errors.New("dial error"))
		ask := func(err error, times int) {
			failing = err
			for range times {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
		}
		lines := func() (n int) { synctest.Wait(); return strings.Count(log.String(), "request failed") }
		ask(away, 1)
		if n := lines(); n != 1 {
			t.Fatalf("the first failure has %d lines", n)
		}
		ask(away, 99)
		ask(errors.New("a fault of ours"), 3)
		if n := lines(); n != 4 {
			t.Errorf("99 more within the second, and 3 of another kind, have %d lines", n-1)
		}
		for second := range 3 {
			time.Sleep(time.Second)
			if n := lines(); n != 5+second || !strings.Contains(log.String(), "times="+fmt.Sprint(99-second)) {
				t.Errorf("after %d s there are %d lines: %s", second+1, n, log.String())
			}
			ask(away, 98-second)
		}
		time.Sleep(time.Minute)
		if n := lines(); n != 8 {
			t.Errorf("a minute later there are %d lines", n)
		}
		ask(away, 1)
		if n := lines(); n != 9 {
			t.Errorf("the next outage has %d lines at once", n-8)
		}
		time.Sleep(time.Minute)
	})
}
