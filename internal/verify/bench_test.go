package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// warmTokens is how many tokens the benchmarks remember.
const warmTokens = 1_000_000

// crowd is a Verifier that remembers many tokens, and the floor beneath it: a map from the same ids to the same digests.
type crowd struct {
	v       *Verifier
	keys    *secret.Keyring
	strings []string
	ids     [][12]byte
	floor   map[[12]byte][32]byte
	perKept float64 // bytes of heap for each token in the cache
}

const benchPermission = "devices:read"

// newCrowd makes n organization tokens of one organization, as the database would have given them, and puts them into the
// cache in random order.
func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	s, err := store.Open(context.Background(), store.Config{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := secret.CreateKeyring(filepath.Join(tb.TempDir(), "instance.key"))
	if err != nil {
		tb.Fatal(err)
	}
	catalogue, problems := counterfoil.NewCatalogue([]counterfoil.Permission{{Name: benchPermission}, {Name: "devices:write"}}, nil)
	if problems != nil {
		tb.Fatal(problems)
	}
	inForce := &rules.InForce{}
	inForce.Set(catalogue, "")
	v := New(Config{Store: s, Keys: keys, Prefix: "cfl", Rules: &rules.Cache{InForce: inForce}})
	tb.Cleanup(func() {
		v.Close()
		s.Close()
	})
	org := store.NewID("org")
	if err := s.Update(context.Background(), org, store.ForRules, func(tx *store.Tx) error {
		return tx.InsertOrganization(counterfoil.Organization{ID: org, Slug: "bench", Name: "Bench", Status: counterfoil.OrgActive})
	}); err != nil {
		tb.Fatal(err)
	}
	c := &crowd{v: v, keys: keys, floor: make(map[[12]byte][32]byte, n)}
	tokens := make([]store.Token, n)
	now := v.Now()
	for i := range tokens {
		value := secret.Mint("cfl", secret.Organization)
		digest, _ := keys.Digest(keys.Current(), value.Reveal())
		c.strings = append(c.strings, value.Reveal())
		id := [12]byte([]byte(value.ID()))
		c.ids, c.floor[id] = append(c.ids, id), digest
		tokens[i] = store.Token{ID: tokenID(id), Organization: org, Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("token %d", i),
			Permissions: counterfoil.Permissions{benchPermission, "devices:write"}, Digest: digest, KeyID: keys.Current(), RenewedAt: now, ExpiresAt: now.Plus(1e6)}
	}
	before := heapInUse()
	for i := range tokens {
		v.remember(&tokens[i])
	}
	c.perKept = (heapInUse() - before) / float64(n)
	runtime.KeepAlive(tokens)
	return c
}

// remember fills the cache as a look-up that found t does.
func (v *Verifier) remember(t *store.Token) {
	id, _ := bareID(t.ID)
	v.cache.put(id, v.newEntry(t), v.cache.generation(id))
}

func heapInUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkVerify compares a warm check among a million tokens with its floor, in random order: the HMAC of the string and
// a read of a map of a million. The two take turns in short batches, and medians are told, so that whatever else the
// machine does meets both alike.
func BenchmarkVerify(b *testing.B) {
	c := newCrowd(b, warmTokens)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(c.ids))
	next := 0
	turn := func() int {
		next++
		return order[next%len(order)]
	}
	keyID := c.keys.Current()
	floor := func() {
		n := turn()
		want := c.floor[c.ids[n]]
		if got, ok := c.keys.Digest(keyID, c.strings[n]); !ok || got != want {
			b.Fatal("the floor gives way")
		}
	}
	q := Request{Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{benchPermission}, IP: netip.MustParseAddr("192.0.2.7")}}
	check := func() {
		q.Token = c.strings[turn()]
		if r, err := c.v.Verify(context.Background(), &q); err != nil || r.Code != counterfoil.CodeOK {
			b.Fatalf("%s, %v", r.Code, err)
		}
	}
	const batch = 200
	timed := func(fn func()) float64 {
		began := time.Now()
		for range batch {
			fn()
		}
		return float64(time.Since(began)) / batch
	}
	b.Run("warm", func(b *testing.B) {
		var floors, checks, ratios []float64
		for b.Loop() {
			f, v := timed(floor), timed(check)
			floors, checks, ratios = append(floors, f), append(checks, v), append(ratios, v/f)
		}
		b.ReportMetric(median(floors), "floor-ns")
		b.ReportMetric(median(checks), "verify-ns")
		b.ReportMetric(median(ratios), "ratio")
		b.ReportMetric(testing.AllocsPerRun(10_000, check), "allocs")
		b.ReportMetric(c.perKept, "B/token")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			q := q
			for i := rand.IntN(len(order)); pb.Next(); i++ {
				q.Token = c.strings[order[i%len(order)]]
				if r, err := c.v.Verify(context.Background(), &q); err != nil || r.Code != counterfoil.CodeOK {
					b.Fatalf("%s, %v", r.Code, err)
				}
			}
		})
	})
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
