package client

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

var noon = counterfoil.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

// factsOf is a personal token of ann in org_1 that reads devices from 10.0.0.0/8.
func factsOf(token string) *counterfoil.Facts {
	policies := []counterfoil.Policy{}
	for _, kind := range counterfoil.PolicyKinds {
		policies = append(policies, counterfoil.DefaultPolicy(kind))
	}
	reads := counterfoil.NewPermissions("devices:read")
	return &counterfoil.Facts{
		Token: counterfoil.FactsToken{ID: token, Kind: counterfoil.KindPersonal, Name: "laptop", Permissions: reads, IPFilter: "ipf_1",
			RenewedAt: noon.Plus(-60), ExpiresAt: noon.Plus(3600)},
		Organization: &counterfoil.FactsOrganization{ID: "org_1", Slug: "acme", Active: true, Version: 1, Policies: policies},
		Owner:        &counterfoil.FactsOwner{ID: "mem_1", Email: "ann@acme.example", Active: true, Permissions: reads},
		Filters:      []counterfoil.FactsFilter{{ID: "ipf_1", Rules: "allow 10.0.0.0/8"}},
		Catalogue:    counterfoil.FactsCatalogue{Version: "1", Permissions: []counterfoil.Permission{{Name: "devices:read", Endpoints: []string{"GET /api/devices"}}}},
	}
}

func readingFrom(ip string) *counterfoil.Attempt {
	return &counterfoil.Attempt{Permissions: []string{"devices:read"}, IP: netip.MustParseAddr(ip)}
}

func (m *memory) code(presented string, a *counterfoil.Attempt, now counterfoil.Instant) counterfoil.Code {
	k := m.find(presented)
	if k == nil {
		return "" // not known
	}
	return k.judge(a, now).Code
}

// learnNow fills without anything in between.
func learnNow(t testing.TB, m *memory, presented string, f *counterfoil.Facts) {
	t.Helper()
	stamp, _ := m.stamp()
	if _, err := m.fill(presented, f, stamp); err != nil {
		t.Fatal(err)
	}
}

// Everything is judged afresh at each use, by the value that was presented.
func TestMemoryJudges(t *testing.T) {
	in := readingFrom("10.1.2.3")
	for _, c := range []struct {
		name   string
		change func(*counterfoil.Facts)
		a      *counterfoil.Attempt
		now    counterfoil.Instant
		want   counterfoil.Code
	}{
		{"as it should be", func(*counterfoil.Facts) {}, in, noon, counterfoil.CodeOK},
		{"from elsewhere", func(*counterfoil.Facts) {}, readingFrom("192.0.2.1"), noon, counterfoil.CodeIPNotAllowed},
		{"an hour later", func(*counterfoil.Facts) {}, in, noon.Plus(3600), counterfoil.CodeTokenExpired},
		{"another permission", func(*counterfoil.Facts) {}, &counterfoil.Attempt{Permissions: []string{"devices:write"}, IP: in.IP}, noon, counterfoil.CodeMissingPermission},
		{"an endpoint", func(*counterfoil.Facts) {}, &counterfoil.Attempt{Method: "GET", Path: "/api/devices", IP: in.IP}, noon, counterfoil.CodeOK},
		{"an endpoint that is not listed", func(*counterfoil.Facts) {}, &counterfoil.Attempt{Method: "GET", Path: "/api/x", IP: in.IP}, noon, counterfoil.CodeMissingPermission},
		{"revoked", func(f *counterfoil.Facts) { f.Token.Revoked = true }, in, noon, counterfoil.CodeTokenRevoked},
		{"paused", func(f *counterfoil.Facts) { f.Token.Paused = true }, in, noon, counterfoil.CodeTokenPaused},
		{"a suspended organization", func(f *counterfoil.Facts) { f.Organization.Active = false }, in, noon, counterfoil.CodeOrganizationSuspended},
		{"an owner who left", func(f *counterfoil.Facts) { f.Owner = nil }, in, noon, counterfoil.CodeOwnerInactive},
		{"an owner who holds less", func(f *counterfoil.Facts) { f.Owner.Permissions = nil }, in, noon, counterfoil.CodeMissingPermission},
		{"no policies", func(f *counterfoil.Facts) { f.Organization.Policies = nil }, in, noon, counterfoil.CodeKindDisabled},
		{"no organization", func(f *counterfoil.Facts) { f.Organization = nil }, in, noon, counterfoil.CodeOrganizationSuspended},
		{"its filter is missing", func(f *counterfoil.Facts) { f.Filters = nil }, in, noon, counterfoil.CodeIPNotAllowed},
		{"its filter cannot be read", func(f *counterfoil.Facts) { f.Filters[0].Rules = "allow everybody" }, in, noon, counterfoil.CodeIPNotAllowed},
		{"the value before, in its grace", func(f *counterfoil.Facts) { f.Previous, f.Token.PreviousUntil = true, noon.Plus(1) }, in, noon, counterfoil.CodeOK},
		{"the value before, after it", func(f *counterfoil.Facts) { f.Previous, f.Token.PreviousUntil = true, noon }, in, noon, counterfoil.CodeTokenRevoked},
	} {
		m, f := newMemory(1000), factsOf("tok_1")
		c.change(f)
		learnNow(t, m, "value", f)
		if got := m.code("value", c.a, c.now); got != c.want {
			t.Errorf("%s: %q, want %s", c.name, got, c.want)
		}
		if got := m.code("valu", c.a, c.now); got != "" {
			t.Errorf("%s: another value is known: %s", c.name, got)
		}
	}
}

