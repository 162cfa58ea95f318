package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// What is asked for again while the first who asked has committed it, and it is not in force here yet, is answered when it is.
func TestAskedAgainBeforeTheFirstIsApplied(t *testing.T) {
	t.Parallel()
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	o := in.organization()
	o.warm(o.Verifier)
	hold := make(chan struct{})
	both := registry.New(registry.Config{Store: in.Store, Keys: in.config.Keys, Prefix: "cfl", Rules: in.config.Rules, Plans: []string{"teams"}, DataCenter: "local", Logger: in.config.Logger,
		Applied: func(e *counterfoil.Event) { <-hold; in.Apply(e) }}) // this goroutine is not scheduled just then
	token := o.tokens["organization"]
	revoke := func() <-chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := both.RevokeToken(context.Background(), registry.Operator(), o.id, token.Token.ID, "")
			ended <- err
		}()
		return ended
	}
	first := revoke()
	eventually(t, "it is committed", func() bool {
		now, _, err := o.Store.LookUp(context.Background(), token.Token.ID)
		return err == nil && now.RevokedAt != 0
	})
	again := revoke()
	select {
	case err := <-again:
		o.must(err)
		o.wants(token.Secret, reading(), revoked)
		t.Error("it is answered before it is applied")
	case <-time.After(50 * time.Millisecond):
		close(hold)
		o.must(<-again)
		o.wants(token.Secret, reading(), revoked)
	}
	o.must(<-first)
}

// revokeAndDie revokes a token as a node does that is killed after the commit, and before the entry has its number.
func (o *organization) revokeAndDie(conn *pgx.Conn, token string) {
	o.Helper()
	id := o.tokens[token].Token.ID
	e := counterfoil.Event{ID: store.NewID("evt"), OrganizationID: o.id, Type: "tokens", Action: "token_revoked", Timestamp: o.Store.Now().Time(),
		Target: counterfoil.Target{Kind: "token", ID: id}, Metadata: json.RawMessage("{}")}
	body, err := json.Marshal(e)
	o.must(err)
	batch := &pgx.Batch{}
	batch.Queue("UPDATE tokens SET revoked_at = $1, revoked_by = 'operator', receipt = 'rcp_died', version = version + 1 WHERE id = $2", int64(o.Store.Now()), id)
	batch.Queue("INSERT INTO receipts (id, organization, answer) VALUES ('rcp_died', $1, $2)", o.id, `{"id":"rcp_died","revoked_at":"`+o.Store.Now().Time().Format(time.RFC3339)+`","nodes":[]}`)
	batch.Queue("INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ($1,$2,$3,$4,$5,'',$6,$7)",
		e.ID, o.id, e.Type, e.Action, int64(o.Store.Now()), id, string(body))
	o.must(conn.SendBatch(context.Background(), batch).Close()) // one transaction
}

// renewalWaits are the renewals of a lease that wait for a lock.
const renewalWaits = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%UPDATE nodes%'"

// met waits until there is a row of something.
func (o *organization) met(what string, conn *pgx.Conn, from string) {
	o.Helper()
	eventually(o, what, func() bool {
		var n int
		o.must(conn.QueryRow(context.Background(), "SELECT COUNT(*) FROM "+from).Scan(&n))
		return n > 0
	})
}

// followed waits until the log is applied to its end.
func (o *organization) followed() {
	o.Helper()
	eventually(o, "the log is followed to its end", func() bool {
		last, err := o.Store.LastEvent(context.Background())
		return err == nil && o.Store.Standing().Applied >= last
	})
}

// A revocation that was committed by a node that died before it answered is asked for again at another one, as it should be. What that
// one answers holds in its own memory as well, also where its follower has not got so far.
func TestAskedAgainWhereTheFirstDied(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewDatabase(t)
	in := start(t, store.Config{DatabaseURL: url, Lease: store.MinLease}, nil)
	o := in.organization()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	o.must(err)
	defer conn.Close(ctx)
	slow, err := pgx.Connect(ctx, url)
	o.must(err)
	defer slow.Close(ctx)
	eventually(t, "the log is followed to its end", func() bool {
		last, err := o.Store.LastEvent(t.Context())
		return err == nil && o.Store.Standing().Applied == last
	})
	o.warm(o.Verifier)
	// The follower's connection is slow: its renewal takes a while.
	tx, err := slow.Begin(ctx)
	o.must(err)
	_, err = tx.Exec(ctx, "SELECT 1 FROM nodes FOR UPDATE")
	o.must(err)
	o.met("the follower waits", conn, renewalWaits)
	o.revokeAndDie(conn, "bob")
	o.must(o.revoke("bob")) // answered
	o.wants(o.tokens["bob"].Secret, reading(), revoked)
	o.must(tx.Rollback(ctx))
}

