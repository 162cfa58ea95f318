package verify

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
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
	owners map[string]*ownerSlot
}

type orgSlot struct {
	id string // empty: the instance
	slot[rules.Compiled]
}

type ownerSlot struct {
	id, org string
	slot[owner]
}

// owner is a member and what it holds under one state of the organization's rules.
type owner struct {
	member store.Member // zero when the member is gone
	under  *rules.Compiled
	holder judge.Holder
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
	if s.generation == stamp {
		s.value.Store(value)
	}
	s.mu.Unlock()
}

func (s *slots) init() {
	s.orgs, s.owners = map[string]*orgSlot{}, map[string]*ownerSlot{}
}

func (s *slots) org(id string) *orgSlot {
	return slotOf(&s.mu, s.orgs, id, func() *orgSlot { return &orgSlot{id: id} })
}

func (s *slots) owner(id, org string) *ownerSlot {
	return slotOf(&s.mu, s.owners, id, func() *ownerSlot { return &ownerSlot{id: id, org: org} })
}

func slotOf[S any](mu *sync.RWMutex, all map[string]*S, id string, make func() *S) *S {
	mu.RLock()
	known := all[id]
	mu.RUnlock()
	if known != nil {
		return known
	}
	mu.Lock()
	defer mu.Unlock()
	if known := all[id]; known != nil {
		return known
	}
	all[id] = make()
	return all[id]
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

func (s *slots) emptyOwner(id string) {
	s.mu.RLock()
	slot := s.owners[id]
	s.mu.RUnlock()
	if slot != nil {
		slot.empty()
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

// token finds a record, in the cache unless fresh is asked for; nil: there is no such token.
func (v *Verifier) token(ctx context.Context, id [12]byte, fresh bool) (*entry, error) {
	if !fresh {
		if e := v.cache.get(id); e != nil {
			v.hits.Add(1)
			return e, nil
		}
	}
	v.misses.Add(1)
	generation := v.cache.generation(id)
	t, found, err := v.Store.LookUp(ctx, tokenID(id))
	if err != nil || !found {
		return nil, err
	}
	e := &entry{
		id: id, keyID: t.KeyID, paused: t.Paused, revoked: t.RevokedAt != 0, digest: t.Digest, class: v.cache.classes.of(&t),
		org: v.slots.org(t.Organization), renewedAt: t.RenewedAt, expiresAt: t.ExpiresAt, name: t.Name,
	}
	if t.Owner != "" {
		e.owner = v.slots.owner(t.Owner, t.Organization)
	}
	if t.IPFilter != "" || t.PreviousKeyID != 0 {
		e.more = &more{ipFilter: t.IPFilter, previous: t.Previous, previousKeyID: t.PreviousKeyID, previousUntil: t.PreviousUntil}
	}
	if !fresh {
		v.cache.put(e, generation)
	}
	return e, nil
}

// rules returns an organization's rules; nil: there is no such organization.
func (v *Verifier) rules(ctx context.Context, s *orgSlot, fresh bool) (*rules.Compiled, error) {
	if !fresh {
		if c := s.value.Load(); c != nil && c.Catalogue == v.Rules.InForce.Catalogue() {
			return c, nil
		}
	}
	stamp := s.stamp()
	if s.id == "" {
		c := rules.System(v.Rules.InForce.Catalogue())
		s.fill(c, stamp)
		return c, nil
	}
	var c *rules.Compiled
	err := v.Store.View(ctx, s.id, func(tx *store.Tx) (err error) {
		c, err = v.Rules.Committed(tx)
		return err
	})
	if err == nil && c != nil && !fresh {
		s.fill(c, stamp)
	}
	return c, err
}

// owner returns a member with what it holds under the given rules. A member that is gone is inactive and holds nothing.
func (v *Verifier) owner(ctx context.Context, s *ownerSlot, under *rules.Compiled, fresh bool) (*owner, error) {
	if !fresh {
		if o := s.value.Load(); o != nil {
			if o.under == under {
				return o, nil
			}
			stamp := s.stamp()
			if o := s.value.Load(); o != nil { // still there after the stamp was read: the member is as it was
				o = newOwner(o.member, under)
				s.fill(o, stamp)
				return o, nil
			}
		}
	}
	stamp := s.stamp()
	var m store.Member
	err := v.Store.View(ctx, s.org, func(tx *store.Tx) (err error) {
		m, _, err = tx.Member(s.id)
		return err
	})
	if err != nil {
		return nil, err
	}
	o := newOwner(m, under)
	if !fresh {
		s.fill(o, stamp)
	}
	return o, nil
}

func newOwner(m store.Member, under *rules.Compiled) *owner {
	return &owner{member: m, under: under, holder: *under.Holder(m)}
}

// Apply brings the caches up to date with one entry of the log. It must have returned before the change is acknowledged.
func (v *Verifier) Apply(e *counterfoil.Event) {
	switch e.Target.Kind {
	case "token":
		if id, ok := bareID(e.Target.ID); ok && e.Action != "token_refused" {
			v.cache.evict(id, e.Action == "token_revoked" || e.Action == "activities_token_revoked")
		}
	case "member":
		v.slots.emptyOwner(e.Target.ID)
	case "organization", "policy", "ip_filter", "role":
		v.slots.emptyOrg(e.OrganizationID)
	}
}

// Purge forgets everything.
func (v *Verifier) Purge() {
	v.cache.purge()
	v.slots.emptyAll()
}