var scopes = []struct {
	change   counterfoil.Change
	concerns bool
}{
	{counterfoil.Change{Scope: counterfoil.ScopeToken, ID: "tok_1"}, true},
	{counterfoil.Change{Scope: counterfoil.ScopeToken, ID: "tok_2"}, false},
	{counterfoil.Change{Scope: counterfoil.ScopeMember, ID: "mem_1"}, true},
	{counterfoil.Change{Scope: counterfoil.ScopeMember, ID: "mem_2"}, false},
	{counterfoil.Change{Scope: counterfoil.ScopeOrganization, ID: "org_1"}, true},
	{counterfoil.Change{Scope: counterfoil.ScopeOrganization, ID: "org_2"}, false},
	{counterfoil.Change{Scope: counterfoil.ScopeEverything}, true},
	{counterfoil.Change{Scope: "of a newer server", ID: "x"}, true},
}

// A change makes what it concerns unknown, both values of a token, and leaves the rest.
func TestMemoryForgets(t *testing.T) {
	for _, c := range scopes {
		m := newMemory(1000)
		learnNow(t, m, "value", factsOf("tok_1"))
		learnNow(t, m, "the one before", factsOf("tok_1"))
		m.apply(c.change)
		for _, presented := range []string{"value", "the one before"} {
			if known := m.find(presented) != nil; known == c.concerns {
				t.Errorf("after %+v %q is known: %t", c.change, presented, known)
			}
		}
		learnNow(t, m, "value", factsOf("tok_1"))
		if m.find("value") == nil {
			t.Errorf("after %+v it cannot be learned again", c.change)
		}
	}
}

// Facts that were on their way when a change came are not kept, if it concerns them or if nobody knows.
func TestMemoryLateFill(t *testing.T) {
	for _, c := range scopes {
		m := newMemory(1000)
		learnNow(t, m, "another", factsOf("tok_9"))
		stamp, _ := m.stamp()
		m.apply(c.change)
		_, err := m.fill("value", factsOf("tok_1"), stamp)
		if errors.Is(err, errStale) != c.concerns || (m.find("value") == nil) != c.concerns {
			t.Errorf("a change %+v came before the answer: %v", c.change, err)
		}
	}
	m := newMemory(1000)
	stamp, _ := m.stamp()
	for range recentChanges + 1 {
		m.apply(counterfoil.Change{Scope: counterfoil.ScopeToken, ID: "tok_2"})
	}
	if _, err := m.fill("value", factsOf("tok_1"), stamp); !errors.Is(err, errStale) {
		t.Errorf("more changes than are remembered came before the answer: %v", err)
	}
}

