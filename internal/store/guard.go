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
	id     string // what this server signs with
	db     *sql.DB
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
	guardFence = 7_265_003 // pg_advisory_xact_lock: shared by every write, exclusive while a server signs on
	guardLease = 2 * time.Second
	guardEvery = 400 * time.Millisecond
)

var errNotHeld = errors.New("this process does not hold the database's server lock")

var errSecondServer = errors.New("another counterfoil serves this database: stop it first (this version runs one server for each database)")

// takeGuard takes the server lock or refuses. The guard is not alive before serve.
func takeGuard(ctx context.Context, db *sql.DB, config *pgx.ConnConfig) (*guard, error) {
	g := &guard{id: NewID("srv"), db: db, config: config.Copy(), start: time.Now()}
	return g, g.acquire(ctx)
}

// serve signs on, keeps the lock from then on, and takes it again when it was lost.
func (g *guard) serve(ctx context.Context) error {
	if err := g.signOn(ctx); err != nil {
		return err
	}
	run, quit := context.WithCancel(context.Background())
	g.quit, g.done = quit, make(chan struct{})
	go g.run(run)
	return nil
}

func (g *guard) alive() (epoch uint64, ok bool) {
	ok = int64(time.Since(g.start)) < g.until.Load()
	return g.epoch.Load(), ok // read after until, which is set after it: never an old epoch with a new lease
}

// signOn makes this server, which holds the lock, the one whose writes count. An earlier one that did not sign off may
// still trust its caches, so its lease is waited out; and it may have writes under way, so those are waited for and
// later ones fail (fenced).
func (g *guard) signOn(ctx context.Context) error {
	var last string
	err := g.db.QueryRowContext(ctx, "SELECT value FROM instance WHERE name = 'server'").Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if last != "" && last != signedOff && last != g.id {
		select {
		case <-time.After(guardLease):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tx, err := g.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", guardFence); err != nil {
		return err
	}
	const sign = "INSERT INTO instance (name, value) VALUES ('server', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
	if _, err := tx.ExecContext(ctx, sign, g.id); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	began := time.Since(g.start)
	if err := g.check(ctx); err != nil {
		return err
	}
	g.epoch.Add(1)
	g.until.Store(int64(began + guardLease))
	return nil
}

// signedOff is in place of a server's id after it has stopped.
const signedOff = "stopped"

// signOff says that this server trusts its caches no more, so that the next need not wait.
func (g *guard) signOff(ctx context.Context) {
	g.until.Store(0)
	_, _ = g.db.ExecContext(ctx, "UPDATE instance SET value = $1 WHERE name = 'server' AND value = $2", signedOff, g.id)
}

// fenced fails unless this server is the one that signed on last. The write that asks shares guardFence, so none can
// sign on between the question and the write's commit.
func (g *guard) fenced(q querier) error {
	var holder string
	if err := q.row("SELECT value FROM instance WHERE name = 'server'").Scan(&holder); err != nil {
		return err
	}
	if holder != g.id {
		return errNotHeld
	}
	return nil
}

// check asks the connection that holds the lock whether it is still there.
func (g *guard) check(ctx context.Context) error {
	_, err := g.conn.Exec(ctx, "SELECT 1")
	return err
}

func (g *guard) stop() {
	if g.quit != nil {
		g.quit()
		<-g.done
	}
	g.until.Store(0)
	if g.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		g.conn.Close(ctx)
	}
}

// acquire takes the lock on a fresh connection.
func (g *guard) acquire(ctx context.Context) error {
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
		if g.conn == nil {
			g.regain(ctx)
			continue
		}
		began := time.Since(g.start)
		try, cancel := context.WithTimeout(ctx, guardLease)
		if err := g.check(try); err == nil {
			g.until.Store(int64(began + guardLease))
		} else {
			g.drop(try)
		}
		cancel()
	}
}

// regain takes a lost lock again and signs on; what fails is tried again at the next tick.
func (g *guard) regain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*guardLease)
	defer cancel()
	try, cancelTry := context.WithTimeout(ctx, guardLease)
	defer cancelTry()
	if g.acquire(try) != nil {
		return
	}
	if g.signOn(ctx) != nil {
		g.drop(ctx)
	}
}

func (g *guard) drop(ctx context.Context) {
	g.conn.Close(ctx)
	g.conn = nil
}
