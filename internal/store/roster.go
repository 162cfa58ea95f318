package store

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

// peer is what is known of a node of this database, this one or another.
type peer struct {
	id       string
	lease    time.Duration
	applied  int64 // the last entry that it says to have applied
	renewals int64 // rises with every renewal of its lease
	settled  counterfoil.Instant
	since    time.Duration // since the roster's start: when renewals was first seen as it is
}

// expired reports whether the lease has run out: it was last renewed before since.
func (p *peer) expired(now time.Duration) bool { return now-p.since >= p.lease }

// roster knows the nodes whose leases may be running. A node's lease is renewed only together with its row, so one whose
// row has not changed for the length of its lease trusts its memory no more; it is fenced then, after which it must join
// again before it can renew anything. Nobody waits for a node that is not here.
type roster struct {
	self  string
	db    *sql.DB // one connection
	start time.Time
	clock func() counterfoil.Instant
	log   *slog.Logger

	mu    sync.Mutex // guards what follows
	peers map[string]peer
	as    time.Duration       // when the reading that peers are from began
	at    counterfoil.Instant // the same by the clock
	begun uint64              // readings of look

	reading sync.Mutex // held by the one who reads
	ended   uint64     // guarded by reading, as is failed
	failed  error      // of the reading that ended last
}

const peerColumns = "id, lease, applied, renewals, settled"

func scanPeer(r scanner) (p peer, err error) {
	return p, r.Scan(&p.id, &p.lease, &p.applied, &p.renewals, &p.settled)
}

func (n *roster) now() time.Duration { return time.Since(n.start) }

// observe takes note of all rows as they were read. A reading that began before the last one says nothing new, and may lack
// a node that has joined since.
func (n *roster) observe(rows []peer, began time.Duration, at counterfoil.Instant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if began < n.as {
		return
	}
	n.as, n.at = began, at
	now, known := n.now(), n.peers
	n.peers = make(map[string]peer, len(rows))
	for _, p := range rows {
		p.since = now
		k, ok := known[p.id]
		if ok && k.renewals == p.renewals {
			p.since = k.since
		}
		if !ok && known != nil && p.id != n.self {
			n.log.Info("another node serves the database", "node", p.id)
		}
		n.peers[p.id] = p
	}
}

// others returns the nodes but this one, in the order of their ids.
func (n *roster) others() []peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]peer, 0, len(n.peers))
	for _, p := range n.peers {
		if p.id != n.self {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b peer) int { return cmp.Compare(a.id, b.id) })
	return out
}

// tend looks at all nodes on the follower's connection and fences those whose lease has run out.
func (n *roster) tend(ctx context.Context, conn *pgx.Conn) error {
	began, at := n.now(), n.clock()
	rows, err := conn.Query(ctx, "SELECT "+peerColumns+" FROM nodes WHERE fenced = 0")
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (peer, error) { return scanPeer(r) })
	if err != nil {
		return err
	}
	n.observe(list, began, at)
	for _, p := range n.others() {
		if p.expired(n.now()) {
			tag, err := conn.Exec(ctx, fence, p.id, p.renewals)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 1 {
				n.saySilent(p)
			}
		}
	}
	return nil
}

// fence does nothing to a node that has renewed its lease since.
const fence = "UPDATE nodes SET fenced = 1 WHERE id = $1 AND renewals = $2 AND fenced = 0"

// look reads all nodes, at a moment after the call. Those who call together share one reading.
func (n *roster) look(ctx context.Context) error {
	n.mu.Lock()
	want := n.begun + 1
	n.mu.Unlock()
	n.reading.Lock()
	defer n.reading.Unlock()
	if n.ended >= want {
		return n.failed
	}
	n.mu.Lock()
	n.begun++
	this := n.begun
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	began, at := n.now(), n.clock()
	list, err := n.rows(ctx)
	if err == nil {
		n.observe(list, began, at)
	}
	n.ended, n.failed = this, err
	return err
}

// lookWithin bounds how long one statement about nodes may take.
const lookWithin = time.Second

