package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/store"
)

// A renewal is under way, of a turn that began before a revocation was committed by a node that died, and its answer comes only after
// the lease before it has run out: the node is alive again, by what it read before the revocation. Who asked for that again meanwhile
// was not answered because the lease had run out.
func TestAskedAgainWhileARenewalIsUnderWay(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewDatabase(t)
	in := start(t, store.Config{DatabaseURL: url, Lease: 2 * time.Second}, nil)
	o := in.organization()
	ctx := context.Background()
	connect := func() *pgx.Conn {
		c, err := pgx.Connect(ctx, url)
		o.must(err)
		t.Cleanup(func() { c.Close(ctx) })
		return c
	}
	conn, slow, table := connect(), connect(), connect()
	o.followed()
	o.warm(o.Verifier)
	renewal, err := slow.Begin(ctx)
	o.must(err)
	_, err = renewal.Exec(ctx, "SELECT 1 FROM nodes FOR UPDATE")
	o.must(err)
	o.met("the follower waits", conn, renewalWaits)
	o.revokeAndDie(conn, "bob")
	o.must(o.revoke("bob")) // answered

	// The next turn's reading of the log is slow as well: else all of this lasts for milliseconds.
	checked, locked := make(chan struct{}), make(chan error, 1)
	go func() {
		tx, err := table.Begin(ctx)
		if err == nil {
			_, err = tx.Exec(ctx, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
			<-checked
			_ = tx.Rollback(ctx)
		}
		locked <- err
	}()
	o.met("the table is locked, or will be next", conn, "pg_locks WHERE relation = 'events'::regclass AND mode = 'AccessExclusiveLock'")
	o.must(renewal.Rollback(ctx))
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if check(t, o.Verifier, o.tokens["bob"].Secret, reading()) == counterfoil.CodeOK {
			t.Error("a revoked token is good after its revocation was answered")
			break
		}
	}
	close(checked)
	o.must(<-locked)
}
