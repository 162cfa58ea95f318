package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

const (
	followPage = 1000
	// followBytes is how much is read at once, one entry at least: one may be a megabyte. Where that does not arrive in time it is less.
	followBytes = 8 << 20
	// followMost is how far behind a node forgets what is in memory rather than go through the entries; it does so as well when it
	// has gone through them for as long as any lease is.
	followMost = 20_000
)

// page is a run of entries.
type page struct {
	events  []counterfoil.Event
	ages    []int64 // how many microseconds ago they were numbered, of those of which that is known, by the database's clock
	full    bool    // there may be more
	damaged bool    // one of them is none that anybody wrote
}

// catchUp applies every entry that the log held when it was called, and perhaps more: it need not end as long as others
// write.
func (f *follower) catchUp(ctx context.Context, conn *pgx.Conn) (any bool, err error) {
	began := f.now()
	for target := int64(-1); target < 0 || f.applied.Load() < target; {
		n, full, err := f.readOn(ctx, conn)
		any = any || n > 0
		if errors.Is(err, errOtherLog) {
			if err = f.resume(ctx, conn); err == nil {
				f.due = 0 // what is not remembered is asked for until the lease is renewed
				continue
			}
		}
		if err != nil || !full {
			return any, err
		}
		number, err := f.target(ctx, conn, began)
		if err != nil {
			return any, err
		}
		if target < 0 {
			target = number
		}
	}
	return any, nil
}

// readOn applies the next page, and returns how many entries are on it. A page that does not come in time is a smaller one the next
// time: large entries on a slow way would have a node read the same ones for ever.
func (f *follower) readOn(ctx context.Context, conn *pgx.Conn) (n int, full bool, err error) {
	ctx, cancel := f.patience(ctx)
	defer cancel()
	asked := f.now()
	p, err := f.read(ctx, conn)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.bytes = max(f.bytes/2, 1)
	}
	if err != nil || len(p.events) == 0 {
		return 0, false, err
	}
	last := p.events[len(p.events)-1]
	f.lag.hear(last.Number, f.now())
	if err := f.tell(p.events); err != nil {
		return 0, false, err
	}
	if p.damaged { // it may have been about anything, the catalogue too
		f.forget(last.Number, last.Hash)
		f.due = 0
	} else {
		f.hash = last.Hash
		f.reach(last.Number)
	}
	f.measure(p.ages, f.now()-asked)
	if p.full {
		f.bytes = min(2*f.bytes, followBytes)
	}
	return len(p.events), p.full, nil
}

// patience bounds what the database is asked for once.
func (f *follower) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(f.lease, 2*time.Second))
}

func (f *follower) tell(events []counterfoil.Event) error {
	f.mu.Lock()
	appliers := f.apply
	f.mu.Unlock()
	for _, a := range appliers {
		if err := a.fn(events); err != nil {
			return fmt.Errorf("applying entries to %d: %w", events[len(events)-1].Number, err)
		}
	}
	return nil
}

// read returns the next entries. errOtherLog: they do not follow on the one that was applied last.
func (f *follower) read(ctx context.Context, conn *pgx.Conn) (p page, err error) {
	rows, err := conn.Query(ctx, "SELECT seq, body, hash, "+databaseClock+" - numbered_at, "+fmt.Sprintf(sameLog, 1, 3)+`, total FROM (
		SELECT seq, body, hash, numbered_at, SUM(octet_length(body)) OVER (ORDER BY seq) AS total FROM events WHERE seq > $1 ORDER BY seq LIMIT $2
		) AS page WHERE total - octet_length(body) < $4 ORDER BY seq`, f.applied.Load(), followPage, f.hash, f.bytes)
	if err != nil {
		return p, err
	}
	var total int64
	p.events, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (e counterfoil.Event, err error) {
		var number int64
		var body string
		var hash []byte
		var age *int64
		var same bool
		if err := r.Scan(&number, &body, &hash, &age, &same, &total); err != nil {
			return e, err
		}
		if !same {
			return e, errOtherLog
		}
		if age != nil {
			p.ages = append(p.ages, *age)
		}
		e, damaged := followed(number, body, hash)
		if damaged != nil {
			f.log.Error("an entry of the log cannot be read: what is in memory is forgotten", "entry", number, "error", damaged)
			p.damaged = true
		}
		return e, nil
	})
	p.full = len(p.events) == followPage || total >= f.bytes
	return p, err
}

// measure tells of entries of the given ages, in microseconds, that were applied; since is how long ago the question for them was
// sent, which was before they had these ages.
func (f *follower) measure(ages []int64, since time.Duration) {
	if f.took == nil {
		return
	}
	for _, age := range ages {
		f.took(max(time.Duration(age)*time.Microsecond, 0) + since)
	}
}

// reach takes note that an entry is the last that is applied.
func (f *follower) reach(number int64) {
	f.applied.Store(number)
	f.lag.reach(number)
}

// reached waits until an entry that the log holds is applied, or what was in memory in an epoch is not trusted any more. That the lease
// has run out is not enough: the answer to a renewal may come yet, of a turn that began, and read the log, before the entry was there.
// What such a turn grants has run out after another lease.
func (f *follower) reached(ctx context.Context, number int64, epoch uint64) error {
	began := f.now()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if now, alive := f.alive(); f.applied.Load() >= number || now != epoch || !alive && f.now()-began >= f.lease {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// target is how far there is to go. When that is too far, or took too long already, what is in memory is given up instead.
func (f *follower) target(ctx context.Context, conn *pgx.Conn, began time.Duration) (int64, error) {
	ctx, cancel := f.patience(ctx)
	defer cancel()
	number, hash, err := f.head(ctx, conn)
	if err != nil {
		return number, err
	}
	f.lag.hear(number, f.now())
	if number-f.applied.Load() > followMost || f.now()-began > MaxLease {
		f.forget(number, hash)
	}
	return number, err
}
