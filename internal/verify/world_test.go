package verify_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// instance is a server without its faces, whose clock the test sets.
type instance struct {
	testing.TB
	*store.Store
	*verify.Verifier
	registry *registry.Registry
	config   verify.Config
	clock    *atomic.Int64    // an Instant
	remote   *verify.Verifier // of another node; nil: there is none
	log      *journal
	orgs     int
}

// wholeCatalogue is in force in every instance.
const wholeCatalogue = `
permissions:
  - {name: "devices:read", default: true, endpoints: ["GET /api/devices/{id}"]}
  - {name: "devices:write", endpoints: ["PUT /api/devices/{id}"]}
roles:
  - {name: operator, permissions: ["devices:read", "devices:write"]}
`

// start makes an instance on an empty database. tune changes its Verifier's configuration; it may be nil.
func start(t testing.TB, c store.Config, tune func(*verify.Config)) *instance {
	t.Helper()
	in := &instance{TB: t, clock: new(atomic.Int64), log: &journal{}}
	in.clock.Store(int64(counterfoil.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))))
	c.Now = func() time.Time { return counterfoil.Instant(in.clock.Load()).Time() }
	keys, err := secret.CreateKeyring(filepath.Join(t.TempDir(), "instance.key"))
	in.must(err)
	in.Store, err = store.Open(context.Background(), c)
	in.must(err)
	in.config = verify.Config{Store: in.Store, Keys: keys, Prefix: "cfl", Rules: &rules.Cache{InForce: &rules.InForce{}},
		DataCenters: map[string]string{"cflus": "https://us.example.com"}, Logger: slog.New(slog.NewTextHandler(in.log, nil))}
	if tune != nil {
		tune(&in.config)
	}
	in.Verifier = verify.New(in.config)
	in.registry = registry.New(registry.Config{Store: in.Store, Keys: keys, Prefix: "cfl", Rules: in.config.Rules, Applied: in.Apply,
		Plans: []string{"teams"}, DataCenter: "local", Logger: in.config.Logger})
	t.Cleanup(func() {
		in.Verifier.Close()
		in.Store.Close()
	})
	in.apply(wholeCatalogue)
	return in
}

func (in *instance) must(err error) {
	in.Helper()
	if err != nil {
		in.Fatal(err)
	}
}

func (in *instance) apply(catalogue string) {
	in.Helper()
	_, _, err := in.registry.ApplyCatalogue(context.Background(), registry.Operator(), catalogue)
	in.must(err)
}

// later moves the clock.
func (in *instance) later(d time.Duration) { in.clock.Add(d.Microseconds()) }

// another is a second Verifier over the same store and rules, which is told of nothing.
func (in *instance) another() *verify.Verifier {
	v := verify.New(in.config)
	v.Deafen()
	in.Cleanup(v.Close)
	return v
}

// node is the Verifier of another process that serves the same database.
func (in *instance) node(c store.Config) *verify.Verifier {
	in.Helper()
	c.Now = func() time.Time { return counterfoil.Instant(in.clock.Load()).Time() }
	s, err := store.Open(context.Background(), c)
	in.must(err)
	config := in.config
	config.Store, config.Rules = s, &rules.Cache{InForce: &rules.InForce{}}
	v := verify.New(config)
	in.must(v.RenewCatalogue(context.Background()))
	in.Cleanup(func() {
		v.Close()
		s.Close()
	})
	return v
}

// check asks a Verifier for the code of one use.
func check(t testing.TB, v *verify.Verifier, value string, a counterfoil.Attempt) counterfoil.Code {
	t.Helper()
	r, err := v.Verify(context.Background(), &verify.Request{Token: value, Attempt: a})
	if err != nil {
		t.Fatal(err)
	}
	return r.Code
}

// wants checks a use and compares the code.
func (in *instance) wants(value string, a counterfoil.Attempt, want counterfoil.Code) {
	in.Helper()
	if got := check(in, in.Verifier, value, a); got != want {
		in.Errorf("the check says %s, want %s", got, want)
	}
}

var (
	inside  = netip.MustParseAddr("10.1.2.3")
	outside = netip.MustParseAddr("192.0.2.7")
)

// reading asks for devices:read from an address that the filter "office" allows.
func reading() counterfoil.Attempt {
	return counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{"devices:read"}, IP: inside}
}

// organization is one with people, a filter and a token of each kind.
type organization struct {
	*instance
	id     string
	office counterfoil.IPFilter // allows 10.0.0.0/8
	ann    counterfoil.Member   // holds the organization's own role "crew": devices:read and devices:write
	bob    counterfoil.Member   // holds the catalogue's role operator
	tokens map[string]counterfoil.Created
}

var kinds = []string{"ann", "bob", "organization", "integration", "system"}

func (in *instance) organization() *organization {
	in.Helper()
	ctx, op := context.Background(), registry.Operator()
	in.orgs++
	made, err := in.registry.CreateOrganization(ctx, op, counterfoil.OrganizationDraft{Name: fmt.Sprintf("Org %d", in.orgs)})
	in.must(err)
	o := &organization{instance: in, id: made.ID, tokens: map[string]counterfoil.Created{}}
	o.office, err = in.registry.CreateIPFilter(ctx, op, o.id, counterfoil.IPFilterDraft{Name: "office", Rules: "allow 10.0.0.0/8"})
	in.must(err)
	_, err = in.registry.CreateRole(ctx, op, o.id, counterfoil.RoleDraft{Name: "crew", Permissions: []string{"devices:read", "devices:write"}})
	in.must(err)
	o.ann, o.bob = o.member("ann", "crew"), o.member("bob", "operator")
	both := []string{"devices:read", "devices:write"}
	o.make("ann", counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: o.ann.ID, Permissions: both, IPFilter: "office"})
	o.make("bob", counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: o.bob.ID, Permissions: both})
	o.make("organization", counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: both})
	o.make("integration", counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationCustom})
	o.make("system", counterfoil.Draft{Kind: counterfoil.KindSystem, Permissions: both})
	return o
}

// member adds an active member with one role.
func (o *organization) member(name, role string) counterfoil.Member {
	o.Helper()
	ctx, op, active := context.Background(), registry.Operator(), counterfoil.MemberActive
	m, err := o.registry.AddMember(ctx, op, o.id, counterfoil.MemberDraft{Email: name + "@" + o.id + ".example.com", Name: name, Roles: []string{role}})
	o.must(err)
	m, _, err = o.registry.EditMember(ctx, op, o.id, m.ID, counterfoil.MemberEdit{Status: &active})
	o.must(err)
	return m
}

func (o *organization) make(name string, draft counterfoil.Draft) {
	o.Helper()
	draft.Name = name
	org := o.id
	if draft.Kind == counterfoil.KindSystem {
		org = ""
	}
	created, err := o.registry.CreateToken(context.Background(), registry.Operator(), org, draft)
	o.must(err)
	o.tokens[name] = created
}

// use is the ordinary use of a token: of an integration its own reader, of the others reading.
func (o *organization) use(token string) counterfoil.Attempt {
	a := reading()
	if o.tokens[token].Token.Kind == counterfoil.KindIntegration {
		a.Audience, a.Permissions = counterfoil.AudienceActivity, nil
	}
	return a
}

func (o *organization) revoke(token string) error {
	_, err := o.registry.RevokeToken(context.Background(), registry.Operator(), o.of(token), o.tokens[token].Token.ID, "test")
	return err
}
