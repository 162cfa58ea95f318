// Package verifiers knows the programs that judge tokens by themselves, fed by this node's stream of changes: how far each has
// applied the log, and until when it trusts what it remembers. It refuses to know what they remember, and other nodes': a node
// says that it has applied an entry only when its verifiers have.
package verifiers

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// Most is how many may be known at a time, and MostOfOne how many that report with one credential: whoever has it cannot take the
// place of all others.
const (
	Most      = 1000
	MostOfOne = 250
)

var (
	ErrMany  = errors.New("as many verifiers are known as may be")
	ErrFull  = errors.New("as many verifiers report with this credential as may")
	ErrTaken = errors.New("a verifier with this id reports with another credential")
)

// Set is safe for concurrent use.
type Set struct {
	start   time.Time
	longest time.Duration // lease that is granted
	ghosts  time.Duration // since start: until then verifiers of a process before this one may trust what they remember
	epoch   func() (uint64, bool)

	mu      sync.Mutex // guards what follows
	all     map[string]*verifier
	changed chan struct{} // closed when one has applied more, or trusts nothing any more
}

type verifier struct {
	by      string // the credential that it reports with: no other speaks for it
	applied int64
	epoch   uint64        // in which that was so: of another log it says nothing
	until   time.Duration // since start: it trusts what it remembers before then
	asking  int           // reports that are being answered: it may be granted more

	once sync.Mutex // guards last; taken without mu
	last string     // the key of the last report that Once did something for
}

// New makes an empty set that grants leases up to the longest. Ghosts is for how long verifiers of a process before this one may
// trust what they remember. Epoch is the store's: it becomes another when the log does.
func New(longest, ghosts time.Duration, epoch func() (uint64, bool)) *Set {
	return &Set{start: time.Now(), longest: longest, ghosts: ghosts, epoch: epoch, all: map[string]*verifier{}, changed: make(chan struct{})}
}

func (s *Set) now() time.Duration { return time.Since(s.start) }

// Reporting is a report that is being answered.
type Reporting struct {
	s *Set
	v *verifier // the one that was asked for: it may have left, and come again
}

// Report begins one, before the end of the log is read for the answer: from then on the verifier is waited for, whatever the
// answer. by is the credential that it reports with. Call Applied when it is known of which log the report is, and End once.
func (s *Set) Report(id, by string) (*Reporting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.all[id]
	if v != nil && v.by != by {
		if v.trusts(s.now()) {
			return nil, ErrTaken
		}
		delete(s.all, id)
		v = nil
	}
	if v == nil {
		s.prune()
		switch {
		case len(s.all) >= Most:
			return nil, ErrMany
		case s.of(by) >= MostOfOne:
			return nil, ErrFull
		}
		v = &verifier{by: by}
		s.all[id] = v
	}
	v.asking++
	return &Reporting{s, v}, nil
}

// Applied notes how far the verifier has come, in the log of an epoch: that which was the store's before the log was read.
func (r *Reporting) Applied(entry int64, epoch uint64) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.v.applied, r.v.epoch = entry, epoch
	r.s.tell()
}

// End answers it: the verifier may trust what it remembers for the lease from now on; 0: no longer than before.
func (r *Reporting) End(lease time.Duration) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.v.asking--
	if lease > 0 {
		r.v.until = max(r.v.until, r.s.now()+lease)
	}
	r.s.tell()
}

// Once does what a report brings beside how far its verifier is, unless it was done for a report of that verifier with this key
// just before: one whose answer was lost is sent again. An empty key is none.
func (s *Set) Once(id, key string, do func() error) error {
	s.mu.Lock()
	v := s.all[id]
	s.mu.Unlock()
	if v == nil || key == "" {
		return do()
	}
	v.once.Lock()
	defer v.once.Unlock()
	if v.last == key {
		return nil
	}
	err := do()
	if err == nil {
		v.last = key
	}
	return err
}

// Leave forgets a verifier that trusts nothing any more.
func (s *Set) Leave(id, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.all[id]; v != nil && v.by != by && v.trusts(s.now()) {
		return ErrTaken
	}
	delete(s.all, id)
	s.tell()
	return nil
}

// Count is how many may trust what they remember.
func (s *Set) Count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.all {
		if v.trusts(s.now()) {
			n++
		}
	}
	return n
}

// Floor is the entry that every verifier that may trust what it remembers has applied; math.MaxInt64 where there is none.
func (s *Set) Floor() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	epoch, _ := s.epoch()
	floor := int64(math.MaxInt64)
	for _, v := range s.all {
		if v.trusts(s.now()) {
			floor = min(floor, v.reached(epoch))
		}
	}
	return floor
}

func (v *verifier) trusts(now time.Duration) bool { return v.asking > 0 || now < v.until }

// reached is the entry that it has applied of the log of an epoch; 0: of that one it has said nothing yet.
func (v *verifier) reached(epoch uint64) int64 {
	if v.epoch != epoch {
		return 0
	}
	return v.applied
}

// tell needs mu.
func (s *Set) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// prune needs mu.
func (s *Set) prune() {
	for id, v := range s.all {
		if !v.trusts(s.now()) {
			delete(s.all, id)
		}
	}
}

// of needs mu.
func (s *Set) of(by string) (n int) {
	for _, v := range s.all {
		if v.by == by {
			n++
		}
	}
	return n
}

// Confirmation says how a verifier took note of a change.
type Confirmation struct {
	ID     string
	After  time.Duration // from the call of Await until that was known
	Fenced bool          // it has not said so, and trusts nothing that it remembered before
}

// Ghosts is the id under which verifiers of a process before this one are listed.
const Ghosts = "ver_of_the_process_before"

// Await waits until every verifier has applied an entry that is in the log, or does not trust what it remembers any more. One
// whose lease is renewed meanwhile knows the entry, so nobody is waited for longer than one lease.
func (s *Set) Await(ctx context.Context, entry int64) (out []Confirmation) {
	began := s.now()
	if began < s.ghosts && sleep(ctx, s.ghosts-began) {
		out = append(out, Confirmation{Ghosts, s.now() - began, true})
	}
	s.mu.Lock()
	waiting := map[string]time.Duration{} // until when each trusts without a report that begins after this
	for id, v := range s.all {
		if !v.trusts(s.now()) {
			continue
		}
		if waiting[id] = v.until; v.asking > 0 {
			waiting[id] = max(v.until, s.now()+s.longest)
		}
	}
	s.mu.Unlock()
	for {
		next, changed := s.settle(waiting, entry, began, &out)
		if len(waiting) == 0 || ctx.Err() != nil {
			slices.SortFunc(out, func(a, b Confirmation) int { return cmp.Compare(a.ID, b.ID) })
			return out
		}
		timer := time.NewTimer(max(next-s.now(), time.Millisecond))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// settle takes out of waiting who need not be waited for any more, and says when the next of them ends by itself.
func (s *Set) settle(waiting map[string]time.Duration, entry int64, began time.Duration, out *[]Confirmation) (next time.Duration, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	epoch, _ := s.epoch()
	next = now + time.Second
	for id, until := range waiting {
		v := s.all[id]
		switch {
		case v != nil && v.reached(epoch) >= entry:
			*out = append(*out, Confirmation{ID: id, After: now - began})
		case v == nil || !v.trusts(now) || now >= until:
			*out = append(*out, Confirmation{id, now - began, true})
		default:
			next = min(next, until)
			continue
		}
		delete(waiting, id)
	}
	return next, s.changed
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
