package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/counterfoil/counterfoil"
)

// Entries returns up to limit entries of the log after number, as they are stored. It crosses organizations: the chain is
// one.
func (tx *Tx) Entries(number int64, limit int) ([]counterfoil.LogEntry, error) {
	list, err := entriesAfter(tx.q, number, limit)
	out := make([]counterfoil.LogEntry, len(list))
	for i, e := range list {
		out[i] = e.LogEntry
	}
	return out, err
}

// LastEntry returns the number and hash of the log's last entry, 0 and nil when there is none. It crosses organizations:
// the chain is one.
func (tx *Tx) LastEntry() (number int64, hash []byte, err error) {
	h, err := lastEntry(tx.q)
	return h.number, h.hash, err
}

// RemovedAfter reports whether retention has removed any entry after number. It crosses organizations: the log is one. Whether there is
// any such row is not asked for as such: PostgreSQL would read all of them to find that there is none.
func (tx *Tx) RemovedAfter(number int64) (removed bool, err error) {
	err = tx.q.row("SELECT COALESCE(MAX(seq), 0) > $1 FROM removed_events", number).Scan(&removed)
	return removed, err
}

// Inspect is VerifyChain on a database that is only read: no lock is taken and no schema changed, so that a server may run
// on it meanwhile. see, if not nil, is told each good entry's number and hash.
func Inspect(ctx context.Context, c Config, see func(number int64, hash []byte)) (chain Chain, bad int64, err error) {
	var e engine
	if c.DatabaseURL != "" {
		config, err := pgx.ParseConfig(c.DatabaseURL)
		if err != nil {
			return chain, 0, ErrDatabaseURL
		}
		db := stdlib.OpenDB(*config)
		defer db.Close()
		e = &postgresEngine{reads: db, follower: &follower{}}
	} else {
		path := filepath.Join(c.Dir, DatabaseFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return chain, 0, errors.New("there is no database in " + c.Dir)
		}
		db, err := sql.Open("sqlite", sqliteDSN(path, readOnly))
		if err != nil {
			return chain, 0, err
		}
		defer db.Close()
		one := &sqliteEngine{readDB: db, readers: make(chan *sqliteConn, 1), closed: make(chan struct{})}
		one.readers <- &sqliteConn{}
		defer func() { (<-one.readers).drop() }()
		e = one
	}
	return (&Store{engine: e}).verifyChain(ctx, see)
}
