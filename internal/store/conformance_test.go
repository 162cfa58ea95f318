package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// suite is what every engine must do alike. A case makes organizations of its own, so that all share one store. The cases in
// norace_test.go belong to it.
var suite = []struct {
	name string
	run  func(*testing.T, *fixture)
}{
	{"tokens are kept whole", testTokenKept},
	{"tokens are changed by version", testTokenVersions},
	{"tokens are revoked together", testRevokeTokens},
	{"tokens are looked up by id alone", testLookUp},
	{"the prefix of tokens is found", testPrefixInUse},
	{"a list filters, sorts and pages as the model does", testTokensLikeModel},
	{"a list has statuses", testTokenStatus},
	{"a list searches without case", testTokenText},
	{"a list refuses a cursor that is not its own", testTokenCursor},
	{"organizations are kept", testOrganizations},
	{"a taken slug gets a number, also of writers side by side", testNumberedSlugs},
	{"rules raise the organization's version", testRulesVersion},
	{"unique things are taken once", testTaken},
	{"members are people in organizations", testMembers},
	{"a member's name is its organization's own", testMemberNames},
	{"owners and role holders are counted", testHolders},
	{"members have live tokens and a last sign-in", testMemberFacts},
	{"settings are kept", testSettings},
	{"answers are kept a day", testAnswers},
	{"receipts and refusals are kept", testReceiptsAndRefusals},
	{"uses fold by day and address", testUses},
	{"a token's places are kept, a few of them", testPlaces},
	{"tokens that end are found", testEnding},
	{"deliveries are taken once and come again", testDeliveries},
	{"webhooks that are owed something take turns", testOwingTurns},
	{"letters wait for who takes them", testLetters},
	{"sessions end one by one and together", testSessions},
	{"tickets are taken once", testTickets},
	{"what people sign in with is theirs", testCredentials},
	{"passkeys are a person's", testPasskeys},
	{"a person finds their organizations", testMemberships},
	{"a transaction reads what it wrote", testReadsOwnWrites},
	{"an error leaves nothing behind", testErrorsUndo},
	{"a failed statement dooms its transaction", testDoomed},
	{"a refusal of fn is returned as it is", testRefusalsPass},
	{"a canceled context fails", testCanceled},
	{"concurrent writers keep apart", testConcurrentWriters},
	{"rules stand still for tokens", testLocks},
	{"a view sees one state", testViewIsOneState},
	{"an export is kept, and moves forward", testExports},
	{"what is behind an entry is counted", testEventsBehind},
	{"a reader can wait until a moment is settled", testSettled},
	{"a watcher hears of its organization's next event", testWatch},
}

func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		for _, c := range suite {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
		if _, bad, err := s.VerifyChain(t.Context()); err != nil || bad != 0 {
			t.Errorf("after all that the log is broken at entry %d (%v)", bad, err)
		}
	})
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(fullDiskDir); dir != "" {
		fillDisk(dir)
		return
	}
	code := postgrestest.Run(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var engines = []struct {
	name  string
	empty func(testing.TB) Config
}{
	{"sqlite", func(t testing.TB) Config { return Config{Dir: t.TempDir()} }},
	{"postgres", func(t testing.TB) Config { return Config{DatabaseURL: postgrestest.NewDatabase(t)} }},
}

// each runs a test on every engine, with the place of an empty database.
func each(t *testing.T, test func(*testing.T, Config)) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e.empty(t))
		})
	}
}

// fixture is an open store whose clock the test sets.
type fixture struct {
	*Store
	clock *atomic.Int64 // an Instant
}

// epoch is where the clocks of tests begin.
var epoch = counterfoil.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

func open(t testing.TB, c Config) *fixture {
	t.Helper()
	s, err := tryOpen(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tryOpen opens a store that is closed when the test ends, if not before.
func tryOpen(t testing.TB, c Config) (*fixture, error) {
	clock := new(atomic.Int64)
	clock.Store(int64(epoch))
	c.Now = func() time.Time { return counterfoil.Instant(clock.Load()).Time() }
	s, err := Open(context.Background(), c)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return &fixture{s, clock}, nil
}

// later moves the clock.
func (s *fixture) later(d time.Duration) { s.clock.Add(d.Microseconds()) }

func (s *fixture) write(t testing.TB, org string, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), org, ForRules, fn); err != nil {
		t.Fatal(err)
	}
}

// raw runs SQL behind the store's back.
func (s *fixture) raw(t testing.TB, query string, args ...any) {
	t.Helper()
	s.write(t, "", func(tx *Tx) error {
		_, err := tx.q.exec(query, args...)
		return err
	})
}

// organization makes one and returns its id.
func (s *fixture) organization(t testing.TB) string {
	t.Helper()
	id := NewID("org")
	s.write(t, id, func(tx *Tx) error {
		return tx.InsertOrganization(counterfoil.Organization{Slug: UUID(id), Name: "Test", Plan: "pro",
			License: counterfoil.LicenseStandard, Status: counterfoil.OrgActive, DataCenter: "eu"})
	})
	return id
}

// read returns what fn finds in a view of the organization.
func read[T any](t testing.TB, s *fixture, org string, fn func(*Tx) (T, error)) (out T) {
	t.Helper()
	err := s.View(context.Background(), org, func(tx *Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// present is read for what must be there.
func present[T any](t testing.TB, s *fixture, org string, fn func(*Tx) (T, bool, error)) T {
	t.Helper()
	v, found := lookUp(t, s, org, fn)
	if !found {
		t.Fatalf("no %T was found", v)
	}
	return v
}

func lookUp[T any](t testing.TB, s *fixture, org string, fn func(*Tx) (T, bool, error)) (v T, found bool) {
	t.Helper()
	read(t, s, org, func(tx *Tx) (_ struct{}, err error) {
		v, found, err = fn(tx)
		return struct{}{}, err
	})
	return v, found
}

// tokensOf lists the organization's tokens that are not revoked.
func tokensOf(t testing.TB, s *fixture, org string) []ListedToken {
	t.Helper()
	return read(t, s, org, func(tx *Tx) (list []ListedToken, err error) {
		list, _, err = tx.Tokens(TokenFilter{Limit: 10_000})
		return list, err
	})
}

// isUnavailable reports whether err is the system failing, in the service's own terms.
func isUnavailable(err error) bool {
	var refusal *counterfoil.Error
	return errors.As(err, &refusal) && refusal.Code == counterfoil.CodeUnavailable
}

// longest bounds every wait for something that is sure to come.
const longest = 30 * time.Second

// eventually waits for a condition that another goroutine or process brings about.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-tick.C
	}
}
