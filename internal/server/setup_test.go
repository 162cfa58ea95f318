package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/server"
)

// TestFirstStart sets an empty instance up in the browser: before that there is one page, after it everything.
func TestFirstStart(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := server.Start(ctx, server.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", AdminListen: "-", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer browser.CloseIdleConnections()
	send := func(method, path string, form url.Values, cookie string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html,*/*;q=0.8")
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	status := func(path string, want int) {
		t.Helper()
		answer, _ := send("GET", path, nil, "")
		if answer.StatusCode != want || answer.Header.Get("X-Request-Id") == "" {
			t.Errorf("GET %s: %s, want %d; request id %q", path, answer.Status, want, answer.Header.Get("X-Request-Id"))
		}
	}
	link, err := s.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, ticket, found := strings.Cut(link, "/setup?ticket=")
	if !found {
		t.Fatalf("the link is %q", link)
	}
	for path, want := range map[string]int{"/": 503, "/sign-in": 503, "/v1/tokens/current": 503, "/setup": 404, "/setup?ticket=" + ticket: 200} {
		status(path, want)
	}
	form := url.Values{"ticket": {ticket}, "organization": {"Acme"}, "name": {"Ann"}, "email": {"ann@example.com"}, "password": {"short"}}
	if _, body := send("POST", "/setup", form, ""); !strings.Contains(body, "at least 10 characters") || strings.Contains(body, "short") {
		t.Errorf("a short password is answered with %s", body)
	}
	form.Set("password", "correct horse battery")
	answer, body := send("POST", "/setup", form, "")
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("set up: %s: %s", answer.Status, body)
	}
	var cookie string
	for _, c := range answer.Cookies() {
		if c.Name == "__Host-session" && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if _, body := send("GET", "/account", nil, cookie); !strings.Contains(body, "ann@example.com") {
		t.Errorf("the account page is %s", body)
	}
	for path, want := range map[string]int{"/": 303, "/sign-in": 200, "/v1/tokens/current": 401, "/setup?ticket=" + ticket: 404, "/nowhere": 404} {
		status(path, want)
	}
	if link, err := s.SetupLink(ctx); link != "" || err != nil {
		t.Errorf("after that there is still a link: %q, %v", link, err)
	}
	signIn := url.Values{"email": {"ann@example.com"}, "password": {"correct horse battery"}, "next": {"//evil.example"}}
	if answer, _ := send("POST", "/sign-in", signIn, ""); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/" {
		t.Errorf("signed in: %s to %s", answer.Status, answer.Header.Get("Location"))
	}
}
