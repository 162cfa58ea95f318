package docstest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// What follows is the code of docs/client.md. TestClientPage compares the two.

func pageCreate(ctx context.Context) (counterfoil.Created, error) {
	c := client.New("http://127.0.0.1:8080", os.Getenv("COUNTERFOIL_TOKEN"))
	created, err := c.CreateToken(ctx, client.Current, counterfoil.Draft{
		Kind: counterfoil.KindPersonal, Name: "ci", Permissions: []string{"devices:read"},
	})
	return created, err
}

func pageGuard(c *client.Client, w http.ResponseWriter, r *http.Request, presented, ip string, next http.Handler) {
	ctx := r.Context()
	verdict, err := c.Verify(ctx, counterfoil.Question{Token: presented, Endpoint: r.Method + " " + r.URL.EscapedPath(), IP: ip})
	switch {
	case err != nil: // nobody knows, so nobody is let in
		http.Error(w, "Try again shortly.", http.StatusServiceUnavailable)
	case !verdict.Active:
		http.Error(w, verdict.Message+" "+verdict.Reference, http.StatusForbidden)
	default:
		next.ServeHTTP(w, r)
	}
}

func pageRefusal(ctx context.Context, c *client.Client) error {
	var err error
	_, err = c.Token(ctx, client.Current, "tok_000000000000")
	if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
		fmt.Println("not there, or not yours to see")
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.RequestID, refused.Err.Problems)
	}
	return err
}

func pageList(ctx context.Context, c *client.Client) error {
	for token, err := range c.Tokens(ctx, client.Current, client.TokenQuery{Sort: "last_used_at"}) {
		if err != nil {
			return err
		}
		fmt.Println(token.Name, token.Hint, token.Status)
	}
	return nil
}

func TestDevices(t *testing.T) {
	s := counterfoiltest.Start(t)
	made := s.Token(t, "devices:read") // an organization token
	_, ada := s.Member(t, "operator")  // a client that presents her token

	v, err := s.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Endpoint: "GET /api/devices/7"})
	if err != nil || !v.Active {
		t.Fatal(v, err)
	}
	if _, err := ada.CurrentToken(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The rest of the page does what it says on a real server.
func TestPageRuns(t *testing.T) {
	_ = pageCreate // its address is not this server's
	s := counterfoiltest.Start(t)
	if err := pageList(t.Context(), s.Client()); err != nil {
		t.Error(err)
	}
	if err := pageRefusal(t.Context(), s.Client()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
		t.Errorf("an id that is nowhere: %v", err)
	}
	made := s.Token(t, "devices:read")
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for method, want := range map[string]int{"GET": http.StatusNoContent, "DELETE": http.StatusForbidden} {
		w := httptest.NewRecorder()
		pageGuard(s.System(), w, httptest.NewRequest(method, "/api/devices/7", strings.NewReader("")), made.Secret, "192.0.2.7", reached)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", method, w.Code, want)
		}
	}
}
