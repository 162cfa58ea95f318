package store

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// soon is far beyond leastHold, and far below what ends a connection that nobody looks after.
const soon = 5 * leastHold

// pair is a node that can be cut off, and another one.
func pair(t *testing.T) (cut, other *fixture, p *proxy) {
	t.Helper()
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	return open(t, Config{DatabaseURL: through, Lease: MinLease}), open(t, Config{DatabaseURL: address, Lease: MinLease}), p
}

func within(t *testing.T, what string, limit time.Duration, fn func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(limit):
		t.Errorf("%s: it takes longer than %v", what, limit)
	}
}

// A node that is stopped or cut off in the middle of a numbering pass holds the lock that every change waits for. PostgreSQL
// ends it, and the other numbers what it was about to.
func TestNodeCutOffWhileItNumbers(t *testing.T) {
	t.Parallel()
	cut, other, p := pair(t)
	shut := p.cutAt("UPDATE events SET seq")
	var group sync.WaitGroup
	group.Go(func() {
		for { // until it is this node that numbers
			_ = cut.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
				tx.Append(counterfoil.Event{Type: "tokens", Action: "cut off"})
				return nil
			})
			if p.trap.Load() == nil {
				return
			}
		}
	})
	speak := <-shut
	defer func() { speak(); group.Wait() }()
	within(t, "a change at the other node", soon, func() error {
		return other.Update(context.Background(), "org_2", ForTokens, func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: "tokens", Action: "token_revoked"})
			return nil
		})
	})
}

// The same of one that had asked, and does not take what it is told.
func TestNodeCutOffWhileItIsTold(t *testing.T) {
	t.Parallel()
	const mark = "more than a connection takes by itself"
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	shut := p.cutAt(mark)
	open(t, Config{DatabaseURL: through, Lease: MinLease})
	conn := must(pgx.Connect(t.Context(), address))
	defer conn.Close(context.Background())
	if !strings.Contains(must(pgx.CollectExactlyOneRow(must(conn.Query(t.Context(), "SELECT version()")), pgx.RowTo[string])), "linux") {
		t.Skip("PostgreSQL bounds this on Linux alone")
	}
	must(conn.Exec(t.Context(), `INSERT INTO events (id, organization, type, action, at, user_uuid, token, body)
		SELECT 'evt_' || n, 'org_1', 'tokens', 'large', 1, '', '', json_build_object('action', $1::text, 'initiator', repeat('x', 1000000))::text FROM generate_series(1, 30) n`, mark))
	speak := <-shut // its next pass picks them up
	defer speak()
	within(t, "another node's start, which numbers what it finds", soon, func() error {
		other, err := tryOpen(t, Config{DatabaseURL: address})
		if err == nil && must(other.LastEvent(context.Background())) != 30 {
			t.Error("it does not find all")
		}
		return err
	})
}

// A node that is stopped or cut off in the middle of a write holds what it has locked, such as a token that another is to
// revoke. What it has done until then is not done.
func TestNodeCutOffWhileItWrites(t *testing.T) {
	t.Parallel()
	cut, other, p := pair(t)
	id := tokenID()
	other.write(t, "org_1", func(tx *Tx) error { return tx.InsertToken(newToken(id)) })
	begun, hold, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- cut.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
			k, _, err := tx.TokenForUpdate(id)
			if err == nil {
				k.Name = "renamed"
				err = tx.UpdateToken(k)
			}
			close(begun)
			<-hold
			return err
		})
	}()
	<-begun
	speak := p.silence()
	within(t, "the revocation", soon, func() error {
		return other.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
			k, _, err := tx.TokenForUpdate(id)
			if err != nil {
				return err
			}
			if k.Name == "renamed" {
				t.Error("what the other did is there, and was not committed")
			}
			k.RevokedAt = tx.Now()
			return tx.UpdateToken(k)
		})
	})
	speak()
	close(hold)
	if err := <-ended; !isUnavailable(err) {
		t.Errorf("the write of the node that was cut off ended with %v", err)
	}
}
