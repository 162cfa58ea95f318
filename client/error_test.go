package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

func TestRefusals(t *testing.T) {
	s := counterfoiltest.Start(t)
	_, viewer := s.Member(t, "viewer")
	for _, test := range []struct {
		name   string
		do     func(...client.CallOption) error
		status int
		code   counterfoil.Code
		want   string // in the text of the error
	}{
		{"no token", func(o ...client.CallOption) error { _, err := s.As("").CurrentToken(t.Context(), o...); return err },
			401, counterfoil.CodeMissingCredentials, "reading the current token: missing_credentials: "},
		{"an unknown token", func(o ...client.CallOption) error {
			_, err := s.As("cfl_pat_x").Policies(t.Context(), current, o...)
			return err
		},
			401, counterfoil.CodeInvalidToken, "listing the policies: invalid_token: "},
		{"a right that is missing", func(o ...client.CallOption) error { return viewer.RemoveMember(t.Context(), current, s.Owner.ID, o...) },
			403, counterfoil.CodeMissingPermission, "removing a member: missing_permission: "},
		{"nothing there", func(o ...client.CallOption) error {
			_, err := s.Client().Token(t.Context(), current, "tok_0", o...)
			return err
		},
			404, counterfoil.CodeNotFound, "reading a token: not_found: "},
		{"a conflict", func(o ...client.CallOption) error {
			return s.Client().RemoveMember(t.Context(), current, s.Owner.ID, o...)
		},
			409, counterfoil.CodeLastOwner, "removing a member: last_owner: "},
		{"faults", func(o ...client.CallOption) error {
			_, err := s.Client().CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"no:such"}}, o...)
			return err
		}, 422, counterfoil.CodeValidationFailed, "/permissions/0: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var meta client.Response
			err := test.do(client.Into(&meta))
			var (
				outer *client.Error
				inner *counterfoil.Error
			)
			if !errors.As(err, &outer) || !errors.As(err, &inner) || outer.Err != inner || !errors.Is(err, &counterfoil.Error{Code: test.code}) {
				t.Fatalf("it is %T: %v", err, err)
			}
			if outer.Status != test.status || inner.Detail == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it is %d, %v; want %d and %s", outer.Status, err, test.status, test.want)
			}
			if outer.RequestID == "" || meta.RequestID != outer.RequestID || meta.Status != test.status || !strings.Contains(err.Error(), outer.RequestID) {
				t.Errorf("the request is %q in %v, %+v beside it", outer.RequestID, err, meta)
			}
		})
	}
}

// TestOtherAnswers are those of servers that are not this one.
func TestOtherAnswers(t *testing.T) {
	html := map[string]string{"Content-Type": "text/html", "Retry-After": "7", "X-Request-Id": "req_7"}
	for _, test := range []struct {
		name   string
		answer answer
		code   counterfoil.Code
		after  time.Duration
	}{
		{"a proxy without its server", answer{status: 502, header: html, body: "<h1>Bad Gateway</h1>"}, counterfoil.CodeUnavailable, 7 * time.Second},
		{"a proxy that limits", answer{status: 429, header: html}, counterfoil.CodeRateLimited, 7 * time.Second},
		{"another server's page", answer{status: 404, header: html, body: "<h1>Not found</h1>"}, client.CodeUnexpectedAnswer, 7 * time.Second},
		{"another API's problem", answer{status: 400, header: map[string]string{"Content-Type": "application/problem+json"}, body: `{"title":"no"}`}, client.CodeUnexpectedAnswer, 0},
		{"a page in place of an answer", answer{status: 200, header: html, body: "<h1>Welcome</h1>"}, client.CodeUnexpectedAnswer, 0},
		{"nothing in place of an answer", answer{status: 200}, client.CodeUnexpectedAnswer, 0},
		{"not modified", answer{status: 304}, client.CodeUnexpectedAnswer, 0},
		{"our own limit", problem(429, "rate_limited", "Retry-After", "3"), counterfoil.CodeRateLimited, 3 * time.Second},
		{"a limit that makes no sense", problem(429, "rate_limited", "Retry-After", "-3"), counterfoil.CodeRateLimited, 0},
		{"a code of the future", problem(418, "teapot"), "teapot", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer { return test.answer }).client()))
			got, err := c.CurrentToken(t.Context())
			var refused *client.Error
			if !errors.As(err, &refused) || refused.Err.Code != test.code || refused.Status != test.answer.status || refused.RetryAfter != test.after || got.ID != "" {
				t.Errorf("it is %#v: %v", refused, err)
			}
			if id := test.answer.header["X-Request-Id"]; id != "" && refused.RequestID != id {
				t.Errorf("the request is %q, want %q", refused.RequestID, id)
			}
		})
	}
	date := problem(429, "rate_limited", "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer { return date }).client()))
	var refused *client.Error
	if _, err := c.CurrentToken(t.Context()); !errors.As(err, &refused) || refused.RetryAfter < 59*time.Minute || refused.RetryAfter > time.Hour {
		t.Errorf("a date is read as %v", refused.RetryAfter)
	}
}

