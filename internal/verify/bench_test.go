package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"

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
	inForce.Set(catalogue)
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
	v.cache.put(v.newEntry(id, t), v.cache.generation(id))
}

func heapInUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkVerify compares a warm check among a million tokens with its floor, in random order: the HMAC of the string and
// a read of a map of a million.
func BenchmarkVerify(b *testing.B) {
	c := newCrowd(b, warmTokens)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(c.ids))
	keyID := c.keys.Current()
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			n := order[i%len(order)]
			want := c.floor[c.ids[n]]
			if got, ok := c.keys.Digest(keyID, c.strings[n]); !ok || got != want {
				b.Fatal("the floor gives way")
			}
		}
	})
	attempt := counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{benchPermission}, IP: netip.MustParseAddr("192.0.2.7")}
	ask := func(b *testing.B, i int) {
		q := Request{Token: c.strings[order[i%len(order)]], Attempt: attempt}
		if r, err := c.v.Verify(b.Context(), &q); err != nil || r.Code != counterfoil.CodeOK {
			b.Fatalf("%s, %v", r.Code, err)
		}
	}
	ask(b, 0)
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ask(b, i)
		}
	})
	b.Run("verify-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(order)); pb.Next(); i++ {
				ask(b, i)
			}
		})
	})
	b.Run("floor-parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(order)); pb.Next(); i++ {
				n := order[i%len(order)]
				want := c.floor[c.ids[n]]
				if got, _ := c.keys.Digest(keyID, c.strings[n]); got != want {
					b.Fatal("the floor gives way")
				}
			}
		})
	})
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(c.perKept, "B/token")
		b.ReportMetric(0, "ns/op")
	})
}
