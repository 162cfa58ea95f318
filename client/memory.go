package client

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/judge"
)

// memory is what a verifier knows of tokens: never a verdict, and never a value. A token is found by the SHA-256 of a key
// that this process made for itself and its value. The protocol that keeps it true:
//
//   - What is known of a token stands on scopes: the token, its owner, its organization. A change ends the scope that it
//     concerns before it is reported as applied, and what stands on an ended scope is not known any more.
//   - Facts are read from the database after they were asked for. A fill notes how many changes had been applied before it
//     asked, and keeps nothing where one since then concerns it, or where too many came to tell.
//   - Nothing is remembered of values that are unknown.
type memory struct {
	key    [sha256.Size]byte // of this process
	shards [memoryShards]memoryShard
	most   int // tokens in a shard

	mu        sync.Mutex // guards what follows; never waited for with a shard locked
	scopes    map[string]*scope
	recent    [recentChanges]counterfoil.Change // a ring
	applied   uint64                            // changes ever applied
	catalogue *counterfoil.Catalogue
	version   string // of catalogue
}

const (
	memoryShards  = 64
	recentChanges = 1024
)

type memoryShard struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]*known
	_      [24]byte // keeps neighbours off one cache line
}

// scope is a token, a member, an organization, or everything.
type scope struct {
	ended   atomic.Bool
	rules   *judge.Rules // of an organization, without filters of tokens
	version int64        // of rules
}

// known is what is known of one value of a token. But for its uses it never changes.
type known struct {
	token, owner, organization *scope // owner may be nil
	record                     judge.Record
	match                      counterfoil.Match
	holder                     *judge.Holder
	rules                      *judge.Rules
	accepted                   counterfoil.Verdict // the answer when it is accepted; callers share what it points to
	uses                       useCell
}

func (k *known) stands() bool {
	return !k.token.ended.Load() && !k.organization.ended.Load() && (k.owner == nil || !k.owner.ended.Load())
}

func newMemory(most int) *memory {
	m := &memory{scopes: map[string]*scope{}, most: max(1, most/memoryShards)}
	_, _ = rand.Read(m.key[:]) // never fails
	for i := range m.shards {
		m.shards[i].tokens = map[[sha256.Size]byte]*known{}
	}
	return m
}

// longestValue is the size in bytes of the longest value that is remembered: no token is as long.
const longestValue = 128

// place is SHA-256(key ‖ value). The key is secret and the whole digest is compared, and neither leaves the process; so the
// second pass of HMAC, which guards a digest that others see against being extended, would guard nothing. The value is at most
// longestValue bytes long.
func (m *memory) place(presented string) [sha256.Size]byte {
	var in [sha256.Size + longestValue]byte
	n := copy(in[:], m.key[:])
	n += copy(in[n:], presented)
	return sha256.Sum256(in[:n])
}

// find returns what is known of a presented value, or nil. Where the token is accepted it allocates nothing.
func (m *memory) find(presented string) *known {
	if len(presented) > longestValue {
		return nil
	}
	at := m.place(presented)
	s := &m.shards[at[0]%memoryShards]
	s.mu.RLock()
	k := s.tokens[at]
	s.mu.RUnlock()
	if k == nil || !k.stands() {
		return nil
	}
	return k
}

// stamp is to be read before facts are asked for.
func (m *memory) stamp() (applied uint64, catalogue string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied, m.version
}

// errStale means that facts were overtaken by a change, or cannot be told from such.
var errStale = errors.New("a change came between the question and its answer")

