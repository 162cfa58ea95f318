package registry

import (
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// withLedger gives a registry a ledger of its own, in step with the database, and returns the path of its file.
func withLedger(t *testing.T, r *Registry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	var err error
	if r.Ledger, err = ledger.Open(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Ledger.Close() })
	if _, err := r.Ledger.Begin(r.Store.Now().Time()); err != nil {
		t.Fatal(err)
	}
	keepLedger(t, r, 0)
	return path
}

func keepLedger(t *testing.T, r *Registry, want int) {
	t.Helper()
	if ended, err := r.KeepLedger(t.Context()); err != nil || ended != want {
		t.Errorf("the replay ended %d, %v, want %d", ended, err, want)
	}
}

func mentions(t *testing.T, path, id string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), id)
}

// An entry that cannot be read, as when somebody has written into the table, hides nothing from those who follow the log, who are told
// that anything may have changed, nor from the ledger, unless what ended by it is no token, of which the service's own log speaks.
func TestEntryThatCannotBeRead(t *testing.T) {
	h := newHouse(t)
	other := New(h.Config)
	withLedger(t, other)
	path := withLedger(t, h.Registry)
	h.tokens(t, "tok_damageddamag")
	number, hash, err := h.LogEnd(t.Context(), Operator())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.RevokeToken(t.Context(), Operator(), h.alpha.ID, "tok_damageddamag", ""); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE events SET body = 'no JSON' WHERE seq = $1", number+1); err != nil {
		t.Fatal(err)
	}
	if _, err := other.DeleteOrganization(t.Context(), Operator(), h.beta.ID); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	h.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if _, err = h.KeepLedger(t.Context()); err != nil || mentions(t, path, "tok_damageddamag") != 1 || mentions(t, path, h.beta.ID) != 1 {
		t.Errorf("comparing: %v; the ledger has %d lines of what another node ended by it, %d of what after it", err, mentions(t, path, "tok_damageddamag"), mentions(t, path, h.beta.ID))
	}
	if said := log.String(); !strings.Contains(said, "entry="+strconv.FormatInt(number+1, 10)) {
		t.Errorf("its log says %q", said)
	}
	events, err := h.ChangesAfter(t.Context(), Operator(), number, hash, 500)
	if err != nil || len(events) < 2 {
		t.Fatalf("a follower is told of %d entries, %v", len(events), err)
	}
	if e := events[0]; e.Target.Kind == "" || e.OrganizationID != "" || e.Number != number+1 || len(e.Hash) == 0 { // as of what nobody knows
		t.Errorf("a follower is told %+v of it", e)
	}
}

