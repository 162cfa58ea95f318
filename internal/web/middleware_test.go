package web_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// journal is a log that a test may read while handlers write it.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) at(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: level}))
}

func TestWrapSetsTheCommonHeaders(t *testing.T) {
	var seen string
	h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = web.RequestID(w)
		w.Header().Add("Referrer-Policy", "same-origin") // must not reach the next answer
		_, _ = io.WriteString(w, "hello")
	}), web.Options{})
	ids := map[string]bool{}
	for range 1000 {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", "inbound")
		h.ServeHTTP(w, r)
		id := w.Header().Get("X-Request-Id")
		if len(id) != 16 || strings.Trim(id, "0123456789abcdefghjkmnpqrstvwxyz") != "" || ids[id] || id != seen {
			t.Fatalf("request id %q, the handler saw %q, seen before: %v", id, seen, ids[id])
		}
		ids[id] = true
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Fatalf("X-Content-Type-Options %q", got)
		}
		if got := w.Header()["Referrer-Policy"]; len(got) != 2 || got[0] != "no-referrer" || got[1] != "same-origin" {
			t.Fatalf("Referrer-Policy %q", got)
		}
	}
}

func TestWrapAnswersForAPanic(t *testing.T) {
	var log journal
	srv := httptest.NewServer(web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/before":
			w.Header().Set("Set-Cookie", "half=made")
			panic("inside: secret")
		case "/after":
			_, _ = io.WriteString(w, "half an answer")
			w.(http.Flusher).Flush()
			panic(errors.New("inside"))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	}), web.Options{Logger: log.at(slog.LevelInfo)}))
	defer srv.Close()

	res, err := http.Get(srv.URL + "/before")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 500 || !strings.Contains(string(body), `"code":"internal"`) || strings.Contains(string(body), "secret") ||
		res.Header.Get("Set-Cookie") != "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %s %v", res.StatusCode, body, res.Header)
	}
	id := res.Header.Get("X-Request-Id")
	if got := log.String(); id == "" || !strings.Contains(string(body), id) || !strings.Contains(got, id) || !strings.Contains(got, "middleware_test.go") {
		t.Errorf("request id %q, body %s, log %s", id, body, got)
	}

	logged := len(log.String())
	if res, err = http.Get(srv.URL + "/after"); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half an answer looks whole: %q", body)
	}
	_ = res.Body.Close()
	if len(log.String()) == logged {
		t.Error("a panic after the answer began was not logged")
	}

	logged = len(log.String())
	if _, err = http.Get(srv.URL + "/abort"); err == nil || len(log.String()) != logged {
		t.Errorf("ErrAbortHandler: %v, logged %q", err, log.String()[logged:])
	}
}

func TestAccessLog(t *testing.T) {
	secret := "cfl_pat_4fZr81bQx0Lm0123456789abcdefghijklmnopqrst"
	serve := func(level slog.Level) string {
		var log journal
		h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "12345")
		}), web.Options{Logger: log.at(level), Proxies: proxies(t, "192.0.2.0/24")})
		r := httptest.NewRequest("DELETE", "/v1/tokens/"+secret+"/x?token="+secret, nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		h.ServeHTTP(sink{}, r)
		return log.String()
	}
	if got := serve(slog.LevelInfo); got != "" {
		t.Errorf("at level Info: %q", got)
	}
	got := serve(slog.LevelDebug)
	for _, want := range []string{"method=DELETE", "path=/v1/tokens/…/x", "status=418", "bytes=5", "ip=203.0.113.9", "request_id=", "took="} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, secret[8:20]) {
		t.Errorf("the log has the token: %s", got)
	}
}

func TestLoggerFindsItsWayThroughWrappers(t *testing.T) {
	var log journal
	web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.Logger(unwrapper{w}).Info("found")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flushing through Unwrap: %v", err)
		}
	}), web.Options{Logger: log.at(slog.LevelInfo)}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if !strings.Contains(log.String(), "request_id=") {
		t.Errorf("log %q", log.String())
	}
}

type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// A value that was cut short, or broken by a slash, has no segment too long to be an id: it is masked, in every line.
func TestLoggedPathIsMasked(t *testing.T) {
	const begun, secret = "/v1/tokens/cfl_pat_4fZr81bQx0Lm", "0123456789abcdefghijklmnopqrst"
	mask := func(path string) string {
		before, rest, _ := strings.Cut(path, "cfl_pat_")
		return before + "cfl_pat_" + strings.Repeat("x", len(rest))
	}
	for _, path := range []string{begun + secret[:24], begun + secret[:20] + "/" + secret[20:], begun + "%2F" + secret[:22], begun[:15] + "/" + begun[15:] + secret[:12] + "%20" + secret[12:]} {
		for name, answer := range map[string]http.HandlerFunc{
			"request":          func(http.ResponseWriter, *http.Request) {},
			"request failed":   func(w http.ResponseWriter, r *http.Request) { web.WriteProblem(w, r, errors.New("broken")) },
			"handler panicked": func(http.ResponseWriter, *http.Request) { panic("broken") },
		} {
			var log journal
			h := web.Wrap(answer, web.Options{Logger: log.at(slog.LevelDebug), Proxies: proxies(t, "192.0.2.0/24"), Mask: mask})
			h.ServeHTTP(sink{}, httptest.NewRequest("GET", path, nil))
			if got := log.String(); !strings.Contains(got, name) || strings.Contains(got, secret[:12]) || strings.Contains(got, secret[20:]) {
				t.Errorf("%s: %s: %s", path, name, got)
			}
			log = journal{}
			r := httptest.NewRequest("GET", "/", nil)
			r.Method = secret // curl -X "$TOKEN"
			web.Wrap(answer, web.Options{Logger: log.at(slog.LevelDebug), Proxies: proxies(t, "192.0.2.0/24"), Mask: mask}).ServeHTTP(sink{}, r)
			if got := log.String(); !strings.Contains(got, name) || strings.Contains(got, secret) {
				t.Errorf("as the method: %s: %s", name, got)
			}
		}
	}
}

// What a problem repeats of a request is masked, and the error, which others may hold as well, stays as it is.
func TestProblemsAreMasked(t *testing.T) {
	const secret = "0123456789abcdefghijklmnopqrst"
	refusal := counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/" + secret, Code: counterfoil.CodeValidationFailed, Detail: "there is no role " + secret}})
	h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web.WriteProblem(w, r, refusal) }),
		web.Options{Mask: func(text string) string { return strings.ReplaceAll(text, secret, "xxx") }})
	for range 2 {
		before := fmt.Sprintf("%+v", refusal)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := w.Body.String(); w.Code != 422 || strings.Contains(got, secret) || strings.Count(got, "xxx") < 3 || fmt.Sprintf("%+v", refusal) != before {
			t.Errorf("%d %s, and then %+v", w.Code, got, refusal)
		}
	}
}
