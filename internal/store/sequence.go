package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// sequencer gives every committed event of PostgreSQL its number and chain hash, many in one batch, under one advisory
// lock. Readers know that number only, so none can pass a transaction that is still open: a late commit gets a late
// number.
type sequencer struct {
	db     *sql.DB
	bounds string     // of a pass; see bounds
	ended  func(head) // told how each pass found or left the log's end, before anybody who waits for it
	wake   chan struct{}
	done   chan struct{}
	quit   context.CancelFunc

	mu      sync.Mutex
	waiting []chan numbered // committed before the next pass begins
}

// numbered is the outcome of a pass: up to which number the log is complete, or why not.
type numbered struct {
	last int64
	err  error
}

const (
	sequenceLock  = 7_265_001 // pg_advisory_xact_lock: one numbering pass at a time, in any process
	sequenceBatch = 2000
	sequenceIdle  = time.Second // a pass at least this often picks up what a lost process left

	databaseClock = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)" // microseconds
)

func startSequencer(db *sql.DB, bounds string, ended func(head)) *sequencer {
	ctx, quit := context.WithCancel(context.Background())
	s := &sequencer{db: db, bounds: bounds, ended: ended, wake: make(chan struct{}, 1), done: make(chan struct{}), quit: quit}
	go s.run(ctx)
	return s
}

func (s *sequencer) stop() {
	s.quit()
	<-s.done
}

// wait returns when everything that was committed before the call is numbered, with the last of the numbers.
func (s *sequencer) wait(ctx context.Context) (last int64, err error) {
	ch := make(chan numbered, 1)
	s.mu.Lock()
	s.waiting = append(s.waiting, ch)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case n := <-ch:
		return n.last, n.err
	case <-s.done:
		return 0, errors.New("the store is closed")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *sequencer) run(ctx context.Context) {
	defer close(s.done)
	idle := time.NewTicker(sequenceIdle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-idle.C:
		}
		s.mu.Lock()
		waiting := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		var n numbered
		for full := true; full && n.err == nil; {
			n.last, full, n.err = s.pass(ctx)
		}
		if n.err != nil {
			n.err = fmt.Errorf("numbering events: %w", n.err)
		}
		for _, ch := range waiting {
			ch <- n
		}
	}
}

// pass numbers up to sequenceBatch committed events, wakes those who follow the log, and returns its last number; full
// means that there may be more. Every write waits for one, so it takes two round trips to the database and no more.
func (s *sequencer) pass(ctx context.Context) (last int64, full bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := s.db.Conn(ctx)
	if err != nil {
		return 0, false, err
	}
	defer c.Close()
	err = c.Raw(func(raw any) error {
		conn := raw.(*stdlib.Conn).Conn()
		h, n, err := number(ctx, conn, s.bounds)
		if err != nil { // with the connection goes the lock
			conn.Close(ctx)
		} else {
			s.ended(h)
		}
		last, full = h.number, n == sequenceBatch
		return err
	})
	return last, full, err
}

// number is one pass: the last entry after it, and how many are new. It is held to bounds.
func number(ctx context.Context, conn *pgx.Conn, bounds string) (h head, n int, err error) {
	var ords, numbers []int64
	var bodies []string
	var hashes [][]byte
	look := &pgx.Batch{}
	look.Queue("BEGIN ISOLATION LEVEL READ COMMITTED") // what comes after the lock must see what was committed before it
	look.Queue("SELECT " + bounds)
	look.Queue("SELECT pg_advisory_xact_lock($1)", sequenceLock)
	look.Queue("SELECT ord, body FROM events WHERE seq IS NULL ORDER BY ord LIMIT $1", sequenceBatch).Query(func(rows pgx.Rows) error {
		var ord int64
		var body string
		_, err := pgx.ForEachRow(rows, []any{&ord, &body}, func() error {
			ords, bodies = append(ords, ord), append(bodies, body)
			return nil
		})
		return err
	})
	look.Queue(lastEntryQuery).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&h.number, &h.hash}, func() error { return nil })
		return err
	})
	if err := conn.SendBatch(ctx, look).Close(); err != nil {
		return h, 0, err
	}
	if len(ords) == 0 {
		_, err := conn.Exec(ctx, "ROLLBACK")
		return h, 0, err
	}
	for _, body := range bodies {
		h = head{number: h.number + 1, hash: ChainHash(h.hash, h.number+1, body)}
		numbers, hashes = append(numbers, h.number), append(hashes, h.hash)
	}
	write := &pgx.Batch{}
	write.Queue(`UPDATE events SET seq = n.seq, hash = n.hash, numbered_at = `+databaseClock+`
		FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS n(ord, seq, hash) WHERE events.ord = n.ord`, ords, numbers, hashes)
	write.Queue("SELECT pg_notify($1, $2)", logChannel, "entries")
	write.Queue("COMMIT")
	return h, len(ords), conn.SendBatch(ctx, write).Close()
}
