package web

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Rate limits how often each key may be used: so many times a minute, evenly or all at once (the generic cell rate
// algorithm). It is in memory: a restart forgets. The zero Rate, and one that is not positive, limits nothing.
type Rate struct {
	PerMinute int

	mu    sync.Mutex // guards what follows
	free  map[string]time.Time
	prune int // how many keys make a look at those that may be forgotten worth it
}

// Take uses up one of a key's uses at now, and writes what is left into the answer's headers, RateLimit and
// RateLimit-Policy. Refused, it says how long to wait.
func (r *Rate) Take(h http.Header, key string, now time.Time) (wait time.Duration, ok bool) {
	if r.PerMinute <= 0 {
		return 0, true
	}
	each := time.Minute / time.Duration(r.PerMinute)
	r.mu.Lock()
	free := r.free[key] // when the key will have all its uses again
	if free.Before(now) {
		free = now
	}
	if wait = free.Add(each).Sub(now) - time.Minute; wait <= 0 {
		free, ok = free.Add(each), true
		r.keep(key, free, now)
	}
	r.mu.Unlock()
	left, again := max(0, (time.Minute-free.Sub(now))/each), free.Sub(now)
	if !ok {
		left, again = 0, wait
	}
	h.Set("RateLimit-Policy", fmt.Sprintf(`"token";q=%d;w=60`, r.PerMinute))
	h.Set("RateLimit", fmt.Sprintf(`"token";r=%d;t=%d`, left, (again+time.Second-1)/time.Second))
	return max(wait, 0), ok
}

// keep needs r.mu. Keys that have all their uses need no memory.
func (r *Rate) keep(key string, free, now time.Time) {
	if r.free == nil {
		r.free, r.prune = map[string]time.Time{}, 1000
	}
	r.free[key] = free
	if len(r.free) < r.prune {
		return
	}
	for k, t := range r.free {
		if !t.After(now) {
			delete(r.free, k)
		}
	}
	r.prune = max(1000, 2*len(r.free))
}