// TestLedgerFollowsTheLog: a ledger has what other nodes ended, and nothing twice; of what an organization writes into the log
// itself it takes the truth alone.
func TestLedgerFollowsTheLog(t *testing.T) {
	h := newHouse(t)
	other := New(h.Config)
	ours, theirs := withLedger(t, h.Registry), withLedger(t, other)
	if _, err := other.DeleteOrganization(t.Context(), Operator(), h.alpha.ID); err != nil {
		t.Fatal(err)
	}
	_, err := h.do(t.Context(), Operator(), h.provider.ID, OpApplyCatalogue, func(w *work) error {
		w.record("organization", "organization_deleted", counterfoil.Target{Kind: "organization", ID: h.beta.ID}, nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		keepLedger(t, h.Registry, 0)
		keepLedger(t, other, 0)
	}
	for path, who := range map[string]string{ours: "the other node's", theirs: "its own"} {
		if n := mentions(t, path, h.alpha.ID); n != 1 {
			t.Errorf("of %s deletion there are %d lines, want 1", who, n)
		}
		if mentions(t, path, h.beta.ID) != 0 {
			t.Error("what did not end is said to have")
		}
	}
}

// TestLedgerThatBeginsLater: a ledger that is new, at a node that joins or where one was lost, has what ended before as well: a backup
// may be older than that.
func TestLedgerThatBeginsLater(t *testing.T) {
	h := newHouse(t)
	if _, err := h.DeleteOrganization(t.Context(), Operator(), h.alpha.ID); err != nil {
		t.Fatal(err)
	}
	path := withLedger(t, h.Registry)
	for range 2 {
		if n := mentions(t, path, h.alpha.ID); n != 1 {
			t.Errorf("there are %d lines of what ended before it, want 1", n)
		}
		keepLedger(t, h.Registry, 0)
	}
}

// TestReplayPassesADamagedToken: a row that nobody can read, and that opens nothing, keeps no other token alive and no server from
// starting.
func TestReplayPassesADamagedToken(t *testing.T) {
	h := newHouse(t)
	withLedger(t, h.Registry)
	ids := []string{"tok_damagedtoken", "tok_revivedtoken"}
	h.tokens(t, ids...)
	if err := h.Ledger.Append(ledger.Entry{Token: ids[1], At: h.now}, ledger.Entry{Token: ids[0], At: h.now}); err != nil { // the newest is looked at first
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE tokens SET digest=x'00' WHERE id=$1", ids[0]); err != nil {
		t.Fatal(err)
	}
	keepLedger(t, h.Registry, 1)
	if revived, _, err := h.Store.LookUp(t.Context(), ids[1]); err != nil || revived.RevokedAt == 0 {
		t.Errorf("a revoked token is good again (%v)", err)
	}
}

// TestFinishIsNoRotation: who ends a grace, or asks once more for the end of one that is over, before it is noticed that a backup was
// put back, has no older value outlive the one that took its place after the backup.
func TestFinishIsNoRotation(t *testing.T) {
	for name, rotated := range map[string]struct{ at, until time.Duration }{
		"a grace that runs": {-time.Hour, time.Hour}, "one that is over": {-time.Hour, -time.Minute}, "one of a version before rotated_at": {until: -time.Minute},
	} {
		t.Run(name, func(t *testing.T) { finishOnABackup(t, rotated.at, rotated.until) })
	}
}

func finishOnABackup(t *testing.T, rotated, until time.Duration) {
	h := newHouse(t)
	withLedger(t, h.Registry)
	const id = "tok_rotatedtoken"
	older, later := secret.Digest{1}, secret.Digest{2}
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error {
		return tx.InsertToken(store.Token{ID: id, Kind: counterfoil.KindOrganization, Name: id, KeyID: 1, Digest: older})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error {
		made, _, err := tx.TokenForUpdate(id)
		made.PreviousKeyID, made.PreviousUntil = 1, counterfoil.At(h.now.Add(until))
		if rotated != 0 {
			made.RotatedAt = counterfoil.At(h.now.Add(rotated))
		}
		return errors.Join(err, tx.UpdateToken(made))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Ledger.Append(ledger.Entry{Token: id, At: h.now, KeyID: 1, Digest: later[:], RotatedAt: int64(counterfoil.At(h.now)), Version: 3}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Second)
	if _, err := h.EndPreviousValue(t.Context(), Operator(), h.alpha.ID, id, 0); err != nil {
		t.Fatal(err)
	}
	keepLedger(t, h.Registry, 1)
	if now, _, err := h.Store.LookUp(t.Context(), id); err != nil || !now.Digest.Equal(later) {
		t.Errorf("the value that was rotated away is good (%v)", err)
	}
}

// TestLogIsReplacedDuringAReplay: what was compared with one database is not kept as compared by another, which was put in its place
// meanwhile.
func TestLogIsReplacedDuringAReplay(t *testing.T) {
	h := newHouse(t)
	withLedger(t, h.Registry)
	for _, org := range []string{h.beta.ID, h.alpha.ID} { // the newest is looked at first
		if _, err := h.DeleteOrganization(t.Context(), Operator(), org); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	revive := func(org string) {
		if _, err := db.Exec("UPDATE organizations SET deleted_at=0, status='active', version=version+100 WHERE id=$1", org); err != nil {
			t.Error(err)
		}
	}
	revive(h.beta.ID)
	h.Applied = func(*counterfoil.Event) {
		h.Applied = func(*counterfoil.Event) {}
		revive(h.alpha.ID)
		if _, err := db.Exec("UPDATE events SET hash=x'00'"); err != nil {
			t.Error(err)
		}
	}
	if ended, err := h.KeepLedger(t.Context()); err == nil || ended != 1 {
		t.Errorf("it ended %d, %v, want 1 and that the log is another", ended, err)
	}
	keepLedger(t, h.Registry, 1)
}
