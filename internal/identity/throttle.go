package identity

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// throttle bounds how often something may be tried, by the generic cell rate algorithm. It is kept in memory: a restart
// forgets it, which costs a guesser more than it gives.
type throttle struct {
	now func() time.Time

	mu   sync.Mutex
	busy map[string]time.Time // by key: when all that was tried is forgotten
}

// throttleKeys bounds the memory. Past it the keys that are due soonest go.
const throttleKeys = 100_000

// limit is one key that a try counts under: burst at once, then one every so often.
type limit struct {
	key   string
	burst int
	every time.Duration
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, busy: map[string]time.Time{}}
}

// take counts a try under every limit, or refuses it under all.
func (t *throttle) take(limits ...limit) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, l := range limits {
		// One more must fit into what the burst allows to be ahead of time.
		if wait := t.due(l, now).Add(l.every).Sub(now.Add(time.Duration(l.burst) * l.every)); wait > 0 {
			return counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many tries. Wait "+words(wait)+", then try again.")
		}
	}
	for _, l := range limits {
		t.busy[l.key] = t.due(l, now).Add(l.every)
	}
	t.forget(now)
	return nil
}

// giveBack takes a try back that was no guess.
func (t *throttle) giveBack(limits ...limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range limits {
		if at, ok := t.busy[l.key]; ok {
			t.busy[l.key] = at.Add(-l.every)
		}
	}
}

func (t *throttle) due(l limit, now time.Time) time.Time {
	if at := t.busy[l.key]; at.After(now) {
		return at
	}
	return now
}

func (t *throttle) forget(now time.Time) {
	if len(t.busy) <= throttleKeys {
		return
	}
	for margin := time.Duration(0); len(t.busy) > throttleKeys*9/10; margin = 2*margin + time.Second {
		for key, at := range t.busy {
			if !at.After(now.Add(margin)) {
				delete(t.busy, key)
			}
		}
	}
}

func words(d time.Duration) string {
	if d <= 90*time.Second {
		return fmt.Sprintf("%d seconds", max(1, int(d.Round(time.Second)/time.Second)))
	}
	return fmt.Sprintf("%d minutes", int((d+time.Minute-1)/time.Minute))
}

// addressLimit is what one address, of version 6 one network of 64 bits, may try.
func addressLimit(what string, ip netip.Addr, burst int, every time.Duration) limit {
	ip = ip.Unmap()
	key := ip.String()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			key = p.String()
		}
	}
	return limit{what + " from " + key, burst, every}
}

// guesses are the limits of trying passwords: of one e-mail address, and from one network address.
func guesses(email string, at Place) []limit {
	return []limit{{"password of " + email, 10, 30 * time.Second}, addressLimit("password", at.IP, 50, 3*time.Second)}
}

// codeGuesses are the limits of trying codes of one person: a code is short, so there are few.
func codeGuesses(user string) limit { return limit{"code of " + user, 10, 5 * time.Minute} }
