package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/counterfoil/counterfoil"
)

// postgresEngine runs writers side by side, each in its own transaction, in any number of processes; the sequencer
// (sequence.go) numbers what they committed, the follower (follower.go) keeps this node up with the log, and the roster
// (roster.go) knows the other nodes.
type postgresEngine struct {
	db       *sql.DB // for writes
	reads    *sql.DB // for views, which writes that wait for a lock must not starve
	turns    *sql.DB // the sequencer's one connection, which nothing must starve
	seq      *sequencer
	follower *follower
	nodes    *roster
	bounds   string // of a write; see bounds

	writing sync.RWMutex // held shared by each write
	shut    bool
}

// Connections: with the sequencer's, the roster's and the follower's, three nodes stay below PostgreSQL's usual 100.
const maxWriters, maxReaders = 16, 12

// ErrDatabaseURL is the answer to a Config whose DatabaseURL is none. It does not repeat it: there may be a password in it.
var ErrDatabaseURL = errors.New("the database URL is not one that PostgreSQL understands (postgres://user:password@host:port/name)")

func openPostgres(ctx context.Context, c Config, u *underway) (_ engine, err error) {
	config, err := pgx.ParseConfig(c.DatabaseURL)
	if err != nil {
		return nil, ErrDatabaseURL
	}
	onPrimary(&config.Config)
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "counterfoil"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	e := &postgresEngine{db: stdlib.OpenDB(*config), reads: stdlib.OpenDB(*config), turns: stdlib.OpenDB(*config)}
	e.nodes = &roster{self: c.Node, db: stdlib.OpenDB(*config), start: time.Now(), clock: func() counterfoil.Instant { return counterfoil.At(c.Now()) }, log: c.Logger}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	for db, n := range map[*sql.DB]int{e.db: maxWriters, e.reads: maxReaders, e.turns: 1, e.nodes.db: 1} {
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		db.SetConnMaxIdleTime(5 * time.Minute)
	}
	var version int
	var linux bool
	if err := e.db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int, version() LIKE '%linux%'").Scan(&version, &linux); err != nil {
		return nil, fmt.Errorf("asking PostgreSQL for its version: %w", err)
	}
	if version < 150000 {
		return nil, fmt.Errorf("PostgreSQL %d is too old: 15 or later is needed", version/10000)
	}
	e.bounds = bounds(c.Lease, linux)
	if host := unencrypted(&config.Config); host != "" {
		c.Logger.Warn("the connection to PostgreSQL may go unencrypted: ask for sslmode=verify-full in the database URL", "host", host)
	}
	if err := besideNodes(ctx, e.turns); err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, e.db, migrations); err != nil {
		return nil, err
	}
	e.follower = &follower{id: c.Node, lease: c.Lease, config: config.Copy(), nodes: e.nodes, took: c.Propagated, log: c.Logger,
		settled: func() counterfoil.Instant { return u.until(e.nodes.clock()) }}
	e.follower.attach(func(events []counterfoil.Event) error { u.wake(events); return nil })
	if err := startFollower(ctx, e.follower); err != nil {
		return nil, err
	}
	e.seq = startSequencer(e.turns, e.bounds, e.follower.answered.note)
	_, err = e.seq.wait(ctx) // what an earlier process committed and left unnumbered
	return e, err
}

func migratePostgres(ctx context.Context, db *sql.DB, migrations []string) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // seconds
	if err != nil {
		return err
	}
	return migrate(ctx, db, dialect{name: goose.DialectPostgres,
		spell: strings.NewReplacer("{{blob}}", "BYTEA", "{{name}}", `TEXT COLLATE "C"`, "{{clustered}}", "",
			"{{seq}}", "ord BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seq BIGINT UNIQUE", "{{numbered}}", " WHERE seq IS NOT NULL", "{{and_numbered}}", " AND seq IS NOT NULL",
			"{{unnumbered}}", "CREATE INDEX IF NOT EXISTS events_unnumbered ON events (ord) WHERE seq IS NULL", "{{concurrently}}", " CONCURRENTLY"),
		// Who waits for a table holds up everybody who asks for it afterwards.
		first:   "SET LOCAL lock_timeout = '500ms'",
		waited:  func(err error) bool { return again(err) || code(err) == "55P03" }, // lock_not_available
		options: []goose.ProviderOption{goose.WithSessionLocker(locker)},
	}, migrations)
}

