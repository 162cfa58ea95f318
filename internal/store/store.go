// Package store keeps the records and the log, on SQLite or PostgreSQL with one SQL. It knows no rule of the product: it
// refuses to decide who may do what, and it never sees a secret, only digests.
//
// All work happens in a [Tx] bound to one organization. A write transaction that appends events has them numbered,
// without holes, in the order of their commits.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/tracing"
)

// ErrTaken says that a unique name, slug or e-mail is in use already.
var ErrTaken = errors.New("already taken")

// ErrDamaged says that a row holds what nobody wrote: it opens nothing.
var ErrDamaged = errors.New("damaged")

// ErrStale says that a row has another version than the caller expected.
var ErrStale = errors.New("version mismatch")

// Lock says what a write transaction keeps still in its organization while it runs. On SQLite, where one writer runs at
// a time, both are the same.
type Lock int

const (
	// ForTokens keeps the organization's rules and members still; transactions that hold it run side by side.
	ForTokens Lock = iota
	// ForRules excludes every other write transaction of the organization.
	ForRules
)

// Config says where the data is. With no DatabaseURL it is SQLite in Dir.
type Config struct {
	Dir         string // the data directory; made when absent
	DatabaseURL string // postgres://…; PostgreSQL 15 or later
	Now         func() time.Time

	// Node names this process among those that serve the database; default: a random one. Lease is how long it may trust
	// what it remembers after it last heard from the log of PostgreSQL: from MinLease to MaxLease, default DefaultLease.
	Node   string
	Lease  time.Duration
	Logger *slog.Logger    // default: none
	Tracer *tracing.Tracer // nil: nothing is traced
	// Propagated is told of each entry of PostgreSQL's log how long after it got its number this node had applied it: by the
	// database's clock until it was read, and by this process's from there. It must not block. Nil: nobody is told.
	Propagated func(time.Duration)
}

// The bounds of Config.Lease, and what it is by default.
const (
	MinLease     = 500 * time.Millisecond
	DefaultLease = 2 * time.Second
	MaxLease     = 10 * time.Second
)

// Store is safe for concurrent use.
type Store struct {
	engine engine
	now    func() time.Time
	node   string
	lease  time.Duration
	close  func() error
	tracer *tracing.Tracer

	underway     underway
	blocks       blocks
	failedWrites atomic.Int64
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// update runs fn in one durable write transaction, numbers the events that it appended, and returns after both.
	update(ctx context.Context, org string, lock Lock, fn func(*Tx) error) error
	view(ctx context.Context, fn func(querier) error) error
	// alive reports whether what is in memory may be trusted at this moment; see Store.Alive.
	alive() (epoch uint64, ok bool)
	// attach has fn told of the entries of the log before this node says that it has applied them.
	attach(fn func([]counterfoil.Event) error) (detach func())
	// catchUp waits until this node has applied all that is committed, or trusts its memory no more, and returns the last number.
	catchUp(ctx context.Context) (int64, error)
	// another reports whether the log became another since the start, or lost entries that this node had not read.
	another() bool
	// confirm waits until every other node has applied entry number, or all that is committed where it is 0, or trusts
	// its memory no more.
	confirm(ctx context.Context, number int64) ([]Confirmation, error)
	gate(floor func() int64)
	say(ctx context.Context) error
	trust() time.Duration
	// settled waits until no write of another node carries a time before at.
	settled(ctx context.Context, at counterfoil.Instant) error
	// settledUntil is up to when that is known to be so.
	settledUntil() counterfoil.Instant
	standing() Standing
	leads() bool
	ping(ctx context.Context) error
	name() string
	close() error
}

// querier runs SQL with $1 binds in whatever transaction it belongs to.
type querier interface {
	exec(query string, args ...any) (rows int64, err error)
	row(query string, args ...any) scanner
	query(query string, args ...any) (rows, error)
	// forUpdate and forShare are what a SELECT ends with to lock the rows it read.
	forUpdate() string
	forShare() string
	// by is what follows a table's name to have it read by an index, where the engine would choose without looking at
	// what is in it.
	by(index string) string
	// hold is what Tx.Hold does.
	hold(organization string) error
	// touch notes when tokens were last used, and adds uses to their days where there is a row for the address; it returns
	// the others. Uses are sorted by token.
	touch(uses []Use) ([]Use, error)
}