// The same with nothing held and nothing slow: a pause that another node committed, and did not live to see numbered, is asked for
// again here.
func TestAskedAgainAtOnce(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	in := start(t, store.Config{DatabaseURL: url}, nil)
	o := in.organization()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	o.must(err)
	defer conn.Close(ctx)
	token := o.tokens["organization"]
	wrong, rounds := 0, 30
	for range rounds {
		o.followed()
		o.wants(token.Secret, reading(), counterfoil.CodeOK)
		o.wants(token.Secret, reading(), counterfoil.CodeOK)
		e := counterfoil.Event{ID: store.NewID("evt"), OrganizationID: o.id, Type: "tokens", Action: "token_paused", Timestamp: o.Store.Now().Time(),
			Target: counterfoil.Target{Kind: "token", ID: token.Token.ID}, Metadata: json.RawMessage("{}")}
		body, err := json.Marshal(e)
		o.must(err)
		batch := &pgx.Batch{}
		batch.Queue("UPDATE tokens SET paused = 2, version = version + 1 WHERE id = $1", token.Token.ID)
		batch.Queue("INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ($1,$2,$3,$4,$5,'',$6,$7)",
			e.ID, o.id, e.Type, e.Action, int64(o.Store.Now()), token.Token.ID, string(body))
		o.must(conn.SendBatch(ctx, batch).Close())
		o.must(edit("organization", counterfoil.Edit{Paused: ptr(true)})(o)) // answered
		if check(t, o.Verifier, token.Secret, reading()) == counterfoil.CodeOK {
			wrong++
		}
		o.must(edit("organization", counterfoil.Edit{Paused: ptr(false)})(o))
	}
	if wrong > 0 {
		t.Errorf("a paused token was good after the pause was answered, %d times of %d", wrong, rounds)
	}
}

// Two people pause one token at the same time, each at a node of theirs. Whichever is answered, the node that answers does not honour
// the token any more. There is no fault at all.
func TestPausedAtTwoNodesAtOnce(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	in := start(t, store.Config{DatabaseURL: url}, nil)
	s, err := store.Open(context.Background(), store.Config{DatabaseURL: url, Now: func() time.Time { return in.Store.Now().Time() }})
	in.must(err)
	t.Cleanup(func() { s.Close() })
	other := registry.New(registry.Config{Store: s, Keys: in.config.Keys, Prefix: "cfl", Rules: &rules.Cache{InForce: in.config.Rules.InForce}, Plans: []string{"teams"}, DataCenter: "local",
		Logger: in.config.Logger, Applied: func(*counterfoil.Event) {}})
	o := in.organization()
	wrong, rounds := 0, 100
	for i := range rounds {
		name := fmt.Sprint("token ", i)
		o.make(name, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"devices:read"}})
		token := o.tokens[name]
		o.followed()
		o.wants(token.Secret, reading(), counterfoil.CodeOK)
		o.wants(token.Secret, reading(), counterfoil.CodeOK)
		ended := make(chan error, 1)
		go func() {
			_, _, err := other.EditToken(context.Background(), registry.Operator(), o.id, token.Token.ID, counterfoil.Edit{Paused: ptr(true)})
			ended <- err
		}()
		time.Sleep(time.Duration(i%20) * 150 * time.Microsecond)
		o.must(edit(name, counterfoil.Edit{Paused: ptr(true)})(o)) // answered
		if check(t, o.Verifier, token.Secret, reading()) == counterfoil.CodeOK {
			wrong++
		}
		o.must(<-ended)
	}
	if wrong > 0 {
		t.Errorf("a paused token was good after the pause was answered, %d times of %d", wrong, rounds)
	}
}

// One process, SQLite, no fault: several clients narrow one token at the same time, and each checks it once it is answered.
func TestNarrowedByManyAtOnce(t *testing.T) {
	ctx, op := context.Background(), registry.Operator()
	for what, narrow := range map[string]func(o *organization, id string) error{
		"paused": func(o *organization, id string) error {
			_, _, err := o.registry.EditToken(ctx, op, o.id, id, counterfoil.Edit{Paused: ptr(true)})
			return err
		},
		"cut": func(o *organization, id string) error {
			_, _, err := o.registry.EditToken(ctx, op, o.id, id, counterfoil.Edit{Permissions: &[]string{"devices:write"}})
			return err
		},
		"revoked": func(o *organization, id string) error {
			_, err := o.registry.RevokeToken(ctx, op, o.id, id, "")
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			in := start(t, store.Config{Dir: t.TempDir()}, nil)
			o := in.organization()
			const rounds, clients = 50, 4
			wrong := 0
			for i := range rounds {
				name := fmt.Sprint("token ", i)
				o.make(name, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: []string{"devices:read", "devices:write"}})
				o.wants(o.tokens[name].Secret, reading(), counterfoil.CodeOK)
				token, bad := o.tokens[name], make(chan bool, clients)
				for range clients {
					go func() {
						err := narrow(o, token.Token.ID)
						r, failed := o.Verify(ctx, &verify.Request{Token: token.Secret, Attempt: reading()})
						bad <- err == nil && failed == nil && r.Code == counterfoil.CodeOK
					}()
				}
				for range clients {
					if <-bad {
						wrong++
					}
				}
			}
			if wrong > 0 {
				t.Errorf("it was good %d times after that was answered, of %d", wrong, rounds*clients)
			}
		})
	}
}