// besideNodes refuses a database that is served by a version that must run alone, before its schema is changed.
func besideNodes(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var free bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock_shared($1) AND pg_advisory_unlock_shared($1)", soloLock).Scan(&free)
	if err == nil && !free {
		err = errSolo
	}
	return err
}

func (e *postgresEngine) view(ctx context.Context, fn func(querier) error) error {
	if e.follower.outdated.Load() {
		return failure{errOutdated}
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	tx, err := e.reads.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return failure{err}
	}
	defer tx.Rollback()
	return unavailableUnlessOurs(fn(pgTx{ctx: ctx, tx: tx, readOnly: true}))
}

func (e *postgresEngine) update(ctx context.Context, org string, lock Lock, fn func(*Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return failure{err}
	}
	e.writing.RLock()
	defer e.writing.RUnlock()
	if e.shut {
		return failure{errClosed}
	}
	// A write that has begun is waited for, so that its outcome is known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for range maxAttempts - 1 {
		if err = e.attempt(ctx, org, lock, fn); !again(err) {
			return err
		}
	}
	return e.attempt(ctx, org, lock, fn)
}

// maxAttempts is how often a write is tried that PostgreSQL ends to break a deadlock. Nothing of it has happened then.
const maxAttempts = 5

func again(err error) bool {
	return code(err) == "40P01" || code(err) == "40001" // deadlock_detected, serialization_failure
}

// code is what PostgreSQL calls an error; empty: it is not one of PostgreSQL's.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// attempt runs one write transaction.
func (e *postgresEngine) attempt(ctx context.Context, org string, lock Lock, fn func(*Tx) error) (err error) {
	if _, ok := e.follower.alive(); !ok || e.follower.outdated.Load() {
		return failure{errNotAlive}
	}
	fenced := e.follower.fenced.Load()
	sqlTx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return failure{err}
	}
	defer sqlTx.Rollback()
	defer func() {
		if p := recover(); p != nil {
			err = failure{fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())}
		}
	}()
	tx := &Tx{q: pgTx{ctx: ctx, tx: sqlTx}}
	take := lockShared
	if lock == ForRules {
		take = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"
	}
	if _, err := tx.q.exec(take+", "+e.bounds, org); err != nil {
		return failure{err}
	}
	if err := fn(tx); err != nil {
		return unavailableUnlessOurs(err)
	}
	if err := insertAllUnnumbered(tx.q, tx.events); err != nil {
		return failure{err}
	}
	if err := e.unfenced(tx.q, fenced); err != nil {
		return failure{err}
	}
	if err := sqlTx.Commit(); err != nil {
		return failure{fmt.Errorf("committing: %w", err)}
	}
	if len(tx.events) == 0 {
		return nil
	}
	if tx.logged, err = e.seq.wait(ctx); err == nil {
		e.follower.lag.hear(tx.logged, e.follower.now())
	}
	return unavailable(err)
}

// unfenced fails where other nodes have given this one up while the write was open: it may have been paused for long, and
// they count on no write of an earlier time to come.
func (e *postgresEngine) unfenced(q querier, before int64) error {
	var now int64
	err := q.row("SELECT COALESCE(MAX(fenced), 1) FROM nodes WHERE id = $1", e.nodes.self).Scan(&now)
	if err == nil && (now != 0 || e.follower.fenced.Load() != before) {
		err = errNotAlive
	}
	return err
}

func (e *postgresEngine) attach(fn func([]counterfoil.Event) error) (detach func()) {
	return e.follower.attach(fn)
}

func (e *postgresEngine) catchUp(ctx context.Context) (int64, error) {
	epoch, _ := e.follower.alive()
	number, err := e.seq.wait(ctx)
	if err == nil {
		err = e.follower.reached(ctx, number, epoch)
	}
	return number, err
}

