package registry

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestFailureIsNotAbsence: where the database fails, nobody is told that there is nothing.
func TestFailureIsNotAbsence(t *testing.T) {
	h := newHouse(t)
	technician := h.signIn(t, counterfoil.RoleTechnician, "")
	receipt := store.NewID("rcp")
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error { return tx.SaveReceipt(receipt, "{}") })
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, test := range map[string]struct {
		table string // that cannot be read
		ask   func() error
		found bool // where it can
	}{
		"whether a receipt concerns a technician": {"assignments", func() error { _, err := h.Receipt(t.Context(), technician, receipt); return err }, false},
		"the assignments of a technician": {"members", func() error {
			_, err := h.Assignments(t.Context(), Operator(), h.provider.ID, technician.Member)
			return err
		}, true},
	} {
		if err := test.ask(); (err == nil) != test.found || err != nil && !is(err, counterfoil.CodeNotFound) {
			t.Errorf("%s: %v", what, err)
		}
		rename := func(from, to string) {
			if _, err := db.Exec("ALTER TABLE " + from + " RENAME TO " + to); err != nil {
				t.Fatal(err)
			}
		}
		rename(test.table, "away")
		if err := test.ask(); !is(err, counterfoil.CodeUnavailable) || is(err, counterfoil.CodeNotFound) {
			t.Errorf("%s, where it cannot be read: %v", what, err)
		}
		rename("away", test.table)
	}
}
