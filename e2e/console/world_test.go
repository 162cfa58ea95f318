package console

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

const (
	password = "correct horse battery"
	ada      = "ada@example.com"
)

// world is a server on SQLite, with the example catalogue and a mail server.
type world struct {
	*server.Server
	t    testing.TB
	url  string // of the console
	mail *mailtest.Inbox
	org  string // id, once there is one
}

var here = identity.Place{IP: netip.MustParseAddr("127.0.0.1"), UserAgent: "test"}

// empty is a server that nobody has set up.
func empty(t testing.TB, change ...func(*server.Config)) *world {
	t.Helper()
	w := &world{t: t, mail: mailtest.Serve(t, nil, "", "")}
	catalogue, err := filepath.Abs("../../examples/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := server.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", AdminListen: "-", Catalogue: catalogue, Logger: slog.New(slog.DiscardHandler),
		SignIn: server.SignIn{Mail: mail.Config{Server: w.mail.Address, Security: "none", From: "Counterfoil <counterfoil@example.com>"}}}
	for _, f := range change {
		f(&c)
	}
	ctx, stop := context.WithCancel(context.Background())
	if w.Server, err = server.Start(ctx, c); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("stopping the server: %v", err)
		}
	})
	w.url = w.Registry.ConsoleURL
	return w
}

// founded is a server with the organization Acme, and its owner Ada's browser, signed in.
func founded(t testing.TB, change ...func(*server.Config)) (*world, *person) {
	t.Helper()
	w := empty(t, change...)
	link, err := w.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ticket := link[strings.Index(link, "ticket=")+len("ticket="):]
	out, err := w.Identity.Setup(t.Context(), ticket, identity.Founding{Organization: "Acme", Name: "Ada Lovelace", Email: ada}, password, here)
	if err != nil {
		t.Fatal(err)
	}
	w.org, err = w.Registry.Resolve(t.Context(), registry.Operator(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, w.url)
	p.cookie("__Host-session", out.Value)
	return w, p
}

func (w *world) invite(email, name string, roles ...string) (link string) {
	w.t.Helper()
	made, err := w.Registry.Invite(w.t.Context(), registry.Operator(), w.org, counterfoil.MemberDraft{Email: email, Name: name, Roles: roles})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.URL
}

// letter is the next mail that comes.
func (w *world) letter() mailtest.Letter {
	w.t.Helper()
	select {
	case l := <-w.mail.Got:
		return l
	case <-time.After(patience):
		w.t.Fatal("no mail came")
		panic("unreachable")
	}
}
