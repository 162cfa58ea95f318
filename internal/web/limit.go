package web

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	shards = 16
	sample = 8
)

// Limiter grants each key one request per interval and a burst on top, by the generic cell rate algorithm: per key it
// keeps the moment at which the debt is paid off. It holds a bounded number of keys; past that it forgets the key with
// the least debt among a few, so that a flood of new keys does not free the one that is being held back.
type Limiter[K comparable] struct {
	every  time.Duration
	burst  time.Duration
	room   int // keys in a shard
	start  time.Time
	seed   maphash.Seed
	shards [shards]shard[K]
}

type shard[K comparable] struct {
	mu   sync.Mutex
	paid map[K]time.Duration // since Limiter.start
	_    [40]byte            // a cache line each
}

// NewLimiter allows burst requests at once and one more every interval, for about keys keys. All three must be positive.
func NewLimiter[K comparable](every time.Duration, burst, keys int) *Limiter[K] {
	if every <= 0 || burst <= 0 || keys <= 0 {
		panic("web: a limiter wants a positive interval, burst and number of keys")
	}
	l := &Limiter[K]{every: every, burst: time.Duration(burst) * every, room: (keys + shards - 1) / shards, start: time.Now(), seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].paid = make(map[K]time.Duration)
	}
	return l
}

// Allow counts one request of key at now. Where it refuses, the request is not counted and retryAfter says when one will
// be granted.
func (l *Limiter[K]) Allow(key K, now time.Time) (ok bool, retryAfter time.Duration) {
	at := now.Sub(l.start)
	s := &l.shards[maphash.Comparable(l.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	paid, known := s.paid[key]
	if !known || paid < at {
		paid = at
	}
	paid += l.every
	if wait := paid - l.burst - at; wait > 0 {
		return false, wait
	}
	if !known && len(s.paid) >= l.room {
		s.forget(at)
	}
	s.paid[key] = paid
	return true, 0
}

// forget drops what is paid off among a few keys, taken at random as a map is walked, and at least the nearest to it.
func (s *shard[K]) forget(at time.Duration) {
	var (
		least   K
		soonest time.Duration
		seen    int
	)
	for key, paid := range s.paid {
		if seen == 0 || paid < soonest {
			least, soonest = key, paid
		}
		if paid <= at {
			delete(s.paid, key)
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(s.paid, least)
}

// Len is how many keys are held now, for a gauge.
func (l *Limiter[K]) Len() int {
	n := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += len(s.paid)
		s.mu.Unlock()
	}
	return n
}
