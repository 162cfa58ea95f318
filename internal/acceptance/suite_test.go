package acceptance

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// suite is every test that needs nothing but an organization of its own. Its tests share a server and run side by side.
var suite = []struct {
	name string
	run  func(*testing.T, *tenant)
}{
	{"P2_grant_what_you_hold", grantWhatYouHold},
	{"P3_expiry", expiryOfPersonalTokens},
	{"P4_shown_once", shownOnce},
	{"P5_C5_credentials", credentials},
	{"P6_edit", editToken},
	{"P7_snapshot_and_owner_now", snapshotAndOwnerNow},
	{"P8_C4_delete", deleteToken},
	{"P9_why_was_I_refused", whyRefused},
	{"P10_leaving_member", leavingMember},
	{"P1_C2_lists", listTokens},
	{"H2_organization_token", organizationToken},
	{"H4_rotate", rotateToken},
	{"H5_rules", ipRules},
	{"H5_filters", ipFilters},
	{"H5_lock_out", lockOut},
	{"H6_policy", policyTerms},
	{"H7_policy_at_every_use", policyAtEveryUse},
	{"H7_preview", previewIsWhatHappens},
	{"H8_statuses", statusesOfRefusals},
	{"C1_C3_last_used", lastUsed},
	{"N_integration_tokens", integrationTokens},
	{"N9_N11_events", readEvents},
	{"N7_query", queryActivity},
	{"N7_windows", activityWindows},
	{"N7_pages_while_written", pagesWhileWritten},
	{"N7_sentinel_polls", sentinelPolls},
	{"N6_integrations_alone", integrationsAlone},
	{"N8_wrong_data_centre", wrongDataCentre},
	{"N10_product_events", productEvents},
	{"N10_product_events_refused", productEventsRefused},
	{"N11_long_poll", longPoll},
	{"N11_stream", eventStream},
	{"N12_export_settings", exportSettings},
	{"N12_export_tested", exportTested},
	{"N12_export_of_a_deleted_organization", exportEndsWithItsOrganization},
	{"strict_json", strictJSON},
	{"all_faults_at_once", allFaultsAtOnce},
	{"bodies", bodies},
	{"methods_and_paths", methodsAndPaths},
	{"problems", problems},
	{"not_found", notFound},
	{"paging", paging},
	{"paging_default", defaultPage},
	{"idempotency", idempotency},
	{"versions", versions},
	{"receipts", receipts},
	{"revoked_tokens", revokedTokens},
	{"people", people},
	{"roles", roles},
	{"organizations", organizations},
	{"M1_M3_provider_keys", providerKeys},
	{"M2_jwt", providerJWT},
	{"M7_managed_organizations", managedOrganizations},
	{"M7_M8_providers_people", providersPeople},
	{"M7_assignments", assignments},
	{"S7_technician", technicianRaise},
	{"check_order", checkOrder},
	{"check_batch", checkBatch},
	{"check_within", checkWithin},
	{"introspection", introspection},
	{"revocation", revocation},
	{"forward_auth", forwardAuth},
	{"expires_soon", expiresSoon},
	{"S7_narrow_personal", narrowPersonal},
	{"S7_roles", rolesBeyond},
	{"S7_admin_and_owner", adminAndOwner},
	{"S7_last_owner", lastOwner},
	{"S7_last_owner_race", lastOwnerRace},
	{"S7_organization_token", organizationTokenRaise},
	{"S7_mass_assignment", massAssignment},
	{"S7_system_token", systemTokens},
	{"S7_paused_by_admin", pausedByAdmin},
}

// timed tests move their server's clock, so they run one after another on a server that others do not use.
var timed = []struct {
	name string
	run  func(*testing.T, *tenant)
}{
	{"P3_H4_expiry_and_grace", expiryAndGrace},
	{"H7_longest_lifetime", longestLifetime},
	{"N9_expired", expiredEvents},
	{"cut_over", cutOver},
	{"N9_refused", refusedEvents},
	{"H7_preview_of_lifetimes", previewOfLifetimes},
	{"idempotency_for_a_day", idempotencyForADay}, // last: the server's own system token lives for a day
}

