package webhooks

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// bench is a store with webhooks and the sender that looks after them; nothing is sent but by its tests.
type bench struct {
	*testing.T
	dir    string
	store  *store.Store
	sender *Sender
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir()}
	s, err := store.Open(t.Context(), store.Config{Dir: b.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	keys, err := secret.CreateKeyring(filepath.Join(b.dir, "instance.key"))
	if err != nil {
		t.Fatal(err)
	}
	client := outgoing.New(outgoing.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)
	b.store, b.sender = s, New(Config{Store: s, Keys: keys, Client: client})
	return b
}

func (b *bench) update(org string, fn func(tx *store.Tx) error) {
	b.Helper()
	if err := b.store.Update(b.Context(), org, store.ForTokens, fn); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) webhook(org, address string) (h store.Webhook) {
	b.Helper()
	h = store.Webhook{ID: store.NewID("whk"), Organization: org, Name: "siem", URL: address, CreatedAt: b.store.Now()}
	var err error
	if _, h.KeyID, h.Sealed, err = b.sender.NewSecret(h.ID); err != nil {
		b.Fatal(err)
	}
	b.update(org, func(tx *store.Tx) error {
		if _, found, err := tx.CurrentOrganization(); err != nil || found {
			return errors.Join(err, tx.InsertWebhook(h))
		}
		return errors.Join(tx.InsertOrganization(counterfoil.Organization{ID: org, Slug: strings.TrimPrefix(org, "org_"), Name: "Example", Status: counterfoil.OrgActive}), tx.InsertWebhook(h))
	})
	return h
}

func (b *bench) deliveries(h store.Webhook) (n int) {
	b.Helper()
	err := b.store.View(b.Context(), h.Organization, func(tx *store.Tx) error {
		list, err := tx.Deliveries(h.ID, "", "", 100)
		n = len(list)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// An organization whose webhooks cannot look holds up no other, and is looked at again without a further event.
func TestOneThatCannotLookHoldsUpNoOther(t *testing.T) {
	for _, caught := range []bool{false, true} {
		b := newBench(t)
		raw, err := sql.Open("sqlite", "file:"+filepath.Join(b.dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		orgs := []string{"org_a", "org_bad", "org_c"}
		hooks := map[string]store.Webhook{}
		for _, org := range orgs {
			hooks[org] = b.webhook(org, "https://hooks.example.com/")
		}
		if caught {
			if err := b.sender.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := raw.Exec(`CREATE TRIGGER bad BEFORE INSERT ON deliveries WHEN NEW.organization = 'org_bad' BEGIN SELECT RAISE(ABORT, 'bad'); END`); err != nil {
			t.Fatal(err)
		}
		for _, org := range orgs {
			b.update(org, func(tx *store.Tx) error {
				tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
				return nil
			})
		}
		expect := func(when string, bad int) {
			t.Helper()
			if err := b.sender.look(t.Context()); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			for org, want := range map[string]int{"org_a": 1, "org_bad": bad, "org_c": 1} {
				if n := b.deliveries(hooks[org]); n != want {
					t.Errorf("caught up before: %v; %s, %s has %d deliveries, want %d", caught, when, org, n, want)
				}
			}
		}
		expect("while one fails", 0)
		if _, err := raw.Exec("DROP TRIGGER bad"); err != nil {
			t.Fatal(err)
		}
		expect("when it fails no more", 1)
		expect("and once more", 1)
	}
}

// An organization tests one webhook at a time.
func TestTestsTakeTurns(t *testing.T) {
	b := newBench(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }))
	defer slow.Close()
	quick := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer quick.Close()
	a, same, other := b.webhook("org_a", slow.URL), b.webhook("org_a", quick.URL), b.webhook("org_b", quick.URL)
	ended := make(chan error, 1)
	go func() { _, err := b.sender.Test(context.Background(), a); ended <- err }()
	<-arrived
	if _, err := b.sender.Test(t.Context(), same); !errors.Is(err, counterfoil.Refuse(counterfoil.CodeRateLimited, "")) {
		t.Errorf("a second test of the organization: %v", err)
	}
	if got, err := b.sender.Test(t.Context(), other); err != nil || got.Status != 200 {
		t.Errorf("another organization's test: %+v, %v", got, err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got, err := b.sender.Test(t.Context(), same); err != nil || got.Status != 200 {
		t.Errorf("after the first: %+v, %v", got, err)
	}
}