type scanner interface{ Scan(dest ...any) error }

type rows interface {
	scanner
	Next() bool
	Err() error
	Close() error
}

// Open opens the database and brings its schema up to date. On SQLite it makes this process the only one that serves the
// data directory: a second one is refused. On PostgreSQL it makes it one of the nodes that serve the database.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Node, c.Lease = cmp.Or(c.Node, NewID("node")), cmp.Or(c.Lease, DefaultLease)
	if c.Lease < MinLease || c.Lease > MaxLease {
		return nil, fmt.Errorf("opening store: the lease is %v: it is from %v to %v", c.Lease, MinLease, MaxLease)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{now: c.Now, node: c.Node, lease: c.Lease, tracer: c.Tracer}
	var err error
	if c.DatabaseURL != "" {
		s.engine, err = openPostgres(ctx, c, &s.underway)
	} else {
		s.engine, err = openSQLite(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", worded{err})
	}
	s.close = sync.OnceValue(s.engine.close)
	return s, nil
}

// Close waits for the writes under way and closes the database. Closing again changes nothing.
func (s *Store) Close() error { return s.close() }

// Engine names the engine: "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name() }

// Alive reports whether cached records may be trusted: this process is the only server of the data directory, or has heard
// from the log of PostgreSQL within its lease and applied all of it (see Attach). Records cached in an earlier epoch must
// be forgotten. It costs next to nothing.
func (s *Store) Alive() (epoch uint64, ok bool) { return s.engine.alive() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return unavailable(s.engine.ping(ctx)) }

// Tx is one transaction, bound to one organization; the empty organization is the instance itself.
type Tx struct {
	q      querier
	org    string
	now    counterfoil.Instant
	events []counterfoil.Event
	logged int64
	memo   *memo

	engine engine // nil: it knows no epoch
	epoch  uint64 // in which it began; see Epoch
	alive  bool   // it was, then
}

// begin binds the transaction before it has read anything.
func (tx *Tx) begin(s *Store, org string) {
	tx.org, tx.now, tx.engine = org, counterfoil.At(s.now()), s.engine
	tx.epoch, tx.alive = s.engine.alive()
}

// Epoch returns the epoch in which the transaction began; see Store.Alive. Whoever remembers what it has read by a version keeps the
// epoch beside it, since another log may come to the same version with other content. false: what was read is not to be compared
// with what is remembered, nor to be remembered, because this node was not alive, is not now, or is in another epoch.
func (tx *Tx) Epoch() (epoch uint64, ok bool) {
	if tx.engine == nil || !tx.alive {
		return tx.epoch, false
	}
	now, alive := tx.engine.alive()
	return tx.epoch, alive && now == tx.epoch
}

// Organization returns the id of the organization that the transaction is bound to.
func (tx *Tx) Organization() string { return tx.org }

// Appended returns the events that the transaction has appended, without their numbers. It may be read after Update has
// returned, whatever the outcome.
func (tx *Tx) Appended() []counterfoil.Event { return tx.events }

// Logged returns, after Update has returned nil, the number of an entry at or behind the transaction's last event, for
// Confirm; 0 where it appended none.
func (tx *Tx) Logged() int64 { return tx.logged }

// In runs fn bound to another organization, in the same transaction. It crosses organizations: it is for the few
// changes that must happen in two of them or not at all.
func (tx *Tx) In(org string, fn func(*Tx) error) error {
	home := tx.org
	tx.org = org
	defer func() { tx.org = home }()
	return fn(tx)
}

// Now returns the transaction's time; every row that it writes carries this one.
func (tx *Tx) Now() counterfoil.Instant { return tx.now }

// Update runs fn in a write transaction bound to org. When it returns nil, the change and its events are durable and
// numbered. A [counterfoil.Error], ErrTaken, ErrStale or ErrCursor from fn leaves nothing behind and is returned as it is.
// Any other error means that the system failed: the outcome is unknown or nothing happened, and errors.As finds a
// [counterfoil.Error] of code unavailable. That is also what becomes of a transaction whose fn passes over an error of a
// statement, such as ErrTaken.
//
// fn must not keep tx, must not block on anything but tx, and may be run on another goroutine and more than once: what it
// leaves in its surroundings counts when Update has returned. It may be run again when
// a neighbour in the same commit fails, so it must not build on what an earlier run of it left behind.
func (s *Store) Update(ctx context.Context, org string, lock Lock, fn func(tx *Tx) error) error {
	ctx, span := s.tracer.Database(ctx, "database write", s.system())
	defer span.End()
	began := s.Now()
	s.underway.begin(began)
	defer s.underway.end(began)
	var last *Tx
	err := s.engine.update(ctx, org, lock, func(tx *Tx) error {
		last = tx
		tx.begin(s, org)
		return fn(tx)
	})
	if err == nil && last != nil {
		s.underway.wake(last.events)
	}
	if traced(span, err) && !errors.Is(err, context.Canceled) {
		s.failedWrites.Add(1)
	}
	return err
}

// FailedWrites is how many transactions of Update the database has not taken since Open.
func (s *Store) FailedWrites() int64 { return s.failedWrites.Load() }

// View runs fn in a read transaction bound to org: it sees one committed state.
func (s *Store) View(ctx context.Context, org string, fn func(tx *Tx) error) error {
	var tx Tx
	tx.begin(s, org) // before the database has a state for it
	return s.view(ctx, "database read", func(q querier) error {
		tx.q, tx.now = q, counterfoil.At(s.now())
		return fn(&tx)
	})
}

func (s *Store) view(ctx context.Context, name string, fn func(q querier) error) error {
	ctx, span := s.tracer.Database(ctx, name, s.system())
	defer span.End()
	err := s.engine.view(ctx, fn)
	traced(span, err)
	return err
}

// traced marks the span of a transaction in which the system failed, and reports whether it did.
func traced(span tracing.Span, err error) bool {
	_, failed := errors.AsType[failure](err)
	if failed {
		span.Failed()
	}
	return failed
}

// system is what OpenTelemetry calls the engine.
func (s *Store) system() string {
	if s.engine.name() == "postgres" {
		return "postgresql"
	}
	return s.engine.name()
}

// NewID makes an id: a type prefix such as "org" and a UUIDv7, so that ids sort by age.
func NewID(prefix string) string {
	u := uuid.Must(uuid.NewV7())
	return prefix + "_" + strings.ReplaceAll(u.String(), "-", "")
}

// UUID gives the UUID inside an id made by NewID, in its usual form; other text comes back as it is.
func UUID(id string) string {
	_, hex, _ := strings.Cut(id, "_")
	if len(hex) != 32 {
		return id
	}
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}

// failure is the system failing: nobody is let in, and nobody is told "not found".
type failure struct{ cause error }

func (f failure) Error() string { return "storage: " + worded{f.cause}.Error() }
func (f failure) Unwrap() []error {
	return []error{counterfoil.Refuse(counterfoil.CodeUnavailable, "The service cannot reach its storage. Try again shortly."), f.cause}
}

// worded is an engine's error as people can use it. What PostgreSQL's driver says of each way in which it tried to connect, with TLS
// and without mostly, is said once; SQLite's about its files, with what they mostly mean.
type worded struct{ error }

func (w worded) Unwrap() error { return w.error }

func (w worded) Error() string {
	text := strings.Join(slices.Compact(strings.Split(w.error.Error(), "\n")), "\n")
	if ofFiles(w.error) {
		text += ": is the disk of the data directory full, or may it not be written?"
	}
	return text
}

// unavailable wraps an error of the engine; nil stays nil.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	var f failure
	if errors.As(err, &f) || errors.Is(err, ErrTaken) || errors.Is(err, ErrStale) || errors.Is(err, ErrCursor) {
		return err
	}
	return failure{err}
}

var errClosed = errors.New("the store is closed")

// flag is a bool in a BIGINT column.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
