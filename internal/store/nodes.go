package store

import (
	"context"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Confirmation says how a node took note of a change.
type Confirmation struct {
	Node  string
	After time.Duration // from the call of Confirm until that was known
	// Fenced: the node has not said that it has applied the change, and its lease has run out: it trusts nothing that it
	// remembers until it has read the log.
	Fenced bool
}

// Confirm waits until no other node can act on what was before an entry of the log: each has applied it, or trusts its
// memory no more. A node that is gone costs its lease once. The entry is what Tx.Logged returned; 0 stands for everything
// that was committed until now. It returns at once where there is no other node, as on SQLite.
func (s *Store) Confirm(ctx context.Context, entry int64) ([]Confirmation, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*MaxLease) // who waits may go: the receipt is finished
	defer cancel()
	out, err := s.engine.confirm(ctx, entry)
	return out, unavailable(err)
}

// CatchUp waits until everything that was committed until now has its number in the log, and this node has applied it, or trusts its
// memory no more. It returns the last of the numbers. On SQLite, where whoever writes tells, nobody is waited for.
func (s *Store) CatchUp(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*MaxLease)
	defer cancel()
	number, err := s.engine.catchUp(ctx)
	return number, unavailable(err)
}

// Another reports whether the log has become another since this process began, or lost entries that it had not read. An epoch may end
// for less.
func (s *Store) Another() bool { return s.engine.another() }

// Attach has fn told of every entry of the log, whichever node wrote it, in order and before this node says that it has
// applied it; entries may be told again. As long as fn fails, this node trusts nothing that it remembers. On SQLite, where
// whoever writes tells, fn is never called.
func (s *Store) Attach(fn func([]counterfoil.Event) error) (detach func()) {
	return s.engine.attach(fn)
}

// Gate has this node say that it has applied an entry only when floor returns it or a later one: for those whom it feeds;
// math.MaxInt64 where nobody may go by what it remembers. It is called before anybody is fed. On SQLite nobody else has to be told.
func (s *Store) Gate(floor func() int64) { s.engine.gate(floor) }

// Applied says to the other nodes how far this one, with those whom it feeds, has come, if that is further than it has said.
func (s *Store) Applied(ctx context.Context) error { return unavailable(s.engine.say(ctx)) }

// Trust is for how long this node may trust what it remembers from now on; 0: it may not. Where it is alone, that is without
// end, which MaxLease stands for.
func (s *Store) Trust() time.Duration { return s.engine.trust() }

// Lease is the length of this node's lease, and the longest that it grants.
func (s *Store) Lease() time.Duration { return s.lease }

// Node is this process's name among the nodes.
func (s *Store) Node() string { return s.node }

// Alone reports whether no other process can serve the database.
func (s *Store) Alone() bool { return s.Engine() == "sqlite" }

// Leads reports whether this node is the one that does what one of them is enough for. For a moment, while a node is cut
// off, there may be two.
func (s *Store) Leads() bool { return s.engine.leads() }

// WhileLeading runs fn whenever this node leads, until ctx ends. The context that fn gets ends when it leads no more.
func (s *Store) WhileLeading(ctx context.Context, fn func(context.Context)) {
	tick := time.NewTicker(leadLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		if s.Leads() {
			s.lead(ctx, fn)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// leadLook is how often it is looked who leads.
const leadLook = 250 * time.Millisecond

func (s *Store) lead(ctx context.Context, fn func(context.Context)) {
	leading, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(leadLook)
		defer tick.Stop()
		for s.Leads() {
			select {
			case <-leading.Done():
				return
			case <-tick.C:
			}
		}
		end()
	})
	fn(leading)
	end()
	watch.Wait()
}

// Standing is how this node stands to the log.
type Standing struct {
	Lease   time.Duration // 0: there is no lease
	Age     time.Duration // since the log was last known to hold nothing more
	Applied int64         // number of the last entry applied
	// Behind is how many entries are known to be in the log that are not applied, and BehindFor since when the oldest of them
	// is known. A node that cannot read the log knows of none that others have added since: Age says how long that may be.
	Behind    int64
	BehindFor time.Duration
	Nodes     int // that are known, with this one
	// Outdated: a newer version has changed the database so that this one must not serve it any more.
	Outdated bool
}

// Standing returns how this node stands to the log, for metrics.
func (s *Store) Standing() Standing { return s.engine.standing() }
