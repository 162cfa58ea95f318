package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/quotedprintable"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// each runs a test on both engines.
func each(t *testing.T, test func(*testing.T, *world)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, store.Config{Dir: t.TempDir()}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, store.Config{DatabaseURL: postgrestest.NewDatabase(t)}))
	})
}

// world is an Identity on a real store whose clock the test sets.
type world struct {
	*identity.Identity
	t        *testing.T
	store    *store.Store
	registry *registry.Registry
	config   identity.Config
	clock    *atomic.Int64
	seen     map[string]int64 // by organization: the last event that was looked at
}

const (
	good  = "correct horse battery"
	other = "wrong horse battery staple"
)

var home = identity.Place{IP: netip.MustParseAddr("192.0.2.7"), UserAgent: "Browser/1"}

func newWorld(t *testing.T, c store.Config) *world {
	t.Helper()
	w := &world{t: t, clock: new(atomic.Int64), seen: map[string]int64{}}
	w.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	c.Now = func() time.Time { return time.UnixMicro(w.clock.Load()).UTC() }
	var err error
	if w.store, err = store.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	keys, err := secret.CreateKeyring(filepath.Join(t.TempDir(), "instance.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry.New(registry.Config{Store: w.store, Keys: keys, Prefix: "cfl", Rules: &rules.Cache{InForce: &rules.InForce{}},
		Applied: func(*counterfoil.Event) {}, DataCenter: "local", Plans: []string{"teams"}, URL: "https://book.example"})
	w.config = identity.Config{Store: w.store, Keys: keys, URL: "https://book.example",
		Join: func(ctx context.Context, at identity.Place, org, member string, within func(*store.Tx) error) error {
			return w.registry.AcceptInvitation(ctx, registry.Origin(at), org, member, within)
		},
		Decline: func(ctx context.Context, at identity.Place, org, member string, within func(*store.Tx) error) error {
			return w.registry.DeclineInvitation(ctx, registry.Origin(at), org, member, within)
		},
		SetUp: func(ctx context.Context, at identity.Place, f identity.Founding, within func(*store.Tx, counterfoil.Member) error) error {
			_, err := w.registry.SetUp(ctx, registry.SetupRequest{Organization: f.Organization, Name: f.Name, Email: f.Email, Within: within, NoTokens: true, From: registry.Origin(at)})
			return err
		},
	}
	w.Identity = identity.New(w.config)
	return w
}

// mails gives the world an inbox: what is sent from now on arrives there.
func (w *world) mails() *mailtest.Inbox {
	w.t.Helper()
	in := mailtest.Serve(w.t, nil, "", "")
	sender, err := mail.New(mail.Config{Server: in.Address, Security: "none", From: "book@example.com"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Mail = sender
	w.Identity = identity.New(w.config)
	return in
}

// letter waits for a mail and returns its body.
func (w *world) letter(in *mailtest.Inbox) (to, body string) {
	w.t.Helper()
	select {
	case l := <-in.Got:
		raw, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(l.Raw)))
		if err != nil {
			w.t.Fatal(err)
		}
		return l.To, string(raw)
	case <-time.After(20 * time.Second):
		w.t.Fatal("no mail came")
	}
	return "", ""
}

// ticketIn finds the value of the link to a page in a text.
func (w *world) ticketIn(text, page string) string {
	w.t.Helper()
	_, after, found := strings.Cut(text, "https://book.example"+page+"?ticket=")
	if !found || len(after) < 43 {
		w.t.Fatalf("there is no link to %s in %q", page, text)
	}
	return after[:43]
}

func (w *world) later(d time.Duration) { w.clock.Add(d.Microseconds()) }

func (w *world) write(org string, fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(context.Background(), org, store.ForRules, fn); err != nil {
		w.t.Fatal(err)
	}
}

// organization makes one and returns its id.
func (w *world) organization(name string) string {
	w.t.Helper()
	id := store.NewID("org")
	w.write(id, func(tx *store.Tx) error {
		return tx.InsertOrganization(counterfoil.Organization{Slug: strings.ToLower(name), Name: name, Plan: "teams",
			License: counterfoil.LicenseStandard, Status: counterfoil.OrgActive, DataCenter: "local"})
	})
	return id
}

func (w *world) member(org, email string, status counterfoil.MemberStatus, roles ...string) (m counterfoil.Member) {
	w.t.Helper()
	w.write(org, func(tx *store.Tx) error {
		made, err := tx.InsertMember(counterfoil.Member{Email: email, Name: "Name of " + email, Roles: roles, Status: status})
		m = made.Member
		return err
	})
	return m
}

// password gives a person one.
func (w *world) password(user, password string) {
	w.t.Helper()
	w.write("", func(tx *store.Tx) error { return tx.SetPassword(user, identity.Hash(password)) })
}

// session is what a cookie's value names; it must be one.
func (w *world) session(value string) identity.Session {
	w.t.Helper()
	s, found, err := w.Session(w.t.Context(), value, home)
	if err != nil || !found {
		w.t.Fatalf("the session is found: %v, %v", found, err)
	}
	return s
}

func (w *world) signIn(email, password string) identity.Session {
	w.t.Helper()
	out, err := w.SignIn(w.t.Context(), email, password, home)
	if err != nil || out.Value == "" {
		w.t.Fatalf("signing in %s: %v, factors %v", email, err, out.Factors)
	}
	return w.session(out.Value)
}

// events lists what happened in an organization since it was asked last, one "type/action reason" each.
func (w *world) events(org string) (out []string) {
	w.t.Helper()
	list, err := w.store.Follow(w.t.Context(), w.seen[org], 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		w.seen[org] = e.Number
		var m struct{ Reason, Method string }
		if err := json.Unmarshal(e.Metadata, &m); err != nil {
			w.t.Fatal(err)
		}
		if e.OrganizationID == org {
			out = append(out, strings.Join(strings.Fields(e.Type+"/"+e.Action+" "+m.Method+" "+m.Reason), " "))
		}
	}
	return out
}

// expectEvents compares what happened since it was asked last.
func (w *world) expectEvents(org string, want ...string) {
	w.t.Helper()
	if got := w.events(org); strings.Join(got, "; ") != strings.Join(want, "; ") {
		w.t.Errorf("events %q, want %q", got, want)
	}
}

// refused checks that err is a refusal of a code whose text holds words.
func refused(t *testing.T, err error, code counterfoil.Code, words string) {
	t.Helper()
	var refusal *counterfoil.Error
	if !errors.As(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Error(), words) {
		t.Errorf("error %v, want %s with %q", err, code, words)
	}
}
