package registry

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// unapplied are the changes of this process that are about to be committed, or are and have not been told to those who cache here.
// Another operation may find them made in the database before they are in force.
type unapplied struct {
	mu   sync.Mutex
	open map[chan struct{}]struct{}
}

// begin is called before the commit, and what it returns after Applied was told, or nothing was committed; again it does nothing.
func (u *unapplied) begin() (applied func()) {
	done := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = map[chan struct{}]struct{}{}
	}
	u.open[done] = struct{}{}
	return sync.OnceFunc(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.open, done)
		close(done)
	})
}

// wait returns when all that had begun is applied, or the context has ended.
func (u *unapplied) wait(ctx context.Context) error {
	u.mu.Lock()
	open := slices.Collect(maps.Keys(u.open))
	u.mu.Unlock()
	for _, done := range open {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
