package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

func newCache(capacity int) *cache {
	c := &cache{}
	c.init(capacity)
	return c
}

// sameShard returns n ids of one shard.
func sameShard(c *cache, n int) (ids [][12]byte) {
	for len(ids) < n {
		id := [12]byte([]byte(secret.Mint("cfl", secret.Personal).ID()))
		if len(ids) == 0 || c.shard(id) == c.shard(ids[0]) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *cache) remember(id [12]byte) *entry {
	e := &entry{renewedAt: counterfoil.Instant(id[0])}
	c.put(id, e, c.generation(id))
	return e
}

func TestCacheIsBounded(t *testing.T) {
	const capacity = 4 * shardCount
	c := newCache(capacity)
	for i := range 20 * capacity {
		id := [12]byte([]byte(secret.Mint("cfl", secret.Personal).ID()))
		c.remember(id)
		if i%3 == 0 {
			c.get(id)
		}
		if e := c.get(id); e == nil || e.renewedAt != counterfoil.Instant(id[0]) {
			t.Fatalf("what was just put in is not there")
		}
	}
	if n, _ := c.stats(); n != capacity {
		t.Errorf("%d records are remembered, want %d", n, capacity)
	}
	for i := range c.shards {
		if n := len(c.shards[i].records); n > 4 {
			t.Errorf("a shard holds %d", n)
		}
	}
}

// TestCacheSparesWhatIsUsed fills a shard many times over, while half of the records that it began with are in use.
func TestCacheSparesWhatIsUsed(t *testing.T) {
	const each = 8
	c := newCache(each * shardCount)
	ids := sameShard(c, each*50)
	used, idle := ids[:each/2], ids[each/2:each]
	for _, id := range ids[:each] {
		c.remember(id)
	}
	for _, id := range ids[each:] {
		for _, id := range used {
			c.get(id)
		}
		c.remember(id)
	}
	kept := func(ids [][12]byte) (n int) {
		for _, id := range ids {
			if c.get(id) != nil {
				n++
			}
		}
		return n
	}
	if kept(used) != len(used) || kept(idle) != 0 {
		t.Errorf("of what was in use %d of %d are kept, of what was idle %d", kept(used), len(used), kept(idle))
	}
}

// TestCacheGivesUpWhatAllUse makes room even when every record was used since the last time.
func TestCacheGivesUpWhatAllUse(t *testing.T) {
	const each = 40 // more than there are chances
	c := newCache(each * shardCount)
	ids := sameShard(c, each+1)
	for _, id := range ids[:each] {
		c.remember(id)
		c.get(id)
	}
	c.remember(ids[each])
	if n := len(c.shard(ids[0]).records); n != each || c.get(ids[each]) == nil {
		t.Errorf("the shard holds %d records", n)
	}
}

func TestPutAgainTakesNobodysPlace(t *testing.T) {
	c := newCache(2 * shardCount)
	ids := sameShard(c, 2)
	c.remember(ids[0])
	for range 5 {
		c.remember(ids[1])
	}
	if c.get(ids[0]) == nil {
		t.Error("a record was given up for one that is there already")
	}
}

func TestGeneration(t *testing.T) {
	c := newCache(100)
	id := sameShard(c, 1)[0]
	before := c.generation(id)
	c.evict(id, false)
	c.put(id, &entry{}, before)
	if c.get(id) != nil {
		t.Error("a record read before an eviction was remembered after it")
	}
	c.put(id, &entry{}, c.generation(id))
	if c.get(id) == nil {
		t.Error("a record read after an eviction was not remembered")
	}
	before = c.generation(id)
	c.purge()
	c.put(id, &entry{}, before)
	if n, _ := c.stats(); n != 0 {
		t.Error("a record read before a purge was remembered after it")
	}
}

// TestRevokedOverwrites keeps a revoked token's record, dead, so that a check need not ask and no late fill replaces it.
func TestRevokedOverwrites(t *testing.T) {
	c := newCache(100)
	id := sameShard(c, 1)[0]
	alive := &entry{keyID: 7, paused: true, digest: secret.Digest{1}, class: &class{}, home: &home{}, renewedAt: 1, expiresAt: 2,
		name: "name", more: &more{ipFilter: "ipf_x"}}
	before := c.generation(id)
	c.put(id, alive, before)
	c.evict(id, true)
	dead := c.get(id)
	if dead == nil || !dead.revoked || alive.revoked {
		t.Fatalf("after a revocation the slot holds %+v", dead)
	}
	dead.hot.Store(false)
	alive.hot.Store(false)
	alive.revoked = true
	if fmt.Sprintf("%+v", dead) != fmt.Sprintf("%+v", alive) {
		t.Errorf("the dead record is\n%+v, it was\n%+v", dead, alive)
	}
	c.put(id, &entry{}, before)
	if e := c.get(id); e == nil || !e.revoked {
		t.Error("a late fill brought a revoked token back")
	}
	c.evict(id, false)
	if c.get(id) != nil {
		t.Error("an eviction left the record")
	}
	c.evict(id, true)
	if c.get(id) != nil {
		t.Error("a revocation made a record of nothing")
	}
}

// TestShardsAreEven spreads ids as they are minted over the shards. The bounds are six standard deviations.
func TestShardsAreEven(t *testing.T) {
	const n = 1000 * shardCount
	c := newCache(n)
	counts := map[*shard]int{}
	for range n {
		counts[c.shard([12]byte([]byte(secret.Mint("cfl", secret.System).ID())))]++
	}
	for i := range c.shards {
		if got := counts[&c.shards[i]]; got < 800 || got > 1200 {
			t.Errorf("shard %d has %d of %d ids", i, got, n)
		}
	}
}

func TestClassesAreShared(t *testing.T) {
	var c cache
	c.init(1)
	token := func(kind counterfoil.Kind, integration counterfoil.Integration, permissions ...string) *store.Token {
		return &store.Token{Kind: kind, Integration: integration, Permissions: counterfoil.NewPermissions(permissions...)}
	}
	one := c.classes.of(token(counterfoil.KindPersonal, "", "a:b", "c:d"))
	if again := c.classes.of(token(counterfoil.KindPersonal, "", "c:d", "a:b")); again != one {
		t.Error("equal tokens have two classes")
	}
	for _, other := range []*store.Token{
		token(counterfoil.KindOrganization, "", "a:b", "c:d"), token(counterfoil.KindPersonal, "", "a:b"), token(counterfoil.KindPersonal, ""),
		token(counterfoil.KindIntegration, counterfoil.IntegrationCustom), token(counterfoil.KindIntegration, counterfoil.IntegrationSplunk),
	} {
		got := c.classes.of(other)
		if got == one || got.kind != other.Kind || got.integration != other.Integration || strings.Join(got.permissions, " ") != strings.Join(other.Permissions, " ") {
			t.Errorf("%+v has class %+v", other, got)
		}
	}
	for i := range maxClasses + 10 {
		c.classes.of(token(counterfoil.KindSystem, "", fmt.Sprintf("p:%d", i)))
	}
	if n := len(c.classes.byKey); n > maxClasses {
		t.Errorf("%d classes are remembered", n)
	}
}
