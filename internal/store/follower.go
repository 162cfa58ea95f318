package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

// follower keeps this node up with the log that every node of a PostgreSQL database writes. It reads the entries that it
// has not seen, has them applied, and only then renews its lease: what is in memory may be trusted for so long after the
// moment at which the log was last known to hold nothing more. The lease runs on this process's monotonic clock.
//
// It has a connection of its own, on which it listens; a notification wakes it, and it looks at least every quarter of
// the lease without any. A pooler that drops notifications is found out at the start, and then it looks all the time.
type follower struct {
	id      string // of this node
	lease   time.Duration
	config  *pgx.ConnConfig
	nodes   *roster
	took    func(time.Duration) // told of each entry how long after it was numbered it was applied; nil: nobody
	log     *slog.Logger
	settled func() counterfoil.Instant // no write of this node that is open or will begin carries an earlier time

	mu    sync.Mutex // guards apply
	apply []*applier

	start     time.Time
	until     atomic.Int64  // nanoseconds since start on the monotonic clock: alive before then
	epoch     atomic.Uint64 // rises when what is in memory does not follow from the log
	applied   atomic.Int64  // number of the last entry applied
	lag       lag
	answered  answered
	another   atomic.Bool                  // the log became another since the start, or lost entries that were not read
	floor     atomic.Pointer[func() int64] // what those whom this node feeds have applied; nil: it feeds nobody
	claimed   atomic.Int64                 // the highest entry that was said to be applied
	renewed   atomic.Int64                 // nanoseconds since start: when the last good renewal began
	leads     atomic.Bool                  // this connection holds leadLock
	fenced    atomic.Int64                 // how often this node found itself fenced; it rises before it joins again
	outdated  atomic.Bool                  // the database is not for this version any more (see needs): nothing is read or written
	hash      []byte                       // of entry applied; the following goroutine's own, as is all below
	bytes     int64                        // to read at once
	renewals  int64
	refused   bool          // the last renewal was
	due       time.Duration // since start, of the next renewal
	listening bool
	quit      context.CancelFunc
	done      chan struct{}
}

type applier struct {
	fn func([]counterfoil.Event) error
}

const (
	// soloLock keeps a version that serves a database alone (it takes the lock exclusively) from running beside nodes.
	soloLock    = 7_265_002
	leadLock    = 7_265_004 // held by the node that does what one of them is enough for
	logChannel  = "counterfoil_log"
	beatPayload = "beat" // asks every node to renew its lease now, and so to say how far it is
	pollSilent  = 20 * time.Millisecond
	rejoinWait  = 100 * time.Millisecond
	// outdatedWait is for a node that only a restored backup could let join again.
	outdatedWait = 5 * time.Second
)

var (
	errNotAlive = errors.New("this node has not heard from the log within its lease")
	errOtherLog = errors.New("the log is another than the one that was followed")
	errSolo     = errors.New("a version of counterfoil that must run alone serves this database: stop it first")
)

// startFollower joins the nodes of the database and returns once this one is alive.
func startFollower(ctx context.Context, f *follower) error {
	f.start, f.bytes = f.nodes.start, followBytes
	f.epoch.Store(1)
	conn, err := f.join(ctx)
	if err != nil {
		return err
	}
	for err == nil && f.renewed.Load() == 0 {
		err = f.turn(ctx, conn, true)
	}
	if err != nil {
		f.drop(conn)
		return err
	}
	run, quit := context.WithCancel(context.Background())
	f.quit, f.done = quit, make(chan struct{})
	go f.run(run, conn)
	return nil
}

func (f *follower) now() time.Duration { return time.Since(f.start) }

func (f *follower) alive() (epoch uint64, ok bool) {
	until := f.until.Load()
	ok = int64(f.now()) < until || defectFencing && until > 0
	return f.epoch.Load(), ok // read after until, which is set after it: never an old epoch with a new lease
}

func (f *follower) attach(fn func([]counterfoil.Event) error) (detach func()) {
	a := &applier{fn}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apply = append(f.apply, a)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i := range f.apply {
			if f.apply[i] == a {
				f.apply = append(f.apply[:i:i], f.apply[i+1:]...)
				return
			}
		}
	}
}

// stop ends the following and signs off, so that nobody waits for this node. Where those whom it feeds may go on by what they
// remember, within its lease, it leaves its row to be waited for as that of a node that is gone.
func (f *follower) stop(ctx context.Context) {
	if f.quit == nil {
		return
	}
	f.quit()
	<-f.done
	f.until.Store(0)
	if floor := f.floor.Load(); floor == nil || (*floor)() == math.MaxInt64 {
		f.nodes.leave(ctx, f.id)
	}
}

func (f *follower) run(ctx context.Context, conn *pgx.Conn) {
	defer close(f.done)
	for lost := false; ; {
		err := f.follow(ctx, conn)
		f.drop(conn)
		for conn = nil; conn == nil; {
			if !lost && ctx.Err() == nil {
				lost = true
				f.log.Warn("the log of the database is not followed; it is tried again", "error", err)
			}
			wait := rejoinWait
			if f.outdated.Load() {
				wait = outdatedWait
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			conn, err = f.join(ctx)
		}
		if lost {
			f.log.Info("the log of the database is followed again")
			lost = false
		}
	}
}

func (f *follower) drop(conn *pgx.Conn) {
	f.leads.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx)
}

// follow takes turns until something fails.
func (f *follower) follow(ctx context.Context, conn *pgx.Conn) error {
	for beat := true; ; {
		if err := f.turn(ctx, conn, beat); err != nil {
			return err
		}
		wait := f.due - f.now()
		if !f.listening {
			wait = min(wait, pollSilent)
		}
		beat = false
		for { // those that have come already are one turn
			note, err := f.hear(ctx, conn, wait)
			if err != nil {
				return err
			}
			if note == "" {
				break
			}
			beat, wait = beat || note == beatPayload, 0
		}
	}
}

