package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/counterfoil/counterfoil"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// sqliteEngine has one writer goroutine (sqlite_writer.go) and a few read-only connections.
type sqliteEngine struct {
	lock    *os.File // flock on the data directory: one process
	db      *sql.DB
	readDB  *sql.DB
	readers chan *sqliteConn
	closed  chan struct{}
	writer  *sqliteWriter
}

// readTimeout bounds how long a view waits for a free connection.
const readTimeout = 5 * time.Second

func openSQLite(ctx context.Context, c Config) (_ engine, err error) {
	e := &sqliteEngine{closed: make(chan struct{})}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	if e.lock, err = lockDir(c.Dir); err != nil {
		return nil, err
	}
	path := filepath.Join(c.Dir, DatabaseFile)
	if f, err := os.OpenFile(path, os.O_CREATE, 0o600); err != nil {
		return nil, err
	} else if err := f.Close(); err != nil {
		return nil, err
	}
	if e.db, err = sql.Open("sqlite", sqliteDSN(path, "&_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(16000)&_txlock=immediate")); err != nil {
		return nil, err
	}
	// A checkpoint after 16,000 pages (64 MB) rather than 1,000: every organization has its pages in every index, so
	// writes touch the same pages again and again, and each checkpoint writes every one of them.
	e.db.SetMaxOpenConns(1)
	if err := migrateSQLite(ctx, e.db, migrations); err != nil {
		return nil, err
	}
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if e.readDB, err = sql.Open("sqlite", sqliteDSN(path, readOnly)); err != nil {
		return nil, err
	}
	n := max(4, runtime.GOMAXPROCS(0))
	e.readers = make(chan *sqliteConn, n)
	for range n {
		e.readers <- &sqliteConn{}
	}
	e.writer, err = startWriter(&sqliteConn{conn: conn})
	return e, err
}

func migrateSQLite(ctx context.Context, db *sql.DB, migrations []string) error {
	return migrate(ctx, db, dialect{name: goose.DialectSQLite3,
		spell: strings.NewReplacer("{{blob}}", "BLOB", "{{name}}", "TEXT", "{{clustered}}", " WITHOUT ROWID",
			"{{seq}}", "seq INTEGER PRIMARY KEY", "{{numbered}}", "", "{{and_numbered}}", "", "{{unnumbered}}", "", "{{concurrently}}", ""),
		waited: func(error) bool { return false }, // nobody else is there
	}, migrations)
}

const (
	DatabaseFile = "counterfoil.db" // in the data directory
	readOnly     = "&mode=ro&_pragma=query_only(1)"
)

func sqliteDSN(path, extra string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)&_pragma=temp_store(MEMORY)" + extra
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another counterfoil is using %s: stop it first", dir)
		}
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return f, nil
}

func (e *sqliteEngine) view(ctx context.Context, fn func(querier) error) error {
	if err := ctx.Err(); err != nil {
		return failure{err}
	}
	var c *sqliteConn
	select {
	case c = <-e.readers:
	default:
		wait, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		select {
		case c = <-e.readers:
		case <-e.closed:
			return failure{errClosed}
		case <-wait.Done():
			return failure{fmt.Errorf("waiting for a connection: %w", wait.Err())}
		}
	}
	defer func() { e.readers <- c }()
	if c.conn == nil {
		conn, err := e.readDB.Conn(context.WithoutCancel(ctx))
		if err != nil {
			return failure{err}
		}
		c.conn = conn
	}
	if _, err := c.exec("BEGIN"); err != nil {
		c.drop()
		return failure{err}
	}
	defer func() {
		if _, err := c.exec("ROLLBACK"); err != nil {
			c.drop()
		}
	}()
	return unavailableUnlessOurs(fn(c))
}

func (e *sqliteEngine) update(ctx context.Context, org string, _ Lock, fn func(*Tx) error) error {
	return e.writer.do(ctx, fn)
}

// There is no other node.
func (e *sqliteEngine) alive() (uint64, bool)                         { return 1, true }
func (e *sqliteEngine) attach(func([]counterfoil.Event) error) func() { return func() {} }
func (e *sqliteEngine) gate(func() int64)                             {}
func (e *sqliteEngine) say(context.Context) error                     { return nil }
func (e *sqliteEngine) trust() time.Duration                          { return MaxLease }

func (e *sqliteEngine) catchUp(ctx context.Context) (number int64, err error) {
	err = e.view(ctx, func(q querier) error {
		h, err := lastEntry(q)
		number = h.number
		return err
	})
	return number, err
}

func (e *sqliteEngine) another() bool { return false }

func (e *sqliteEngine) confirm(context.Context, int64) ([]Confirmation, error) { return nil, nil }
func (e *sqliteEngine) settled(context.Context, counterfoil.Instant) error     { return nil }
func (e *sqliteEngine) settledUntil() counterfoil.Instant                      { return math.MaxInt64 }
func (e *sqliteEngine) standing() Standing                                     { return Standing{Nodes: 1} }
func (e *sqliteEngine) leads() bool                                            { return true }
func (e *sqliteEngine) name() string                                           { return "sqlite" }

func (e *sqliteEngine) ping(ctx context.Context) error {
	return e.view(ctx, func(q querier) error {
		var one int
		return q.row("SELECT 1").Scan(&one)
	})
}

func (e *sqliteEngine) close() error {
	var errs []error
	close(e.closed)
	if e.writer != nil {
		e.writer.stop()
	}
	if e.readDB != nil {
		for range cap(e.readers) {
			(<-e.readers).drop()
		}
		errs = append(errs, e.readDB.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	if e.lock != nil { // unlocked by hand: a child process that was being started may hold the file a moment longer
		errs = append(errs, unix.Flock(int(e.lock.Fd()), unix.LOCK_UN), e.lock.Close())
	}
	return errors.Join(errs...)
}
