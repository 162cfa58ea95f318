package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// guard holds a session lock of the database for as long as this process serves it, so that no second server can change
// records behind its caches. It is alive only while the connection that holds the lock has answered lately; a process
// that is not alive must ask the database, and cannot write.
type guard struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
	until  atomic.Int64  // nanoseconds since start on the monotonic clock: alive before then
	epoch  atomic.Uint64 // rises each time the lock is taken: another server may have written in between
	start  time.Time
	quit   context.CancelFunc
	done   chan struct{}
}

const (
	guardLock  = 7_265_002 // pg_advisory_lock
	guardLease = 2 * time.Second
	guardEvery = 400 * time.Millisecond
)

var errSecondServer = errors.New("another counterfoil serves this database: stop it first (this version runs one server for each database)")

func startGuard(ctx context.Context, config *pgx.ConnConfig) (*guard, error) {
	g := &guard{config: config.Copy(), start: time.Now(), done: make(chan struct{})}
	if err := g.acquire(ctx); err != nil {
		return nil, err
	}
	run, quit := context.WithCancel(context.Background())
	g.quit = quit
	go g.run(run)
	return g, nil
}

func (g *guard) alive() (epoch uint64, ok bool) {
	return g.epoch.Load(), int64(time.Since(g.start)) < g.until.Load()
}

// settle makes sure that an earlier server which did not sign off has stopped trusting its caches: it waits out that
// server's lease. It runs once, before this one serves.
func (g *guard) settle(ctx context.Context, db *sql.DB) error {
	var state string
	err := db.QueryRowContext(ctx, "SELECT value FROM instance WHERE name = 'server'").Scan(&state)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if state == "serving" {
		select {
		case <-time.After(guardLease):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return sign(ctx, db, "serving")
}

// sign records whether a server is at work: "serving" or "stopped".
func sign(ctx context.Context, db *sql.DB, state string) error {
	_, err := db.ExecContext(ctx, "INSERT INTO instance (name, value) VALUES ('server', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value", state)
	return err
}

func (g *guard) stop() {
	g.quit()
	<-g.done
	if g.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		g.conn.Close(ctx)
	}
}

// acquire takes the lock on a fresh connection.
func (g *guard) acquire(ctx context.Context) error {
	began := time.Since(g.start)
	conn, err := pgx.ConnectConfig(ctx, g.config)
	if err != nil {
		return err
	}
	var held bool
	if err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", guardLock).Scan(&held); err == nil && !held {
		err = errSecondServer
	}
	if err != nil {
		conn.Close(ctx)
		return fmt.Errorf("taking the database's server lock: %w", err)
	}
	g.conn = conn
	g.epoch.Add(1)
	g.until.Store(int64(began + guardLease))
	return nil
}

func (g *guard) run(ctx context.Context) {
	defer close(g.done)
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Since(g.start)
		try, cancel := context.WithTimeout(ctx, guardLease)
		if g.conn == nil {
			_ = g.acquire(try) // tried again at the next tick
		} else if _, err := g.conn.Exec(try, "SELECT 1"); err == nil {
			g.until.Store(int64(began + guardLease))
		} else {
			g.conn.Close(try)
			g.conn = nil
		}
		cancel()
	}
}
