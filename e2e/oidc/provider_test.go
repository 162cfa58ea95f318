package oidc

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// people is who the provider knows; tests change it.
type people struct {
	mu     sync.Mutex
	users  map[string]*storage.User
	groups map[string]any // by user: the claim realm.groups
}

func (p *people) GetUserByID(id string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.users[id]; ok {
		c := *u
		return &c
	}
	return nil
}

func (p *people) GetUserByUsername(name string) *storage.User { return p.GetUserByID(name) }
func (p *people) ExampleClientID() string                     { return "service" }

func (p *people) set(id, email string, verified bool, groups any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[id] = &storage.User{ID: id, Username: id, Password: "pw", FirstName: "First", LastName: id, Email: email, EmailVerified: verified}
	p.groups[id] = groups
}

// kept is the library's storage with a claim of ours.
type kept struct {
	*storage.Storage
	people *people
}

func (k *kept) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	err := k.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
	k.people.mu.Lock()
	defer k.people.mu.Unlock()
	if g := k.people.groups[info.Subject]; g != nil {
		info.AppendClaims("realm", map[string]any{"groups": g})
	}
	return err
}

const (
	clientID     = "book"
	clientSecret = "geheim"
	base         = "https://book.example"
)

// startProvider runs a real provider on loopback.
func startProvider(t *testing.T, callback string) (issuer string, p *people) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer = "http://" + l.Addr().String() + "/"
	issuer = strings.TrimSuffix(issuer, "/")
	p = &people{users: map[string]*storage.User{}, groups: map[string]any{}}
	client := storage.WebClient(clientID, clientSecret, callback)
	k := &kept{storage.NewStorageWithClients(p, map[string]*storage.Client{clientID: client}), p}
	handler := exampleop.SetupServer(issuer, k, slog.New(slog.NewTextHandler(io.Discard, nil)), false, op.WithAllowInsecure())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return issuer, p
}

// browse opens the address where the provider asks who somebody is, signs in there, and returns what the provider sends
// the browser back with.
func browse(t *testing.T, address, user string) url.Values {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	var back *url.URL
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "book.example" {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if back != nil {
		return back.Query()
	}
	if page.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(page.Body)
		t.Fatalf("the provider's page: %s: %s", page.Status, body)
	}
	form := url.Values{"username": {user}, "password": {"pw"}, "id": {page.Request.URL.Query().Get("authRequestID")}}
	answer, err := browser.PostForm(page.Request.URL.Scheme+"://"+page.Request.URL.Host+"/login/username", form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if back == nil {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("the provider did not send the browser back: %s: %.600s", answer.Status, body)
	}
	return back.Query()
}
