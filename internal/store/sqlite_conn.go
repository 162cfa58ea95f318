package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteConn is one connection with its prepared statements. It is used by one goroutine at a time. Statements run
// without the caller's context: they are short, and an interrupted one would cost more than it saves.
type sqliteConn struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt // that are queried
	changes map[string]change    // that are executed
	args    []driver.NamedValue  // of the one that is being executed
	writes  int64                // statements that were executed, not queried
}

// maxStatements bounds how many statements of a kind stay prepared.
const maxStatements = 500

func (c *sqliteConn) drop() {
	for _, s := range c.stmts {
		s.Close()
	}
	c.stmts = nil
	if c.conn != nil {
		c.closeChanges()
		c.conn.Close()
		c.conn = nil
	}
}

func (c *sqliteConn) stmt(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	if c.stmts == nil || len(c.stmts) > maxStatements {
		for _, old := range c.stmts {
			old.Close()
		}
		c.stmts = map[string]*sql.Stmt{}
	}
	c.stmts[query] = s
	return s, nil
}

// exec goes to the driver's own statement: what database/sql does around each is a good part of what a small one costs.
func (c *sqliteConn) exec(query string, args ...any) (n int64, err error) {
	c.writes++
	s, err := c.change(query)
	if err != nil {
		return 0, sqliteError(err)
	}
	c.args = c.args[:0]
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return 0, err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	err = c.conn.Raw(func(any) error {
		r, err := s.ExecContext(context.Background(), c.args)
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	clear(c.args)
	return n, sqliteError(err)
}

// change prepares a statement for exec, once.
func (c *sqliteConn) change(query string) (driver.StmtExecContext, error) {
	if s, ok := c.changes[query]; ok {
		return s, nil
	}
	var s driver.Stmt
	err := c.conn.Raw(func(conn any) (err error) {
		s, err = conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.changes == nil || len(c.changes) > maxStatements {
		c.closeChanges()
		c.changes = map[string]change{}
	}
	c.changes[query] = s.(change)
	return c.changes[query], nil
}

// change is a prepared statement of the driver.
type change interface {
	driver.Stmt
	driver.StmtExecContext
}

func (c *sqliteConn) closeChanges() {
	_ = c.conn.Raw(func(any) error {
		for _, s := range c.changes {
			s.Close()
		}
		return nil
	})
	c.changes = nil
}

func (c *sqliteConn) query(query string, args ...any) (rows, error) {
	s, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

func (c *sqliteConn) row(query string, args ...any) scanner {
	s, err := c.stmt(query)
	if err != nil {
		return badRow{err}
	}
	return s.QueryRowContext(context.Background(), args...)
}

func (c *sqliteConn) forUpdate() string { return "" }
func (c *sqliteConn) forShare() string  { return "" }

func (c *sqliteConn) hold(string) error { return nil } // one writer runs at a time

func (c *sqliteConn) by(index string) string { return " INDEXED BY " + index }

type badRow struct{ err error }

func (b badRow) Scan(...any) error { return b.err }

// ofFiles reports whether err is SQLite's that its files cannot be read or written.
func ofFiles(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && slices.Contains([]int{sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}, e.Code()&0xff) // without what it was about
}

func sqliteError(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return ErrTaken
	}
	return err
}