func TestServerGone(t *testing.T) {
	s := counterfoiltest.Start(t)
	c := s.Client()
	s.Stop()
	_, err := c.CreateToken(t.Context(), current, counterfoil.Draft{})
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "creating a token: no answer from "+s.URL+": ") {
		t.Errorf("it is %v", err)
	}
	if _, err := c.CurrentToken(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a read is %v", err)
	}
	s.Restart()
	if _, err := c.CurrentToken(t.Context()); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

const canary = "cfl_pat_CanaryCanary0Secret0Secret0Secret0Secret0"

// unseen fails when text holds any part of the canary.
func unseen(t *testing.T, what, text string) {
	t.Helper()
	for _, part := range []string{"Canary", "Secret", fmt.Sprintf("%x", "Secret"), fmt.Sprintf("%X", "Secret")} {
		if strings.Contains(text, part) {
			t.Errorf("%s shows the token: %s", what, text)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	c := client.New("https://tokens.example.com", canary)
	holder := struct {
		Client *client.Client
		Value  client.Client
		hidden client.Client
		deep   *client.Client
	}{c, *c, *c, c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for name, v := range map[string]any{"a pointer": c, "a value": *c, "a field": holder, "a pointer to a field": &holder, "a slice": []client.Client{*c}, "a map": map[string]*client.Client{"c": c}} {
			unseen(t, verb+" of "+name, fmt.Sprintf(verb, v))
		}
	}
	if got := fmt.Sprintf("%+v", c); !strings.Contains(got, "tokens.example.com") {
		t.Errorf("it prints as %s", got)
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	unseen(t, "JSON", string(text))
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "client", c, "value", *c, "holder", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "client", c, "value", *c, "holder", holder)
	unseen(t, "a log", log.String())
}

// TestTokenIsNotInErrors goes through what can fail before the server has answered, the token being in the right place
// or, by mistake, in another.
func TestTokenIsNotInErrors(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/", http.StatusFound) }))
	defer loop.Close()
	echo := client.WithHTTPClient(answering(func(request) answer { return answer{status: 500, body: canary} }).client())
	for name, c := range map[string]*client.Client{
		"a server that is gone":           client.New(gone.URL, canary),
		"a redirect in circles":           client.New(loop.URL, canary),
		"a token of two lines":            client.New(gone.URL, canary+"\nX-Other: "+canary),
		"a token in place of the URL":     client.New(canary, canary),
		"a token in the URL":              client.New("https://"+canary+"@tokens.example.com", canary),
		"a token in the URL's port":       client.New("https://tokens.example.com:"+canary, canary),
		"a scheme that is none":           client.New(canary+"://tokens.example.com", canary),
		"an answer that repeats it":       client.New("https://tokens.example.com", canary, echo),
		"a timeout":                       client.New(gone.URL, canary, client.WithTimeout(1)),
		"a method that takes no such key": client.New(gone.URL, canary),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.RevokeToken(t.Context(), current, canary, canary)
			if err == nil {
				t.Fatal("it worked")
			}
			unseen(t, "the error", fmt.Sprintf("%v %+v %#v", err, err, err))
			if _, err = c.RotateToken(t.Context(), current, canary, 0, client.IdempotencyKey(canary)); err == nil {
				t.Fatal("it worked")
			}
			unseen(t, "the error", fmt.Sprintf("%v %+v", err, err))
			if _, err = c.Token(t.Context(), current, canary); err == nil {
				t.Fatal("it worked")
			}
			unseen(t, "the error", fmt.Sprintf("%v %+v", err, err))
		})
	}
}

func TestRedirects(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server was asked") }))
	defer thief.Close()
	var tokens int
	mux := http.NewServeMux()
	mux.HandleFunc("/away/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/moved/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/here"+strings.TrimPrefix(r.URL.Path, "/moved"), http.StatusPermanentRedirect)
	})
	mux.HandleFunc("/here/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+canary {
			tokens++
		}
		_, _ = w.Write([]byte(`{"id":"tok_1"}`))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	for _, method := range []string{"GET", "DELETE"} {
		for _, from := range []string{"/away", "/moved", "/here"} {
			t.Run(method+" "+from, func(t *testing.T) {
				tokens = 0
				c := client.New(s.URL+from, canary)
				_, err := c.CurrentToken(t.Context())
				if method == "DELETE" {
					_, err = c.RevokeCurrentToken(t.Context(), "")
				}
				if works := from == "/here" || from == "/moved" && method == "GET"; works != (err == nil) {
					t.Errorf("it answered %v", err)
				}
				if err != nil {
					unseen(t, "the error", err.Error())
				}
			})
		}
	}
	if tokens != 2 {
		t.Errorf("the right server saw the token %d times in the last case", tokens)
	}
}

func TestTokenFromAFile(t *testing.T) {
	s := counterfoiltest.Start(t)
	if _, err := s.As(s.OwnerToken + "\n").CurrentToken(t.Context()); err != nil {
		t.Error(err)
	}
}