func (e *postgresEngine) confirm(ctx context.Context, number int64) (_ []Confirmation, err error) {
	if number == 0 {
		if number, err = e.seq.wait(ctx); err != nil {
			return nil, err
		}
	}
	return e.nodes.await(ctx, func(p peer) bool { return p.applied >= number })
}

func (e *postgresEngine) gate(floor func() int64) { e.follower.floor.Store(&floor) }

func (e *postgresEngine) another() bool { return e.follower.another.Load() }

func (e *postgresEngine) trust() time.Duration {
	f := e.follower
	return max(time.Duration(f.until.Load())-f.now(), 0)
}

// say is news, on which no lease hangs.
func (e *postgresEngine) say(ctx context.Context) error {
	said, claim := e.follower.claimed.Load(), e.follower.claim()
	if claim <= said {
		return nil
	}
	_, err := e.nodes.db.ExecContext(ctx, sayApplied, e.nodes.self, claim)
	if err == nil {
		e.follower.claimed.CompareAndSwap(said, claim) // not where it was forgotten meanwhile
	}
	return err
}

func (e *postgresEngine) settled(ctx context.Context, at counterfoil.Instant) error {
	if e.nodes.settledUntil() >= at {
		return nil
	}
	e.nodes.beat(ctx)
	_, err := e.nodes.await(ctx, func(p peer) bool { return p.settled >= at })
	return err
}

func (e *postgresEngine) settledUntil() counterfoil.Instant { return e.nodes.settledUntil() }

func (e *postgresEngine) standing() Standing {
	f := e.follower
	s := Standing{Lease: f.lease, Age: f.now() - time.Duration(f.renewed.Load()), Applied: f.applied.Load(), Nodes: 1 + len(e.nodes.others()), Outdated: f.outdated.Load()}
	s.Behind, s.BehindFor = f.lag.now(f.now())
	return s
}

func (e *postgresEngine) leads() bool {
	_, alive := e.follower.alive()
	return alive && e.follower.leads.Load()
}

func (e *postgresEngine) alive() (uint64, bool) { return e.follower.alive() }
func (e *postgresEngine) name() string          { return "postgres" }

func (e *postgresEngine) ping(ctx context.Context) error {
	if e.follower.outdated.Load() {
		return errOutdated
	}
	return e.db.PingContext(ctx)
}

func (e *postgresEngine) close() error {
	e.writing.Lock()
	e.shut = true
	e.writing.Unlock()
	if e.seq != nil {
		e.seq.stop()
	}
	if e.follower != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		e.follower.stop(ctx)
		cancel()
	}
	return errors.Join(e.db.Close(), e.reads.Close(), e.turns.Close(), e.nodes.db.Close())
}

// pgTx is a querier on one transaction.
type pgTx struct {
	ctx      context.Context
	tx       *sql.Tx
	readOnly bool // then no row can be locked, and none needs to be
}

func (t pgTx) exec(query string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, postgresError(err)
	}
	return r.RowsAffected()
}

func (t pgTx) query(query string, args ...any) (rows, error) {
	return t.tx.QueryContext(t.ctx, query, args...)
}

func (t pgTx) row(query string, args ...any) scanner {
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

func (t pgTx) forUpdate() string { return t.lock(" FOR UPDATE") }
func (t pgTx) forShare() string  { return t.lock(" FOR SHARE") }
func (t pgTx) by(string) string  { return "" } // it keeps statistics

// lockShared takes the lock of an organization that ForTokens stands for.
const lockShared = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1))"

func (t pgTx) hold(organization string) error {
	if t.readOnly {
		return nil // one that reads sees one committed state
	}
	_, err := t.exec(lockShared, organization)
	return err
}

func (t pgTx) lock(clause string) string {
	if t.readOnly {
		return ""
	}
	return clause
}

func postgresError(err error) error {
	if code(err) == "23505" { // unique_violation
		return ErrTaken
	}
	return err
}