// fill remembers facts that were asked for after stamp.
func (m *memory) fill(presented string, f *counterfoil.Facts, stamp uint64) (*known, error) {
	k := &known{match: counterfoil.MatchCurrent, record: recordOf(&f.Token)}
	if f.Previous {
		k.match, k.uses.until = counterfoil.MatchPrevious, f.Token.PreviousUntil
	}
	m.mu.Lock()
	err := m.attach(k, f, stamp)
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	k.accepted, k.uses.token = k.verdict(f), f.Token.ID
	if len(presented) > longestValue {
		return k, nil
	}
	at := m.place(presented)
	s := &m.shards[at[0]%memoryShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[at] == nil && len(s.tokens) >= m.most {
		s.makeRoom()
	}
	s.tokens[at] = k
	return k, nil
}

// size is how many values are in the shards, those that are known no more included.
func (m *memory) size() (n int) {
	for i := range m.shards {
		m.shards[i].mu.RLock()
		n += len(m.shards[i].tokens)
		m.shards[i].mu.RUnlock()
	}
	return n
}

// makeRoom drops what is known no more, or else any one; it needs the shard's lock.
func (s *memoryShard) makeRoom() {
	left := 16
	for at, k := range s.tokens { // begins at a random place
		if left--; left == 0 || !k.stands() {
			delete(s.tokens, at)
			return
		}
	}
	for at := range s.tokens {
		delete(s.tokens, at)
		return
	}
}

// attach puts k on its scopes. A change that comes later ends them, whether k is in its shard by then or not.
func (m *memory) attach(k *known, f *counterfoil.Facts, stamp uint64) error {
	if m.applied-stamp > recentChanges {
		return errStale
	}
	for n := stamp; n < m.applied; n++ {
		if concerns(&m.recent[n%recentChanges], f) {
			return errStale
		}
	}
	if len(m.scopes) > 4*m.most*memoryShards+1024 { // most of them of tokens that have made room
		m.forgetAll()
	}
	if err := m.learn(&f.Catalogue); err != nil {
		return err
	}
	organization, owner := "", ""
	if f.Organization != nil {
		organization = f.Organization.ID
	}
	if f.Owner != nil {
		owner = f.Owner.ID
		k.owner = m.scope(counterfoil.ScopeMember, owner)
		k.holder = &judge.Holder{Active: f.Owner.Active, Permissions: f.Owner.Permissions}
	}
	k.token, k.organization = m.scope(counterfoil.ScopeToken, f.Token.ID), m.scope(counterfoil.ScopeOrganization, organization)
	k.rules = m.rules(k.organization, f)
	return nil
}

func (m *memory) scope(kind counterfoil.ChangeScope, id string) *scope {
	name := string(kind) + " " + id
	s := m.scopes[name]
	if s == nil {
		s = &scope{}
		m.scopes[name] = s
	}
	return s
}

// learn needs mu.
func (m *memory) learn(c *counterfoil.FactsCatalogue) error {
	switch {
	case c.Version == m.version && m.catalogue != nil:
		return nil
	case c.Version == "":
		return errors.New("the server does not say which catalogue is in force")
	case c.Permissions == nil:
		return errStale // it was left out for one that has been forgotten
	}
	compiled, problems := counterfoil.NewCatalogue(c.Permissions, nil)
	if len(problems) > 0 {
		return errors.New("the server's catalogue cannot be read: " + problems[0].Detail)
	}
	m.forgetAll() // under another one nothing that is known counts
	m.catalogue, m.version = compiled, c.Version
	return nil
}

// rules compiles an organization's rules, once for those of its tokens that have no filter of their own.
func (m *memory) rules(s *scope, f *counterfoil.Facts) *judge.Rules {
	org := f.Organization
	shared := org != nil && f.Token.IPFilter == ""
	if shared && s.rules != nil && s.version == org.Version {
		return s.rules
	}
	r := &judge.Rules{Catalogue: m.catalogue, Filters: make(map[string]*counterfoil.IPRules, len(f.Filters))}
	for _, filter := range f.Filters {
		compiled, problems := counterfoil.ParseIPRules(filter.Rules)
		if len(problems) > 0 {
			compiled = nil // one that cannot be read lets nobody in
		}
		r.Filters[filter.ID] = compiled
	}
	if org != nil {
		r.OrganizationActive = org.Active
		for _, p := range org.Policies {
			if at := r.Policy(p.Kind); at != nil {
				*at = p
			}
		}
	}
	if shared {
		s.rules, s.version = r, org.Version
	}
	return r
}

// concerns reports whether facts may be older than a change.
func concerns(c *counterfoil.Change, f *counterfoil.Facts) bool {
	switch c.Scope {
	case counterfoil.ScopeNothing:
		return false
	case counterfoil.ScopeToken:
		return c.ID == f.Token.ID
	case counterfoil.ScopeMember:
		return f.Owner != nil && c.ID == f.Owner.ID
	case counterfoil.ScopeOrganization:
		return f.Organization != nil && c.ID == f.Organization.ID
	}
	return true
}

// apply forgets what a change concerns. When it has returned, no check that begins goes by what was before.
func (m *memory) apply(c counterfoil.Change) {
	if c.Scope == counterfoil.ScopeNothing {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent[m.applied%recentChanges] = c
	m.applied++
	switch c.Scope {
	case counterfoil.ScopeToken, counterfoil.ScopeMember, counterfoil.ScopeOrganization:
		name := string(c.Scope) + " " + c.ID
		if s := m.scopes[name]; s != nil {
			s.ended.Store(true)
			delete(m.scopes, name)
		}
	default:
		m.forgetAll()
	}
}

// forgetAll needs mu.
func (m *memory) forgetAll() {
	for _, s := range m.scopes {
		s.ended.Store(true)
	}
	m.scopes = map[string]*scope{}
	m.catalogue, m.version = nil, ""
}

func recordOf(t *counterfoil.FactsToken) judge.Record {
	return judge.Record{Kind: t.Kind, Integration: t.Integration, Permissions: t.Permissions, IPFilter: t.IPFilter, Revoked: t.Revoked,
		Paused: t.Paused, RenewedAt: t.RenewedAt, ExpiresAt: t.ExpiresAt, PreviousUntil: t.PreviousUntil}
}

// verdict is the answer when the token is accepted: it depends on no time, address or question.
func (k *known) verdict(f *counterfoil.Facts) counterfoil.Verdict {
	v := counterfoil.Verdict{Active: true, Code: counterfoil.CodeOK, Token: &counterfoil.VerdictToken{
		ID: f.Token.ID, Kind: f.Token.Kind, Name: f.Token.Name,
		Permissions: judge.Effective(&k.record, k.holder, k.rules), ExpiresAt: judge.EffectiveExpiry(&k.record, k.rules).Ptr(),
	}}
	if f.Organization != nil {
		v.Organization = &counterfoil.VerdictOrganization{ID: f.Organization.ID, Slug: f.Organization.Slug}
	}
	if f.Owner != nil {
		v.Owner = &counterfoil.VerdictOwner{ID: f.Owner.ID, Email: f.Owner.Email}
	}
	return v
}

// judge decides one use of what is known. It allocates nothing.
func (k *known) judge(a *counterfoil.Attempt, now counterfoil.Instant) counterfoil.Verdict {
	asked := *a
	asked.Value, asked.Audience = k.match, counterfoil.AudienceProduct
	if code := judge.Use(&k.record, k.holder, k.rules, &asked, now, nil); code != counterfoil.CodeOK {
		message := judge.Message(code)
		if code == counterfoil.CodeMissingPermission {
			message = judge.Missing(&k.record, k.holder, k.rules, &asked)
		}
		return counterfoil.Verdict{Code: code, Message: message}
	}
	return k.accepted
}