// The catalogue is left out of an answer only for one who has it, and may have lost it meanwhile.
func TestMemoryCatalogue(t *testing.T) {
	m := newMemory(1000)
	without := factsOf("tok_2")
	without.Catalogue.Permissions = nil
	stamp, _ := m.stamp()
	if _, err := m.fill("b", without, stamp); !errors.Is(err, errStale) {
		t.Errorf("without a catalogue: %v", err)
	}
	learnNow(t, m, "a", factsOf("tok_1"))
	learnNow(t, m, "b", without)
	if got := m.code("b", readingFrom("10.0.0.1"), noon); got != counterfoil.CodeOK {
		t.Errorf("under the catalogue that is known: %q", got)
	}
	next := factsOf("tok_3")
	next.Catalogue = counterfoil.FactsCatalogue{Version: "2", Permissions: []counterfoil.Permission{{Name: "devices:write"}}}
	learnNow(t, m, "c", next)
	if got := m.code("c", readingFrom("10.0.0.1"), noon); got != counterfoil.CodeMissingPermission || m.find("a") != nil {
		t.Errorf("under another catalogue: %q, and what was known before is: %t", got, m.find("a") != nil)
	}
}

// However many tokens come, the memory stays bounded, and goes on learning.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(64 * 4)
	for i := range 3000 {
		presented := fmt.Sprint("value ", i)
		learnNow(t, m, presented, factsOf(fmt.Sprint("tok_", i)))
		if m.find(presented) == nil {
			t.Fatalf("token %d is not known at once", i)
		}
	}
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].tokens)
	}
	if n > 64*4 || len(m.scopes) > 4*64*4+1024+3 {
		t.Errorf("%d tokens and %d scopes are kept", n, len(m.scopes))
	}
}

// A check that begins after a revocation was applied never says yes, whatever fills are on their way. The server is a value
// that facts are read from after they are asked for.
func TestMemoryRace(t *testing.T) {
	m := newMemory(1000)
	var mu sync.Mutex // of the server
	var group sync.WaitGroup
	for i := range 200 {
		id, presented := fmt.Sprint("tok_", i), fmt.Sprint("value ", i)
		revoked := false
		ask := func() *counterfoil.Facts {
			mu.Lock()
			defer mu.Unlock()
			f := factsOf(id)
			f.Token.Revoked = revoked
			return f
		}
		stop := make(chan struct{})
		for range 3 {
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if m.find(presented) == nil {
						stamp, _ := m.stamp()
						if _, err := m.fill(presented, ask(), stamp); err != nil && !errors.Is(err, errStale) {
							t.Error(err)
						}
					}
				}
			})
		}
		for m.find(presented) == nil {
		}
		mu.Lock()
		revoked = true
		mu.Unlock()
		m.apply(counterfoil.Change{Scope: counterfoil.ScopeToken, ID: id})
		for range 50 {
			if got := m.code(presented, readingFrom("10.0.0.1"), noon); got == counterfoil.CodeOK {
				t.Fatalf("%s is accepted after its revocation was applied", id)
			}
		}
		close(stop)
		group.Wait()
	}
}

// The memory holds no value, and two processes keep the same value in different places.
func TestMemoryHoldsNoValue(t *testing.T) {
	a, b := newMemory(1000), newMemory(1000)
	if a.place("value") == b.place("value") || a.place("value") == a.place("valuf") {
		t.Error("places do not go by this process's own key and the whole value")
	}
}

func benchmarkMemory(b *testing.B, tokens int) (*memory, []string) {
	m := newMemory(4 * tokens)
	presented := make([]string, tokens)
	for i := range presented {
		presented[i] = fmt.Sprintf("cfl_pat_%012d%030dabcdef", i, i)
		learnNow(b, m, presented[i], factsOf(fmt.Sprint("tok_", i)))
	}
	return m, presented
}

// BenchmarkWarm is a check that is answered from memory; BenchmarkWarmFloor is what it cannot do without: the keyed hash of
// the value, and a map read.
func BenchmarkWarm(b *testing.B) {
	m, presented := benchmarkMemory(b, 10_000)
	attempt := readingFrom("10.1.2.3")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := m.find(presented[i%len(presented)])
		if k == nil || !k.judge(attempt, noon).Active {
			b.Fatal("not accepted")
		}
	}
}

func BenchmarkWarmFloor(b *testing.B) {
	m, presented := benchmarkMemory(b, 10_000)
	all := map[[32]byte]*known{}
	for _, p := range presented {
		all[m.place(p)] = m.find(p)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if all[m.place(presented[i%len(presented)])] == nil {
			b.Fatal("not there")
		}
	}
}