// hear waits for a notification and returns its text; empty: none came. It does not wait where wait is not positive.
func (f *follower) hear(ctx context.Context, conn *pgx.Conn, wait time.Duration) (note string, err error) {
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	n, err := conn.WaitForNotification(short)
	if err != nil {
		if short.Err() != nil && ctx.Err() == nil && !conn.IsClosed() {
			return "", nil
		}
		return "", err
	}
	return n.Payload, nil
}

// turn brings this node up to the log, and renews its lease when that is due or asked for.
func (f *follower) turn(ctx context.Context, conn *pgx.Conn, beat bool) error {
	began := f.now()
	any, err := f.catchUp(ctx, conn)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	ctx, cancel := f.patience(ctx)
	defer cancel()
	if beat || f.now() >= f.due {
		return f.renew(ctx, conn, began)
	}
	if any {
		// That it says so in vain, because the database forgets, costs a receipt time and nothing else: no lease hangs on it.
		claim := f.claim()
		if _, err = conn.Exec(ctx, sayApplied, f.id, claim); err == nil {
			f.claimed.Store(max(claim, f.claimed.Load()))
		}
	}
	return err
}

// sayApplied says how far a node is, without waiting for the disk, unless it said more already, or the log does not go so far: that is
// another then, as will be noticed. Less is said by renewals alone.
const sayApplied = `WITH fast AS (SELECT set_config('synchronous_commit', 'off', true) AS off)
	UPDATE nodes SET applied = $2 FROM fast WHERE id = $1 AND off <> '' AND applied < $2 AND $2 <= (SELECT COALESCE(MAX(seq), 0) FROM events)`

// claim is how far this node says to be: with those whom it feeds.
func (f *follower) claim() int64 {
	applied := f.applied.Load()
	if floor := f.floor.Load(); floor != nil {
		applied = min(applied, (*floor)())
	}
	return applied
}

// forget begins a new epoch at an entry: what is in memory is of no use any more.
func (f *follower) forget(number int64, hash []byte) {
	f.until.Store(0)
	f.epoch.Add(1)
	f.claimed.Store(0) // what was said may have been of another log
	f.reach(number)
	f.hash = hash
}

func (f *follower) head(ctx context.Context, conn *pgx.Conn) (number int64, hash []byte, err error) {
	err = conn.QueryRow(ctx, lastEntryQuery).Scan(&number, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return number, hash, err
}

// sameLog is true where the log holds an entry with a hash, or without one, as somebody may have written it, whole or of retention's
// making, and retention took nothing after it, which could not be read any more; or where the entry is 0. It is formatted with the
// numbers of the parameters.
const sameLog = `(CAST($%[1]d AS BIGINT) = 0 OR (EXISTS (SELECT 1 FROM events WHERE seq = $%[1]d AND hash IS NOT DISTINCT FROM $%[2]d)
	OR EXISTS (SELECT 1 FROM removed_events WHERE seq = $%[1]d AND hash = $%[2]d)) AND (SELECT COALESCE(MAX(seq), 0) FROM removed_events) <= $%[1]d)`

// renew lets the lease run from began on, a moment before the log was read, unless this node was fenced, or the log does not hold
// what it applied last or has answered by, as where a backup was put back: then it joins again, and reads the log again before it is
// alive.
func (f *follower) renew(ctx context.Context, conn *pgx.Conn, began time.Duration) error {
	f.renewals++
	f.due = f.now() + f.lease/4
	numbers, hashes := f.answered.all()
	claim := f.claim()
	tag, err := conn.Exec(ctx, "UPDATE nodes SET applied = $2, renewals = $3, settled = $4, seen_at = $5 WHERE id = $1 AND fenced = 0 AND NOT "+fmt.Sprintf(outdated, 6)+
		" AND "+fmt.Sprintf(sameLog, 7, 8)+" AND "+fmt.Sprintf(holdsAll, 9, 10),
		f.id, claim, f.renewals, int64(f.settled()), time.Now().UnixMicro(), len(migrations)-1, f.applied.Load(), f.hash, numbers, hashes)
	if err != nil {
		return fmt.Errorf("renewing the lease: %w", err)
	}
	if tag.RowsAffected() == 0 {
		f.due = 0
		f.fenced.Add(1)
		epoch := f.epoch.Load()
		if err := f.resume(ctx, conn); err != nil {
			return err
		}
		if err := f.register(ctx, conn); err != nil {
			return err
		}
		if f.epoch.Load() == epoch { // else it was said that the log is another
			f.log.Warn("this node has not renewed its lease in time and was given up: it joins again, and reads what it missed", "lease", f.lease)
		}
		if f.refused { // whatever it is: not again without a pause
			select {
			case <-time.After(rejoinWait):
			case <-ctx.Done():
			}
		}
		f.refused = true
		return nil
	}
	f.refused = false
	f.answered.seen(len(numbers), f.applied.Load())
	f.claimed.Store(claim)  // it may be less than was said before, as where somebody who is fed has just come
	f.outdated.Store(false) // a backup was restored
	f.renewed.Store(int64(began))
	f.until.Store(int64(began + f.lease))
	if err := f.lead(ctx, conn); err != nil {
		return err
	}
	return f.nodes.tend(ctx, conn)
}

// lead makes this node the one that leads, when none does.
func (f *follower) lead(ctx context.Context, conn *pgx.Conn) error {
	if f.leads.Load() {
		return nil
	}
	var held bool
	err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", leadLock).Scan(&held)
	if err == nil {
		f.leads.Store(held)
	}
	return err
}
