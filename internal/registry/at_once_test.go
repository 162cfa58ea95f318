package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Two ask one process for one revocation: both are told one receipt, also where the first is in force and not answered yet.
func TestReceiptOfTwoAtOnceInOneProcess(t *testing.T) {
	h := newHouse(t)
	h.tokens(t, "tok_twicetwicetw")
	in, on := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	h.Confirmed = func(time.Duration) { // the first is not scheduled just then
		if first.CompareAndSwap(false, true) {
			close(in)
			<-on
		}
	}
	told := make(chan counterfoil.Receipt, 1)
	revoke := func() counterfoil.Receipt {
		made, err := h.RevokeToken(context.Background(), Operator(), h.alpha.ID, "tok_twicetwicetw", "")
		if err != nil {
			t.Error(err)
		}
		return made.Receipt
	}
	go func() { told <- revoke() }()
	<-in
	again := revoke()
	close(on)
	if r := <-told; !reflect.DeepEqual(r, again) || len(again.Nodes) != 1 {
		t.Errorf("one is told\n%+v\nanother\n%+v", r, again)
	}
}

// A revocation waits for others, or for this node's own follower, when a standby takes over that lacks it. It is not answered before
// the ledger has made it in the log that took over. Where everything is forgotten in the same log, by an entry that cannot be read, it is
// answered once the node is alive again.
func TestAnsweredWhileTheLogBecomesAnother(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"the first", "asked for again", "the same log"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			url, ctx, op, id := postgrestest.NewDatabase(t), context.Background(), Operator(), "tok_lostlostlost"
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			s, err := store.Open(ctx, store.Config{DatabaseURL: url, Lease: store.MaxLease})
			must(err)
			t.Cleanup(func() { s.Close() })
			r := New(Config{Store: s, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {}, Plans: []string{"teams"}, DataCenter: "local", URL: "https://x.example"})
			withLedger(t, r)
			org, err := r.CreateOrganization(ctx, op, counterfoil.OrganizationDraft{Name: "One"})
			must(err)
			must(s.Update(ctx, org.ID, store.ForTokens, func(tx *store.Tx) error {
				return tx.InsertToken(store.Token{ID: id, Kind: counterfoil.KindOrganization, Name: "lost", KeyID: 1})
			}))
			keepLedger(t, r, 0)
			kept, _, err := r.LogEnd(ctx, op)
			must(err)
			db, err := sql.Open("pgx", url)
			must(err)
			t.Cleanup(func() { db.Close() })
			exec := func(query string, args ...any) {
				t.Helper()
				_, err := db.ExecContext(ctx, query, args...)
				must(err)
			}
			until := func(what string, met func() bool) {
				t.Helper()
				for end := time.Now().Add(30 * time.Second); !met(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("never: ", what)
					}
				}
			}
			until("the log is followed", func() bool { return s.Standing().Applied >= kept })
			before, _ := s.Alive()

			var lost atomic.Bool // the follower's connection
			lost.Store(what != "the same log")
			t.Cleanup(s.Attach(func([]counterfoil.Event) error {
				if lost.Load() {
					return errors.New("the connection is lost")
				}
				return nil
			}))
			waiting, on, once := make(chan struct{}), make(chan struct{}), sync.Once{}
			if what == "asked for again" { // a node that died revoked it
				body, err := json.Marshal(counterfoil.Event{ID: "evt_died", OrganizationID: org.ID, Target: counterfoil.Target{Kind: "token", ID: id}, Metadata: json.RawMessage("{}")})
				must(err)
				exec("UPDATE tokens SET revoked_at = 1, revoked_by = 'operator', version = version + 1 WHERE id = $1", id)
				exec("INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ('evt_died', $1, 'tokens', 'token_revoked', 1, '', $2, $3)", org.ID, id, string(body))
				close(waiting)
			} else {
				r.Confirmed = func(time.Duration) { once.Do(func() { close(waiting); <-on }) } // it waits for others
			}
			answered := make(chan error, 1)
			go func() {
				_, err := r.RevokeToken(ctx, op, org.ID, id, "")
				answered <- err
			}()
			<-waiting
			until("it has a number", func() bool {
				n, err := s.LastEvent(ctx)
				return err == nil && n > kept
			})
			if what == "the same log" {
				last, err := s.LastEvent(ctx)
				must(err)
				until("it is applied", func() bool { return s.Standing().Applied >= last })
				slow, err := db.BeginTx(ctx, nil)
				must(err)
				_, err = slow.ExecContext(ctx, "SELECT 1 FROM nodes FOR UPDATE") // as the next renewal is
				must(err)
				exec("INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ('evt_strange', $1, 'tokens', 'x', 1, '', '', 'no JSON')", org.ID)
				until("everything is forgotten", func() bool { now, alive := s.Alive(); return now != before && !alive })
				close(on)
				time.Sleep(200 * time.Millisecond)
				must(slow.Rollback())
				must(<-answered)
				return
			}
			exec("UPDATE tokens SET revoked_at = 0, revoked_by = '' WHERE id = $1", id)
			exec("DELETE FROM events WHERE seq > $1", kept)
			lost.Store(false)
			until("the log is another", func() bool { now, alive := s.Alive(); return now != before && alive })
			close(on)
			if err := <-answered; err != nil {
				t.Logf("it is refused, and may be asked for again: %v", err)
				return
			}
			if now, _, err := s.LookUp(ctx, id); err != nil || now.RevokedAt == 0 {
				t.Errorf("the revocation is answered, and the token is good (%v)", err)
			}
		})
	}
}
