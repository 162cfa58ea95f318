package verify

import (
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// slots hold what tokens share: an organization's rules and a member's rights, so that an edit of either touches one
// place. A slot outlives its content and is never replaced: tokens point to it. One that is emptied is filled again by
// the next check, unless it was emptied once more while that check was reading (the generation stamp).
type slots struct {
	mu     sync.RWMutex
	orgs   map[string]*orgSlot
	owners map[ownerKey]*ownerSlot
}

// home is where a token belongs.
type home struct {
	org   *orgSlot
	owner *ownerSlot // nil unless personal
}

type orgSlot struct {
	home        // of tokens that belong to the organization itself
	id   string // empty: the instance
	slot[rules.Compiled]
}

// ownerKey names a member in its organization: a damaged record that names another organization's finds nobody.
type ownerKey struct{ id, org string }

type ownerSlot struct {
	home
	ownerKey
	slot[owner]
}

// owner is a member and what it holds under one state of the organization's rules.
type owner struct {
	member store.Member // zero when the member is gone
	under  *rules.Compiled
	holder judge.Holder
}

func newOwner(m store.Member, under *rules.Compiled) *owner {
	return &owner{member: m, under: under, holder: *under.Holder(m)}
}

// slot is a value that can be emptied while another goroutine is fetching it.
type slot[T any] struct {
	value      atomic.Pointer[T]
	mu         sync.Mutex
	generation uint64
}

func (s *slot[T]) empty() {
	s.mu.Lock()
	s.generation++
	s.value.Store(nil)
	s.mu.Unlock()
}

func (s *slot[T]) stamp() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// fill keeps value unless the slot was emptied since stamp.
func (s *slot[T]) fill(value *T, stamp uint64) {
	s.mu.Lock()
	if s.generation == stamp || defectGeneration {
		s.value.Store(value)
	}
	s.mu.Unlock()
}

func (s *slots) init() {
	s.orgs, s.owners = map[string]*orgSlot{}, map[ownerKey]*ownerSlot{}
}

func (s *slots) org(id string) *orgSlot {
	return slotOf(&s.mu, s.orgs, id, func() *orgSlot {
		o := &orgSlot{id: id}
		o.home.org = o
		return o
	})
}

func (s *slots) owner(id, org string) *ownerSlot {
	in := s.org(org)
	key := ownerKey{id, org}
	return slotOf(&s.mu, s.owners, key, func() *ownerSlot {
		o := &ownerSlot{ownerKey: key}
		o.home = home{in, o}
		return o
	})
}

func slotOf[K comparable, S any](mu *sync.RWMutex, all map[K]*S, key K, make func() *S) *S {
	mu.RLock()
	known := all[key]
	mu.RUnlock()
	if known != nil {
		return known
	}
	mu.Lock()
	defer mu.Unlock()
	if known := all[key]; known != nil {
		return known
	}
	all[key] = make()
	return all[key]
}

// emptyOrg and emptyOwner find nothing to do when no token of theirs was ever checked here.
func (s *slots) emptyOrg(id string) {
	s.mu.RLock()
	slot := s.orgs[id]
	s.mu.RUnlock()
	if slot != nil {
		slot.empty()
	}
}

func (s *slots) emptyOwner(id, org string) {
	s.mu.RLock()
	slot := s.owners[ownerKey{id, org}]
	s.mu.RUnlock()
	if slot != nil {
		slot.empty()
	}
}

// emptyWithin empties an organization's slot and those of its members.
func (s *slots) emptyWithin(org string) {
	s.emptyOrg(org)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key, o := range s.owners {
		if key.org == org {
			o.empty()
		}
	}
}

func (s *slots) emptyAll() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, o := range s.orgs {
		o.empty()
	}
	for _, o := range s.owners {
		o.empty()
	}
}