func TestSuite(t *testing.T) {
	// PostgreSQL starts first: what is forked while a SQLite store closes would hold that store's lock for a moment.
	for _, engine := range []struct{ name, steady, timed string }{
		{"PostgreSQL", postgrestest.NewDatabase(t), postgrestest.NewDatabase(t)}, {"SQLite", "", ""},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			t.Run("steady", func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine.steady)
				for _, test := range suite {
					t.Run(test.name, func(t *testing.T) {
						t.Parallel()
						test.run(t, w.tenant(t))
					})
				}
			})
			t.Run("timed", func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine.timed)
				for _, test := range timed {
					t.Run(test.name, func(t *testing.T) { test.run(t, w.tenant(t)) })
				}
			})
		})
	}
}

// world is one running server.
type world struct {
	*counterfoiltest.Server
	*clock
}

// otherPrefix is of the tokens of another data centre.
const otherPrefix, otherURL = "eux", "https://eu.example.test"

// newWorld starts a server on a PostgreSQL database, or on SQLite where none is named.
func newWorld(t *testing.T, database string, more ...counterfoiltest.Option) *world {
	t.Helper()
	c := &clock{}
	options := append([]counterfoiltest.Option{counterfoiltest.WithClock(c.now), counterfoiltest.WithConfig(func(s *server.Config) {
		s.ActivityRate = 1000
		s.OutgoingAllow = []string{"127.0.0.0/8"}
		s.DataCenters = []server.DataCenter{{Name: "eu", Prefix: otherPrefix, URL: otherURL}}
	})}, more...)
	if database != "" {
		options = append(options, counterfoiltest.WithDatabaseURL(database))
	}
	return &world{counterfoiltest.Start(t, options...), c}
}

// clock is real time and what a test adds to it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// tenant is an organization of a test's own, with an owner.
type tenant struct {
	*world
	id, slug  string
	owner     string // the member
	ownerMail string
	token     string // the owner's, with every permission that a personal token can hold
	org       *counterfoiltest.Organization
}

func (w *world) tenant(t *testing.T) *tenant {
	t.Helper()
	o := w.NewOrganization(t, "Tenant")
	return &tenant{world: w, id: o.ID, slug: o.Slug, owner: o.Owner.ID, ownerMail: o.Owner.Email, token: o.OwnerToken, org: o}
}

// person is a member with a personal token that holds all that their roles give it.
type person struct{ id, email, token, tokenID string }

func (o *tenant) person(t *testing.T, roles ...string) person {
	t.Helper()
	m, _ := o.org.Member(t, roles...)
	return person{m.ID, m.Email, m.Token.Secret, m.Token.Token.ID}
}

// made is a token that a test has made.
type made struct{ id, secret string }

// orgToken makes an organization token with these permissions.
func (o *tenant) orgToken(t *testing.T, permissions ...string) made {
	t.Helper()
	c := o.org.Token(t, permissions...)
	return made{c.Token.ID, c.Secret}
}

// personal makes a personal token of a member, with these permissions.
func (o *tenant) personal(t *testing.T, member string, permissions ...string) made {
	t.Helper()
	return o.draft(t, counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: member, Permissions: permissions})
}

func (o *tenant) draft(t *testing.T, d counterfoil.Draft) made {
	t.Helper()
	if d.Name == "" {
		d.Name = "a token"
	}
	c, err := o.System().CreateToken(t.Context(), o.id, d)
	if err != nil {
		t.Fatal(err)
	}
	return made{c.Token.ID, c.Secret}
}

// systemToken makes a system token with these permissions.
func (w *world) systemToken(t *testing.T, permissions ...string) made {
	t.Helper()
	c, err := w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "a system token", Permissions: permissions})
	if err != nil {
		t.Fatal(err)
	}
	return made{c.Token.ID, c.Secret}
}

// draftWith makes an organization token with a lifetime.
func (o *tenant) draftWith(t *testing.T, life time.Duration, permissions ...string) made {
	t.Helper()
	seconds := int64(life / time.Second)
	return o.draft(t, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: permissions, ExpiresIn: &seconds})
}
