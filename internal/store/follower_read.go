package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

// catchUp applies every entry that the log held when it was called, and perhaps more: it need not end as long as others
// write.
func (f *follower) catchUp(ctx context.Context, conn *pgx.Conn) (any bool, err error) {
	for target := int64(-1); target < 0 || f.applied.Load() < target; {
		asked := f.now()
		events, ages, err := f.read(ctx, conn)
		if errors.Is(err, errOtherLog) {
			if err = f.resume(ctx, conn); err == nil {
				f.due = 0 // what is not remembered is asked for until the lease is renewed
				continue
			}
		}
		if err != nil || len(events) == 0 {
			return any, err
		}
		last := events[len(events)-1]
		f.lag.hear(last.Number, f.now())
		if err := f.tell(events); err != nil {
			return any, err
		}
		f.hash, any = last.Hash, true
		f.reach(last.Number)
		f.measure(ages, f.now()-asked)
		if len(events) < followPage {
			return any, nil
		}
		if target < 0 {
			if target, err = f.target(ctx, conn); err != nil {
				return any, err
			}
		}
	}
	return any, nil
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

// read returns the next entries, and how many microseconds ago they were numbered, of those of which that is known. Both moments
// are by the database's clock. errOtherLog: they do not follow on the one that was applied last.
func (f *follower) read(ctx context.Context, conn *pgx.Conn) (events []counterfoil.Event, ages []int64, err error) {
	rows, err := conn.Query(ctx, "SELECT seq, body, hash, "+databaseClock+" - numbered_at, "+fmt.Sprintf(sameLog, 1, 3)+" FROM events WHERE seq > $1 ORDER BY seq LIMIT $2",
		f.applied.Load(), followPage, f.hash)
	if err != nil {
		return nil, nil, err
	}
	events, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (e counterfoil.Event, err error) {
		var number int64
		var body string
		var hash []byte
		var age *int64
		var same bool
		if err := r.Scan(&number, &body, &hash, &age, &same); err != nil {
			return e, err
		}
		if !same {
			return e, errOtherLog
		}
		if age != nil {
			ages = append(ages, *age)
		}
		return eventOf(number, body, hash)
	})
	return events, ages, err
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

// reached waits until an entry is applied, or what was in memory in an epoch is not trusted any more.
func (f *follower) reached(ctx context.Context, number int64, epoch uint64) error {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if now, alive := f.alive(); f.applied.Load() >= number || !alive || now != epoch {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// target is how far there is to go. When that is too far, what is in memory is given up instead.
func (f *follower) target(ctx context.Context, conn *pgx.Conn) (int64, error) {
	number, hash, err := f.head(ctx, conn)
	if err != nil {
		return number, err
	}
	f.lag.hear(number, f.now())
	if number-f.applied.Load() > followMost {
		f.forget(number, hash)
	}
	return number, err
}
