package registry

import (
	"context"
	"database/sql"
	"runtime"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verifiers"
)

// tokens makes tokens of the organization, each with its id for a name.
func (h *house) tokens(t *testing.T, ids ...string) {
	t.Helper()
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.InsertToken(store.Token{ID: id, Kind: counterfoil.KindOrganization, Name: id, KeyID: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A revocation that changed something knows where in the log it is, on SQLite too: it waits for no other change.
func TestARevocationWaitsForNoOther(t *testing.T) {
	h := newHouse(t)
	h.tokens(t, "tok_slowslowslow", "tok_quickquickqu")
	under, on := make(chan struct{}), make(chan struct{})
	h.Applied = func(e *counterfoil.Event) {
		if e.Target.ID == "tok_slowslowslow" {
			close(under)
			<-on
		}
	}
	var group sync.WaitGroup
	group.Go(func() { _, _ = h.RevokeToken(context.Background(), Operator(), h.alpha.ID, "tok_slowslowslow", "") })
	<-under
	h.revokesAtOnce(t, "tok_quickquickqu") // while another's is under way
	close(on)
	group.Wait()
}

// A revocation that is committed and in force is answered so on SQLite, whether anybody can read at the moment or not.
func TestARevocationReadsNothing(t *testing.T) {
	h := newHouse(t)
	h.tokens(t, "tok_quickquickqu")
	free := h.nobodyReads()
	h.revokesAtOnce(t, "tok_quickquickqu")
	free()
}

// The rules that a change did not find in memory are read for the next one, also where that takes a while.
func TestRulesAreRemembered(t *testing.T) {
	h := newHouse(t)
	for took := time.Hour; took > time.Second; { // again where this machine gave the test no time
		h.Rules = &rules.Cache{InForce: &rules.InForce{}}
		free, began, done := h.nobodyReads(), time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			h.remember(context.Background(), h.alpha.ID)
		}()
		time.Sleep(300 * time.Millisecond) // as long as a database takes that is far away
		free()
		<-done
		took = time.Since(began)
	}
	err := h.Store.View(t.Context(), h.alpha.ID, func(tx *store.Tx) error {
		c, err := h.Rules.Within(tx)
		if err == nil && !h.Rules.Known(c) {
			t.Error("the rules are not known")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// revokesAtOnce revokes a token, which must be answered before what holds others up is over.
func (h *house) revokesAtOnce(t *testing.T, token string) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := h.RevokeToken(context.Background(), Operator(), h.alpha.ID, token, "")
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("a revocation is answered with %v", err)
		}
	case <-time.After(3 * time.Second):
		t.Error("a revocation is not answered")
	}
}

// nobodyReads has all connections for reading in use until free is called.
func (h *house) nobodyReads() (free func()) {
	on, busy := make(chan struct{}), sync.WaitGroup{}
	var all sync.WaitGroup
	for range max(4, runtime.GOMAXPROCS(0)) {
		busy.Add(1)
		all.Go(func() {
			_ = h.Store.View(context.Background(), "", func(*store.Tx) error { busy.Done(); <-on; return nil })
		})
	}
	busy.Wait()
	return func() {
		close(on)
		all.Wait()
	}
}

// What a receipt says of a revocation does not become worse by asking again: alone, it was complete with the commit.
func TestReceiptOfOneProcessThatWasKilled(t *testing.T) {
	h := newHouse(t)
	h.tokens(t, "tok_quickquickqu")
	made, err := h.RevokeToken(t.Context(), Operator(), h.alpha.ID, "tok_quickquickqu", "")
	if err != nil {
		t.Fatal(err)
	}
	h.receipts.open = nil // killed before it was written
	h.now = h.now.Add(72 * time.Hour)
	before, err := h.storedReceipt(t.Context(), made.Receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.RevokeToken(t.Context(), Operator(), h.alpha.ID, "tok_quickquickqu", "")
	if err != nil {
		t.Fatal(err)
	}
	if before.Complete != again.Receipt.Complete || again.Receipt.TookMS-before.TookMS > 60_000 {
		t.Errorf("answered: took %v ms; read later: complete %v, took %v ms; asked again: took %v ms", made.Receipt.TookMS, before.Complete, before.TookMS, again.Receipt.TookMS)
	}
}

// A verifier of a version before goes on where the node has forgotten what is in memory, and the log is the same.
func TestOldVerifierInTheSameLog(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	set := verifiers.New(s.Lease(), 0, s.Alive)
	s.Gate(set.Floor)
	r := New(Config{Store: s, Verifiers: set, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {}, Plans: []string{"teams"}, DataCenter: "local", URL: "https://x.example"})
	if _, err := r.CreateOrganization(t.Context(), Operator(), counterfoil.OrganizationDraft{Name: "One"}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	before, _ := s.Alive()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ('evt_x','org_1','tokens','x',1,'','','no JSON')"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if epoch, alive := s.Alive(); alive && epoch != before {
			break
		}
		if time.Now().After(end) {
			t.Fatal("never noticed")
		}
	}
	var got counterfoil.VerifierLease
	for range 8 { // for ever, in fact
		number, _, err := r.LogEnd(t.Context(), Operator())
		if err != nil {
			t.Fatal(err)
		}
		if got, err = r.ReportVerifier(t.Context(), Operator(), "ver_old", counterfoil.VerifierReport{Applied: number, LeaseMS: 2000}); err != nil {
			t.Fatal(err)
		}
		if got.LeaseMS > 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("the log is the same, and the verifier is granted %+v from now on", got)
}
