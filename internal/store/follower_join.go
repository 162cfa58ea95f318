package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// join opens a connection, and takes up the log where this node left it or, when it has just started, at its end.
func (f *follower) join(ctx context.Context) (_ *pgx.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*max(f.lease, 2*time.Second))
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, f.config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.drop(conn)
		}
	}()
	var held bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock_shared($1)", soloLock).Scan(&held); err != nil {
		return nil, err
	}
	if !held {
		return nil, errSolo
	}
	if err := f.listen(ctx, conn); err != nil {
		return nil, err
	}
	if err := f.resume(ctx, conn); err != nil {
		return nil, err
	}
	if f.renewals == 0 {
		err = f.register(ctx, conn)
	}
	return conn, err
}

// listen asks for notifications and finds out whether they come.
func (f *follower) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+logChannel); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", logChannel, f.id); err != nil {
		return err
	}
	f.listening = false
	for deadline := f.now() + time.Second; !f.listening && f.now() < deadline; {
		note, err := f.hear(ctx, conn, deadline-f.now())
		if err != nil {
			return err
		}
		f.listening = note == f.id
	}
	if !f.listening {
		f.log.Warn("the database's notifications do not arrive, perhaps because of a connection pooler: the log is polled")
	}
	return nil
}

// resume finds the entry that this node applied last, and those that it has answered by since. A log that does not hold them is not
// the one that was followed: the database was restored, or a standby took over that lacked the end.
func (f *follower) resume(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := f.patience(ctx)
	defer cancel()
	number, hash, err := f.head(ctx, conn)
	if err != nil {
		return err
	}
	last := f.applied.Load()
	if last == 0 && f.hash == nil && f.renewals == 0 {
		f.hash = hash
		f.reach(number)
		return nil
	}
	numbers, hashes := f.answered.all()
	var same bool
	if err := conn.QueryRow(ctx, "SELECT "+fmt.Sprintf(sameLog, 1, 2)+" AND "+fmt.Sprintf(holdsAll, 3, 4), last, f.hash, numbers, hashes).Scan(&same); err != nil {
		return err
	}
	if !same {
		f.log.Error("the database's log is not the one that was followed: what is in memory is forgotten", "entry", last)
		f.answered.clear()
		f.another.Store(true)
		f.forget(number, hash)
	}
	return nil
}

// register puts this node among those that receipts wait for. It is alive only after it has read the log once more.
func (f *follower) register(ctx context.Context, conn *pgx.Conn) error {
	f.renewals++
	tag, err := conn.Exec(ctx, `INSERT INTO nodes (id, lease, applied, renewals, settled, fenced, started_at, seen_at)
		SELECT $1,$2,$3,$4,$5,0,$6,$6 WHERE NOT `+fmt.Sprintf(outdated, 7)+` ON CONFLICT (id) DO UPDATE SET fenced = 0,
		renewals = excluded.renewals, applied = excluded.applied, settled = excluded.settled, seen_at = excluded.seen_at`,
		f.id, int64(f.lease), f.claim(), f.renewals, int64(f.settled()), time.Now().UnixMicro(), len(migrations)-1)
	old := err == nil && tag.RowsAffected() == 0
	f.outdated.Store(old)
	if old {
		err = errOutdated
	}
	if err != nil {
		return fmt.Errorf("joining the nodes of the database: %w", err)
	}
	return nil
}