func (n *roster) rows(ctx context.Context) (list []peer, err error) {
	q, err := n.db.QueryContext(ctx, "SELECT "+peerColumns+" FROM nodes WHERE fenced = 0")
	if err != nil {
		return nil, err
	}
	defer q.Close()
	for q.Next() {
		p, err := scanPeer(q)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, q.Err()
}

// await waits until each other node meets a condition, or does not trust its memory any more. The caller's change must be
// in the log already. When the database cannot be asked, the longest of all leases is waited out.
func (n *roster) await(ctx context.Context, met func(peer) bool) ([]Confirmation, error) {
	began, waiting := n.now(), map[string]peer(nil)
	var out []Confirmation
	for pause := time.Millisecond; ; pause = min(pause*3/2, 10*time.Millisecond) {
		err := n.look(ctx)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		after := n.now() - began
		switch {
		case err != nil && after < MaxLease:
		case err != nil: // all leases that ran when this began have run out
			return append(out, n.lost(waiting)...), nil
		default:
			if waiting == nil {
				waiting = map[string]peer{}
				for _, p := range n.others() {
					waiting[p.id] = p
				}
			}
			out = append(out, n.settle(ctx, waiting, met, began)...)
			if len(waiting) == 0 {
				return out, nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return out, ctx.Err()
		}
	}
}

// settle takes out of waiting who need not be waited for any more.
func (n *roster) settle(ctx context.Context, waiting map[string]peer, met func(peer) bool, began time.Duration) (out []Confirmation) {
	n.mu.Lock()
	seen := n.peers // never changed, only replaced
	n.mu.Unlock()
	now := n.now()
	for id, first := range waiting {
		p, there := seen[id]
		switch {
		case there && met(p):
			out = append(out, Confirmation{Node: id, After: now - began})
		case !there, // fenced by another, or signed off
			p.expired(now) && n.fence(ctx, p),
			now-began >= first.lease: // whatever it renews, it reads the log before
			out = append(out, Confirmation{Node: id, After: now - began, Fenced: true})
		default:
			continue
		}
		delete(waiting, id)
	}
	return out
}

// fence reports whether the node has not renewed its lease since it was last seen; then it cannot any more.
func (n *roster) fence(ctx context.Context, p peer) bool {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	r, err := n.db.ExecContext(ctx, fence, p.id, p.renewals)
	if err != nil {
		return false
	}
	rows, err := r.RowsAffected()
	if err != nil || rows != 1 {
		return false
	}
	n.saySilent(p)
	return true
}

// saySilent is for the one that has fenced a node.
func (n *roster) saySilent(p peer) {
	n.log.Warn("another node has not renewed its lease: it answers nothing from memory, and is not waited for until it is back", "node", p.id, "lease", p.lease)
}

// lost lists the nodes that were not heard of again.
func (n *roster) lost(waiting map[string]peer) (out []Confirmation) {
	for _, p := range n.others() {
		if _, still := waiting[p.id]; still || waiting == nil {
			out = append(out, Confirmation{Node: p.id, After: MaxLease, Fenced: true})
		}
	}
	return out
}

// settledUntil is the earliest time that a write of another node may still carry, as far as was last seen. A node that has
// joined since writes nothing earlier than that.
func (n *roster) settledUntil() counterfoil.Instant {
	n.mu.Lock()
	defer n.mu.Unlock()
	until := n.at
	for _, p := range n.peers {
		if p.id != n.self {
			until = min(until, p.settled)
		}
	}
	return until
}

// beat asks every node to say now how far it is.
func (n *roster) beat(ctx context.Context) {
	_, _ = n.db.ExecContext(ctx, "SELECT pg_notify($1, $2)", logChannel, beatPayload) // it would say so soon anyway
}

// leave signs a node off, and forgets those that were fenced long ago.
func (n *roster) leave(ctx context.Context, id string) {
	_, _ = n.db.ExecContext(ctx, "DELETE FROM nodes WHERE id = $1 OR fenced = 1 AND seen_at < $2", id, time.Now().Add(-time.Hour).UnixMicro())
}
