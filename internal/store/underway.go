package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
)

// underway knows of the writes that have not ended when they began, so that a reader can wait until nothing more can
// appear before a moment, and wakes those who wait for an organization's next event.
type underway struct {
	mu    sync.Mutex // guards what follows
	began map[counterfoil.Instant]int
	ended chan struct{} // closed at the next end; nil: nobody waits

	waits   atomic.Int64 // entries of waiting
	watch   sync.Mutex   // guards waiting
	waiting map[string]chan struct{}
}

func (u *underway) begin(at counterfoil.Instant) {
	u.mu.Lock()
	if u.began == nil {
		u.began = map[counterfoil.Instant]int{}
	}
	u.began[at]++
	u.mu.Unlock()
}

func (u *underway) end(at counterfoil.Instant) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.began[at]--; u.began[at] == 0 {
		delete(u.began, at)
	}
	if u.ended != nil {
		close(u.ended)
		u.ended = nil
	}
}

// wait returns nil, or a channel to wait on and to ask again.
func (u *underway) wait(before counterfoil.Instant) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	for at := range u.began {
		if at < before {
			if u.ended == nil {
				u.ended = make(chan struct{})
			}
			return u.ended
		}
	}
	return nil
}

// Settled waits until every write that began before a moment has ended: then no event will appear that carries an
// earlier time, as long as no node's clock goes back.
func (s *Store) Settled(ctx context.Context, before counterfoil.Instant) error {
	if err := s.settledHere(ctx, before); err != nil {
		return err
	}
	return unavailable(s.engine.settled(ctx, before))
}

func (s *Store) settledHere(ctx context.Context, before counterfoil.Instant) error {
	for {
		if ahead := before.Time().Sub(s.Now().Time()); ahead > 0 {
			select {
			case <-time.After(ahead):
			case <-ctx.Done():
				return unavailable(ctx.Err())
			}
			continue
		}
		ended := s.underway.wait(before)
		if ended == nil {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

// IsSettled reports whether Settled would return at once.
func (s *Store) IsSettled(before counterfoil.Instant) bool {
	return s.Now() >= before && s.underway.wait(before) == nil && s.engine.settledUntil() >= before
}

// SettledUntil returns a moment before which no open write began: now, or the beginning of the oldest one. Of other nodes
// it goes by what they last said.
func (s *Store) SettledUntil() counterfoil.Instant {
	return min(s.underway.until(s.Now()), s.engine.settledUntil())
}

// until is now, or the beginning of the oldest open write.
func (u *underway) until(now counterfoil.Instant) counterfoil.Instant {
	until := now
	u.mu.Lock()
	defer u.mu.Unlock()
	for at := range u.began {
		until = min(until, at)
	}
	return until
}

// Watch returns a channel that is closed once a further event of the organization can be read. Ask before reading, so
// that none falls in between.
func (s *Store) Watch(org string) <-chan struct{} {
	u := &s.underway
	u.watch.Lock()
	defer u.watch.Unlock()
	ch := u.waiting[org]
	if ch == nil {
		if u.waiting == nil {
			u.waiting = map[string]chan struct{}{}
		}
		ch = make(chan struct{})
		u.waiting[org] = ch
		u.waits.Add(1)
	}
	return ch
}

// everywhere stands for every organization among those that are watched.
const everywhere = "*"

// WatchAll is Watch for the events of all organizations, and of the instance.
func (s *Store) WatchAll() <-chan struct{} { return s.Watch(everywhere) }

// wake tells those who watch the organizations of the events.
func (u *underway) wake(events []counterfoil.Event) {
	if u.waits.Load() == 0 {
		return
	}
	u.watch.Lock()
	defer u.watch.Unlock()
	for i := range events {
		for _, org := range [...]string{events[i].OrganizationID, everywhere} {
			if ch := u.waiting[org]; ch != nil {
				close(ch)
				delete(u.waiting, org)
				u.waits.Add(-1)
			}
		}
	}
}
