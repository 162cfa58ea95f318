package registry

import (
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestReceiptWhileItIsWritten: whoever reads a receipt in a transaction that began before its final form was written gets
// the final form all the same.
func TestReceiptWhileItIsWritten(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := New(Config{Store: s, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {}})
	receipt, err := r.do(t.Context(), Operator(), "", OpApplyCatalogue, func(w *work) error {
		w.record("catalogue", "catalogue_applied", counterfoil.Target{Kind: "catalogue"}, nil)
		return nil
	})
	if err != nil || len(receipt.Nodes) != 1 {
		t.Fatalf("the receipt is %+v, %v", receipt, err)
	}
	kept := r.keptReceipt(receipt.ID)
	err = s.View(t.Context(), "", func(tx *store.Tx) error {
		if _, _, _, err := tx.Receipt(receipt.ID); err != nil { // from here on the transaction sees this state alone
			return err
		}
		if err := r.WriteReceipts(t.Context()); err != nil {
			return err
		}
		if _, raw, _, err := tx.Receipt(receipt.ID); err != nil || raw == "" {
			t.Errorf("stored is %q, %v", raw, err)
		}
		got, found, err := kept.orStored(tx, receipt.ID)
		if err != nil || !found || len(got.Nodes) != 1 {
			t.Errorf("within the older transaction the receipt is %+v, %v, %v", got, found, err)
		}
		if late, _, err := r.keptReceipt(receipt.ID).orStored(tx, receipt.ID); err != nil || len(late.Nodes) != 0 {
			t.Errorf("control: asked within the transaction, %+v, %v: the snapshot is not what this test takes it for", late, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.storedReceipt(t.Context(), receipt.ID); err != nil || len(got.Nodes) != 1 {
		t.Errorf("afterwards it is %+v, %v", got, err)
	}
}
