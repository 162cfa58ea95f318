package verify

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// cache remembers token records. The protocol that keeps it true:
//
//   - A change overwrites or removes the record after it is committed and before it is acknowledged, and raises the
//     shard's generation.
//   - A fill notes the generation before it reads the database and puts nothing back when it has risen since.
//   - Nothing is remembered of ids that are unknown, so a token just made is found at once.
//
// When it is full, a record that was not used since it was last looked at makes room (second chance, from a random place
// on).
type cache struct {
	shards  [shardCount]shard
	classes classes
}

// shardCount is chosen for memory as well: with it the maps of a shard are three quarters full, not half, at a million
// records and at every doubling of that.
const shardCount = 160

type shard struct {
	mu         sync.RWMutex
	generation uint64
	records    map[[12]byte]*entry // at most capacity
	capacity   int
	hits       atomic.Int64
	_          [16]byte // keeps neighbours off one cache line
}

// entry is one record, kept small: 96 bytes and its name. It does not know its own id. All but hot is immutable.
type entry struct {
	keyID   uint8
	paused  bool
	revoked bool
	hot     atomic.Bool // used since it last had to give up its place

	digest    secret.Digest
	class     *class
	home      *home
	renewedAt counterfoil.Instant
	expiresAt counterfoil.Instant
	name      string
	more      *more // nil for most
}

// more is what few tokens have.
type more struct {
	ipFilter      string
	previous      secret.Digest
	previousKeyID uint8
	previousUntil counterfoil.Instant
}

// class is what many tokens have in common; equal ones are one.
type class struct {
	kind        counterfoil.Kind
	integration counterfoil.Integration
	permissions counterfoil.Permissions
}

func (e *entry) record() judge.Record {
	r := judge.Record{
		Kind: e.class.kind, Integration: e.class.integration, Permissions: e.class.permissions,
		Revoked: e.revoked, Paused: e.paused, RenewedAt: e.renewedAt, ExpiresAt: e.expiresAt,
	}
	if e.more != nil {
		r.IPFilter, r.PreviousUntil = e.more.ipFilter, e.more.previousUntil
	}
	return r
}

func tokenID(id [12]byte) string { return "tok_" + string(id[:]) }

// bareID is the id without its type prefix; false when it is no token's id.
func bareID(id string) (b [12]byte, ok bool) {
	rest, ok := strings.CutPrefix(id, "tok_")
	if !ok || len(rest) != len(b) {
		return b, false
	}
	copy(b[:], rest)
	return b, true
}

func (c *cache) init(capacity int) {
	for i := range c.shards {
		c.shards[i].records = map[[12]byte]*entry{}
		c.shards[i].capacity = max(1, capacity/shardCount)
	}
	c.classes.byKey = map[string]*class{}
}

// shard spreads by the id's own characters, those that are random: the first follow the clock.
func (c *cache) shard(id [12]byte) *shard {
	return &c.shards[(uint(id[4])*61+uint(id[5])*7+uint(id[11]))%shardCount]
}

func (c *cache) get(id [12]byte) *entry {
	s := c.shard(id)
	s.mu.RLock()
	e := s.records[id]
	s.mu.RUnlock()
	if e == nil {
		return nil
	}
	s.hits.Add(1)
	if !e.hot.Load() {
		e.hot.Store(true)
	}
	return e
}

func (c *cache) generation(id [12]byte) uint64 {
	s := c.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.generation
}

// put remembers e under id unless something of its shard was changed since generation was read.
func (c *cache) put(id [12]byte, e *entry, generation uint64) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation && !defectGeneration {
		return
	}
	if len(s.records) >= s.capacity && s.records[id] == nil {
		s.makeRoom()
	}
	s.records[id] = e
}

// chances is how many records in a row may be spared for being in use.
const chances = 16

func (s *shard) makeRoom() {
	for left := chances; ; { // a small shard is gone through again
		for id, e := range s.records { // begins at a random place
			if left--; left < 0 || !e.hot.Swap(false) {
				delete(s.records, id)
				return
			}
		}
	}
}

// evict makes sure that the record as it was is not used again: a revoked token's slot is overwritten, any other is
// emptied.
func (c *cache) evict(id [12]byte, revoked bool) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	e := s.records[id]
	switch {
	case e == nil:
	case revoked:
		s.records[id] = &entry{keyID: e.keyID, paused: e.paused, revoked: true, digest: e.digest, class: e.class,
			home: e.home, renewedAt: e.renewedAt, expiresAt: e.expiresAt, name: e.name, more: e.more}
	default:
		delete(s.records, id)
	}
}

// forget removes the records of one organization.
func (c *cache) forget(org string) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.generation++
		for id, e := range s.records {
			if e.home.org.id == org {
				delete(s.records, id)
			}
		}
		s.mu.Unlock()
	}
}

func (c *cache) purge() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.generation++
		s.records = map[[12]byte]*entry{}
		s.mu.Unlock()
	}
}

func (c *cache) stats() (records int, hits int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		records += len(s.records)
		s.mu.RUnlock()
		hits += s.hits.Load()
	}
	return records, hits
}

// classes finds the one copy of what tokens have in common.
type classes struct {
	mu    sync.Mutex
	byKey map[string]*class
}

// maxClasses bounds the memory; past it, equal classes may be kept twice.
const maxClasses = 50_000

func (c *classes) of(t *store.Token) *class {
	key := string(t.Kind) + "\n" + string(t.Integration) + "\n" + strings.Join(t.Permissions, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.byKey[key]; known != nil {
		return known
	}
	if len(c.byKey) >= maxClasses {
		clear(c.byKey)
	}
	made := &class{kind: t.Kind, integration: t.Integration, permissions: t.Permissions}
	c.byKey[key] = made
	return made
}
