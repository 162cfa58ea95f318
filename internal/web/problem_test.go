package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// answer serves one request whose handler fails with err, and returns what the client and the log got.
func answer(t *testing.T, err error) (*httptest.ResponseRecorder, map[string]any, string) {
	t.Helper()
	var log strings.Builder
	h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"3"`)
		w.Header().Set("Content-Length", "12")
		web.WriteProblem(w, r, err)
	}), web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/organizations/org_1?secret=abc", nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	return w, body, log.String()
}

func TestWriteProblem(t *testing.T) {
	secret := errors.New("pq: relation tokens at /var/lib/x")
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		detail string
		header map[string]string
		logged bool
	}{
		{"a refusal speaks for itself", counterfoil.Refuse("name_taken", "Another filter has this name."), 409, "name_taken", "Another filter has this name.", nil, false},
		{"wrapped", fmt.Errorf("creating: %w", counterfoil.Refuse("in_use", "Two tokens use it.")), 409, "in_use", "Two tokens use it.", nil, false},
		{"no detail", &counterfoil.Error{Code: "not_found"}, 404, "not_found", "Not found.", nil, false},
		{"unknown error", secret, 500, "internal", "", nil, true},
		{"unknown code", counterfoil.Refuse("made_up", "pq: relation"), 500, "internal", "", nil, true},
		{"nil", nil, 500, "internal", "", nil, true},
		{"typed nil", (*counterfoil.Error)(nil), 500, "internal", "", nil, true},
		{"deadline", context.DeadlineExceeded, 500, "internal", "", nil, true},
		{"unavailable", fmt.Errorf("%w: %w", web.ErrUnavailable, secret), 503, "unavailable", "", map[string]string{"Retry-After": "1"}, true},
		{"refused as unavailable", counterfoil.Refuse("unavailable", "The log is silent."), 503, "unavailable", "The log is silent.", map[string]string{"Retry-After": "1"}, true},
		{"rate limited", web.RetryIn(counterfoil.Refuse("rate_limited", "Slower."), 1100*time.Millisecond), 429, "rate_limited", "Slower.", map[string]string{"Retry-After": "2"}, false},
		{"retry never at once", web.RetryIn(counterfoil.Refuse("rate_limited", "Slower."), 0), 429, "rate_limited", "Slower.", map[string]string{"Retry-After": "1"}, false},
		{"body limit of net/http", &http.MaxBytesError{Limit: 9}, 413, "body_too_large", "The body may have at most 9 bytes.", nil, false},
		{"nothing presented", counterfoil.Refuse("missing_credentials", "x"), 401, "missing_credentials", "x",
			map[string]string{"WWW-Authenticate": `Bearer realm="counterfoil"`}, false},
		{"bad token", counterfoil.Refuse("invalid_token", `a "quote"`), 401, "invalid_token", `a "quote"`,
			map[string]string{"WWW-Authenticate": `Bearer realm="counterfoil", error="invalid_token", error_description="The token is not valid"`}, false},
		{"expired token", counterfoil.Refuse("token_expired", ""), 401, "token_expired", "The token has expired.",
			map[string]string{"WWW-Authenticate": `Bearer realm="counterfoil", error="invalid_token", error_description="The token has expired"`}, false},
		{"scope", counterfoil.Refuse("missing_permission", "x"), 403, "missing_permission", "x",
			map[string]string{"WWW-Authenticate": `Bearer realm="counterfoil", error="insufficient_scope", error_description="The token lacks a permission"`}, false},
		{"no challenge for other 403s", counterfoil.Refuse("ip_not_allowed", "x"), 403, "ip_not_allowed", "x", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, body, log := answer(t, tt.err)
			if w.Code != tt.status || body["status"] != float64(tt.status) || body["code"] != tt.code {
				t.Errorf("got %d with %v, want %d %s", w.Code, body, tt.status, tt.code)
			}
			if body["type"] != "/docs/errors#"+tt.code || body["title"] != web.Title(counterfoil.Code(tt.code)) {
				t.Errorf("type %v, title %v", body["type"], body["title"])
			}
			if tt.detail != "" && body["detail"] != tt.detail || body["detail"] == "" {
				t.Errorf("detail %q, want %q", body["detail"], tt.detail)
			}
			if strings.Contains(w.Body.String(), "pq:") {
				t.Errorf("the client was told the inside: %s", w.Body)
			}
			if id := w.Header().Get("X-Request-Id"); body["request_id"] != id || len(id) != 16 {
				t.Errorf("request_id %v, header %q", body["request_id"], id)
			}
			want := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store",
				"WWW-Authenticate": "", "Retry-After": "", "Etag": "", "Content-Length": ""}
			for name, value := range tt.header {
				want[name] = value
			}
			for name, value := range want {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			if (log != "") != tt.logged {
				t.Errorf("logged %q, want logged: %v", log, tt.logged)
			}
			if tt.logged && !strings.Contains(log, w.Header().Get("X-Request-Id")) || strings.Contains(log, "abc") {
				t.Errorf("the log lacks the request id or has the query: %q", log)
			}
		})
	}
}

func TestProblemMembersThatMayBeAbsent(t *testing.T) {
	_, body, _ := answer(t, counterfoil.Refuse("not_found", ""))
	if _, ok := body["errors"]; ok {
		t.Error("errors is there without problems")
	}
	if _, ok := body["token"]; ok {
		t.Error("token is there without a token")
	}
	problems := []counterfoil.Problem{{Pointer: "/permissions/3", Code: "permission_not_held", Detail: "You do not hold it."}}
	_, body, _ = answer(t, counterfoil.Invalid(problems))
	got, err := json.Marshal(body["errors"])
	if want := `[{"code":"permission_not_held","detail":"You do not hold it.","pointer":"/permissions/3"}]`; err != nil || string(got) != want {
		t.Errorf("errors = %s, want %s", got, want)
	}
	_, body, _ = answer(t, &counterfoil.Error{Code: "already_created", Token: &counterfoil.Token{ID: "tok_1"}})
	if token, _ := body["token"].(map[string]any); token["id"] != "tok_1" {
		t.Errorf("token = %v", body["token"])
	}
	w, _, _ := answer(t, &counterfoil.Error{Code: "already_created", Token: &counterfoil.Token{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}})
	if w.Code != 409 {
		t.Errorf("a token that cannot be written as JSON made %d", w.Code)
	}
}

func TestClientThatLeftIsNoFailure(t *testing.T) {
	var log strings.Builder
	h := web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.WriteProblem(w, r, fmt.Errorf("asking: %w", r.Context().Err()))
	}), web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if log.Len() != 0 {
		t.Errorf("logged %q", log.String())
	}
}
