package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

var (
	home  = identity.Place{IP: netip.MustParseAddr("192.0.2.7"), UserAgent: "Browser/1"}
	admin = registry.Operator()
)

// world is an Identity on a real store, with one organization and its provider.
type world struct {
	*identity.Identity
	t        *testing.T
	store    *store.Store
	registry *registry.Registry
	people   *people
	org      string
	ahead    atomic.Int64 // of the clock, in nanoseconds
	seen     int64
}

func newWorld(t *testing.T, change func(*identity.Provider)) *world {
	t.Helper()
	w := &world{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	var err error
	if w.store, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	keys, err := secret.CreateKeyring(filepath.Join(t.TempDir(), "instance.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry.New(registry.Config{Store: w.store, Keys: keys, Prefix: "cfl", Rules: &rules.Cache{InForce: &rules.InForce{}},
		Applied: func(*counterfoil.Event) {}, DataCenter: "local", Plans: []string{"teams"}, URL: base})
	o, err := w.registry.CreateOrganization(t.Context(), admin, counterfoil.OrganizationDraft{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	w.org = o.ID
	issuer, people := startProvider(t, identity.CallbackURL(base, "acme"))
	w.people = people
	p := identity.Provider{Name: "acme", Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, Organization: "acme",
		RoleClaim: "realm.groups", Roles: map[string][]string{"staff": {"member"}, "ops": {"admin", "member"}}}
	if change != nil {
		change(&p)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	w.Identity = identity.New(identity.Config{Store: w.store, Keys: keys, URL: base, OIDC: []identity.Provider{p},
		Provision: func(ctx context.Context, at identity.Place, org string, q identity.Provision, within func(*store.Tx, counterfoil.Member) error) error {
			id, err := w.registry.Resolve(ctx, admin, org)
			if err != nil {
				return err
			}
			return w.registry.ProvisionMember(ctx, registry.Origin(at), id, registry.Provision(q), within)
		}})
	return w
}

// begin begins a sign-in and returns where the browser goes, and the cookie.
func (w *world) begin(s *identity.Session) (to, cookie string) {
	w.t.Helper()
	to, cookie, err := w.BeginProvider(w.t.Context(), "acme", "/o/acme/tokens", s)
	if err != nil {
		w.t.Fatal(err)
	}
	return to, cookie
}

func (w *world) finish(cookie string, back url.Values) (identity.Outcome, error) {
	w.t.Helper()
	out, next, err := w.FinishProvider(w.t.Context(), "acme", cookie, identity.Callback{State: back.Get("state"), Code: back.Get("code"), Error: back.Get("error")}, home)
	if err == nil && next != "/o/acme/tokens" {
		w.t.Errorf("then to %q", next)
	}
	return out, err
}

func (w *world) signIn(user string) (identity.Session, error) {
	w.t.Helper()
	to, cookie := w.begin(nil)
	out, err := w.finish(cookie, browse(w.t, to, user))
	if err != nil {
		return identity.Session{}, err
	}
	s, found, err := w.Session(w.t.Context(), out.Value, home)
	if err != nil || !found {
		w.t.Fatalf("the session is found: %v, %v", found, err)
	}
	return s, nil
}

func (w *world) must(user string) identity.Session {
	w.t.Helper()
	s, err := w.signIn(user)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// roles are those of the one membership that a session opens.
func (w *world) roles(s identity.Session) string {
	w.t.Helper()
	list, err := w.Memberships(w.t.Context(), s)
	if err != nil || len(list) != 1 || list[0].Organization.ID != w.org {
		w.t.Fatalf("the session opens %+v (%v)", list, err)
	}
	return strings.Join(list[0].Roles, " ")
}

func (w *world) member(email string, roles ...string) counterfoil.Member {
	w.t.Helper()
	m, err := w.registry.AddMember(w.t.Context(), admin, w.org, counterfoil.MemberDraft{Email: email, Name: email, Roles: roles})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) status(id string, status counterfoil.MemberStatus) {
	w.t.Helper()
	if _, _, err := w.registry.EditMember(w.t.Context(), admin, w.org, id, counterfoil.MemberEdit{Status: &status}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) events() (out []string) {
	w.t.Helper()
	list, err := w.store.Follow(w.t.Context(), w.seen, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		var m struct{ Method, Provider string }
		if err := json.Unmarshal(e.Metadata, &m); err != nil {
			w.t.Fatal(err)
		}
		w.seen = e.Number
		out = append(out, strings.TrimSpace(e.Type+"/"+e.Action+" "+m.Method+m.Provider))
	}
	return out
}

func refused(t *testing.T, err error, code counterfoil.Code, words string) {
	t.Helper()
	var refusal *counterfoil.Error
	if !errors.As(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Error(), words) {
		t.Errorf("error %v, want %s with %q", err, code, words)
	}
}

func TestSomebodyNew(t *testing.T) {
	w := newWorld(t, nil)
	w.people.set("u1", "Ann@Example.com", true, []string{"staff", "unknown"})
	w.events()
	s := w.must("u1")
	if s.Email != "ann@example.com" || s.Method != "oidc: acme" || s.Organization != w.org || !s.Fresh(time.Now()) {
		t.Errorf("the session is %+v", s)
	}
	if got := w.roles(s); got != "member" {
		t.Errorf("roles %q", got)
	}
	if got, want := w.events(), []string{"invites/user_invited acme", "invites/user_invite_accepted acme", "login/user_login_successful oidc: acme"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if _, err := w.BeginTOTP(t.Context(), s); err != error(identity.ErrOneOrganization) {
		t.Errorf("the provider's word opens what she signs in with elsewhere: %v", err)
	}
}

func TestRolesFollowTheClaim(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		groups any
		want   string
	}{{"staff", "member"}, {[]string{"ops"}, "admin member"}, {[]string{"ops", "staff"}, "admin member"}, {[]string{}, ""}, {nil, ""}, {[]any{7, "staff"}, "member"}} {
		w.people.set("u1", "ann@example.com", true, c.groups)
		if got := w.roles(w.must("u1")); got != c.want {
			t.Errorf("with the groups %v her roles are %q, want %q", c.groups, got, c.want)
		}
	}
	owner := w.member("own@example.com", "owner")
	w.status(owner.ID, counterfoil.MemberActive)
	w.people.set("u2", "own@example.com", true, "staff")
	if got := w.roles(w.must("u2")); got != "member owner" {
		t.Errorf("a claim that does not speak of owners left the owner %q", got)
	}
}

func TestOwnersByClaim(t *testing.T) {
	w := newWorld(t, func(p *identity.Provider) { p.Roles = map[string][]string{"boss": {"owner"}, "staff": {"member"}} })
	w.people.set("u1", "ann@example.com", true, "boss")
	w.people.set("u2", "bob@example.com", true, "boss")
	w.must("u1")
	w.must("u2")
	w.people.set("u1", "ann@example.com", true, "staff")
	if got := w.roles(w.must("u1")); got != "member" {
		t.Errorf("Ann is no boss any more and has %q", got)
	}
	w.people.set("u2", "bob@example.com", true, "staff")
	if got := w.roles(w.must("u2")); got != "member owner" {
		t.Errorf("the last owner has %q, and must stay owner", got)
	}
}

func TestWithoutAClaimRolesStay(t *testing.T) {
	w := newWorld(t, func(p *identity.Provider) { p.RoleClaim, p.Roles, p.DefaultRoles = "", nil, []string{"member"} })
	w.people.set("u1", "ann@example.com", true, nil)
	if got := w.roles(w.must("u1")); got != "member" {
		t.Errorf("a new member has %q", got)
	}
	m := w.member("bob@example.com", "admin")
	w.people.set("u2", "bob@example.com", true, nil)
	if got := w.roles(w.must("u2")); got != "admin" {
		t.Errorf("an invited member has %q, want what they were invited with", got)
	}
	if now, err := w.registry.Member(t.Context(), admin, w.org, m.ID); err != nil || now.Status != counterfoil.MemberActive {
		t.Errorf("the invited member is %+v (%v)", now, err)
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	w := newWorld(t, nil)
	w.people.set("u1", "ann@example.com", false, "staff")
	_, err := w.signIn("u1")
	refused(t, err, counterfoil.CodeMissingCredentials, "did not sign you in")
	w.people.set("u2", "", true, "staff")
	_, err = w.signIn("u2")
	refused(t, err, counterfoil.CodeMissingCredentials, "did not sign you in")

	w.people.set("u3", "carl@example.com", true, "staff")
	s := w.must("u3")
	list, _ := w.Memberships(t.Context(), s)
	w.status(list[0].MemberID, counterfoil.MemberSuspended)
	_, err = w.signIn("u3")
	refused(t, err, counterfoil.CodeOwnerInactive, "suspended")
	if m, err := w.registry.Member(t.Context(), admin, w.org, list[0].MemberID); err != nil || m.Status != counterfoil.MemberSuspended {
		t.Errorf("the suspended member is %+v (%v)", m, err)
	}
	w.status(list[0].MemberID, counterfoil.MemberActive)

	// Carl's address changes over there: he stays who he is. Then it is given to somebody else.
	w.people.set("u3", "carl.new@example.com", true, "staff")
	if again := w.must("u3"); again.UserID != s.UserID || again.Email != "carl@example.com" {
		t.Errorf("under a new address he is %+v", again)
	}
	w.people.set("u4", "carl@example.com", true, "ops")
	_, err = w.signIn("u4")
	refused(t, err, counterfoil.CodeInUse, "another account")
	if got := w.roles(w.must("u3")); got != "member" {
		t.Errorf("the refused one changed Carl's roles to %q", got)
	}
}

func TestWhatComesBackIsBound(t *testing.T) {
	w := newWorld(t, nil)
	w.people.set("u1", "ann@example.com", true, "staff")
	replaced := func(address, name, value string) string {
		u, _ := url.Parse(address)
		q := u.Query()
		if q.Get(name) == "" {
			t.Fatalf("%s has no %s", address, name)
		}
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	to, cookie := w.begin(nil)
	if u, _ := url.Parse(to); u.Query().Get("code_challenge_method") != "S256" || u.Query().Get("prompt") != "" {
		t.Errorf("it goes to %s", to)
	}
	back := browse(t, to, "u1")
	_, others := w.begin(nil)
	_, err := w.finish(others, back) // another browser's cookie
	refused(t, err, counterfoil.CodeMissingCredentials, "another browser")
	_, err = w.finish("", back)
	refused(t, err, counterfoil.CodeMissingCredentials, "another browser")
	if _, err := w.finish(cookie, back); err != nil {
		t.Fatal(err)
	}
	_, err = w.finish(cookie, back)
	refused(t, err, counterfoil.CodeMissingCredentials, "too long")

	to, cookie = w.begin(nil)
	back.Set("state", browse(t, to, "u1").Get("state"))
	_, err = w.finish(cookie, back) // an old code with a new state
	refused(t, err, counterfoil.CodeMissingCredentials, "did not sign you in")

	to, cookie = w.begin(nil)
	_, err = w.finish(cookie, browse(t, replaced(to, "nonce", "x"), "u1"))
	refused(t, err, counterfoil.CodeMissingCredentials, "did not sign you in")
	to, cookie = w.begin(nil)
	_, err = w.finish(cookie, browse(t, replaced(to, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), "u1"))
	refused(t, err, counterfoil.CodeMissingCredentials, "did not sign you in")

	to, cookie = w.begin(nil)
	state := browse(t, to, "u1").Get("state")
	_, err = w.finish(cookie, url.Values{"state": {state}, "error": {"access_denied"}})
	refused(t, err, counterfoil.CodeMissingCredentials, "access_denied")
	to, cookie = w.begin(nil)
	state = browse(t, to, "u1").Get("state")
	_, err = w.finish(cookie, url.Values{"state": {state}, "error": {"<script>"}})
	refused(t, err, counterfoil.CodeMissingCredentials, "an error")

	to, cookie = w.begin(nil)
	back = browse(t, to, "u1")
	w.ahead.Store(int64(10 * time.Minute))
	_, err = w.finish(cookie, back)
	refused(t, err, counterfoil.CodeMissingCredentials, "too long")
}

func TestConfirmation(t *testing.T) {
	w := newWorld(t, nil)
	w.people.set("u1", "ann@example.com", true, "staff")
	w.people.set("u2", "bob@example.com", true, "staff")
	s := w.must("u1")
	w.must("u2")
	if f, err := w.Confirmations(t.Context(), s); err != nil || !slices.Equal(f, []string{"provider"}) {
		t.Errorf("confirmed by %v (%v)", f, err)
	}
	before := s.ConfirmedAt
	w.ahead.Store(int64(5 * time.Minute))
	to, cookie := w.begin(&s)
	if u, _ := url.Parse(to); u.Query().Get("prompt") != "login" || u.Query().Get("max_age") != "0" {
		t.Errorf("to confirm it goes to %s", to)
	}
	_, err := w.finish(cookie, browse(t, to, "u2"))
	refused(t, err, counterfoil.CodeMissingCredentials, "somebody else")
	confirmed := func() time.Time {
		t.Helper()
		list, err := w.Sessions(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if x.ID == s.ID {
				return x.ConfirmedAt
			}
		}
		t.Fatal("the session is gone")
		return time.Time{}
	}
	if !confirmed().Equal(before) {
		t.Error("somebody else confirmed the session")
	}
	to, cookie = w.begin(&s)
	out, err := w.finish(cookie, browse(t, to, "u1"))
	if err != nil || out.Value != "" {
		t.Fatalf("confirming: %+v, %v", out, err)
	}
	if !confirmed().After(before.Add(4 * time.Minute)) {
		t.Errorf("the session is confirmed at %v, was at %v", confirmed(), before)
	}
}

func TestAProviderThatIsAway(t *testing.T) {
	w := newWorld(t, func(p *identity.Provider) { p.Issuer = "http://127.0.0.1:1" })
	_, _, err := w.BeginProvider(t.Context(), "acme", "/", nil)
	refused(t, err, counterfoil.CodeUnavailable, "cannot be reached")
	_, _, err = w.BeginProvider(t.Context(), "other", "/", nil)
	refused(t, err, counterfoil.CodeNotFound, "")
}
