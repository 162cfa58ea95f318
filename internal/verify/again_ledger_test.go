package verify_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
)

// A token is revoked, and before that is answered a standby takes over that lacks it. The request compares with the ledger, and finds as
// it should be what another comparison has just ended again: it is answered when that is in force. "own": the other comparison is that of
// a second revocation, and has not applied it yet. "other": it is the server's own of each new epoch, and waits for another node.
func TestComparedByTwoAtOnce(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"own", "other"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			url, ctx, op := postgrestest.NewDatabase(t), context.Background(), registry.Operator()
			in := start(t, store.Config{DatabaseURL: url, Lease: 4 * time.Second}, nil)
			other := in.node(store.Config{DatabaseURL: url, Lease: 4 * time.Second})
			o := in.organization()
			conn, err := pgx.Connect(ctx, url)
			o.must(err)
			t.Cleanup(func() { conn.Close(ctx) })

			first, second := o.tokens["organization"], o.tokens["bob"]
			book, err := ledger.Open(filepath.Join(t.TempDir(), "ledger"))
			o.must(err)
			t.Cleanup(func() { book.Close() })
			_, err = book.Begin(o.Store.Now().Time())
			o.must(err)

			var put atomic.Bool // the standby has taken over
			hold, once := make(chan struct{}), atomic.Bool{}
			confirmed, on := make(chan int, 2), [2]chan struct{}{make(chan struct{}), make(chan struct{})}
			var nth atomic.Int64
			r := registry.New(registry.Config{Store: in.Store, Keys: in.config.Keys, Prefix: "cfl", Rules: in.config.Rules, Plans: []string{"teams"}, DataCenter: "local",
				Logger: in.config.Logger, Ledger: book,
				Applied: func(e *counterfoil.Event) {
					if where == "own" && put.Load() && e.Target.ID == second.Token.ID && once.CompareAndSwap(false, true) {
						<-hold // this goroutine is not scheduled just then
					}
					in.Apply(e)
				},
				Confirmed: func(time.Duration) {
					if !put.Load() {
						i := int(nth.Add(1)) - 1
						confirmed <- i
						<-on[i]
					}
				}})
			_, err = r.KeepLedger(ctx)
			o.must(err)
			kept, _, err := r.LogEnd(ctx, op)
			o.must(err)
			revoke := func(made counterfoil.Created) <-chan error {
				ended := make(chan error, 1)
				go func() {
					_, err := r.RevokeToken(ctx, op, o.id, made.Token.ID, "")
					ended <- err
				}()
				return ended
			}
			a := make(<-chan error)
			if where == "own" {
				a = revoke(first)
				<-confirmed
			}
			b := revoke(second)
			<-confirmed

			epochs := func() (e [2]uint64) { e[0], _ = o.Store.Alive(); e[1], _ = other.Store.Alive(); return e }
			before := epochs()
			batch := &pgx.Batch{}
			batch.Queue("UPDATE tokens SET revoked_at = 0, revoked_by = '' WHERE id IN ($1, $2)", first.Token.ID, second.Token.ID)
			batch.Queue("DELETE FROM events WHERE seq > $1", kept)
			o.must(conn.SendBatch(ctx, batch).Close())
			eventually(t, "both nodes have noticed", func() bool {
				now := epochs()
				_, x := o.Store.Alive()
				_, y := other.Store.Alive()
				return now[0] != before[0] && now[1] != before[1] && x && y
			})
			for _, v := range []string{first.Secret, second.Secret} { // remembered, by the log that took over
				o.wants(v, reading(), counterfoil.CodeOK)
				if got := check(t, other, v, reading()); got != counterfoil.CodeOK {
					t.Fatal(got)
				}
			}
			put.Store(true)
			// Its follower is slow just then, for less than its lease: it waits for the answer to a renewal.
			node := o.Store.Node()
			if where == "other" {
				node = other.Store.Node()
			}
			slow, err := pgx.Connect(ctx, url)
			o.must(err)
			t.Cleanup(func() { slow.Close(ctx) })
			renewal, err := slow.Begin(ctx)
			o.must(err)
			_, err = renewal.Exec(ctx, "SELECT 1 FROM nodes WHERE id = $1 FOR UPDATE", node)
			o.must(err)
			_, err = conn.Exec(ctx, "SELECT pg_notify('counterfoil_log', 'beat')")
			o.must(err)
			o.met("the follower waits", conn, renewalWaits)
			if where == "own" {
				close(on[0])
			} else { // as the server does in each new epoch, within a second
				compared := make(chan error, 1)
				a = compared
				go func() { _, err := r.KeepLedger(ctx); compared <- err }()
			}
			eventually(t, "the first has ended the second's again", func() bool {
				now, _, err := o.Store.LookUp(ctx, second.Token.ID)
				return err == nil && now.RevokedAt != 0
			})
			if where == "own" {
				close(on[1])
			} else {
				close(on[0])
			}
			select {
			case err := <-b:
				v := o.Verifier
				if where == "other" {
					v = other
				}
				if got := check(t, v, second.Secret, reading()); err == nil && got == counterfoil.CodeOK {
					t.Error("the revocation is answered, and the token is good")
				}
			case <-time.After(time.Second):
			}
			o.must(renewal.Rollback(ctx))
			close(hold)
			o.must(<-a)
		})
	}
}
