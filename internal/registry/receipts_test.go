package registry

import (
	"testing"
	"time"

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

// TestReceiptOfARevocationThatIsAskedForAgain: where the first node was killed before it answered, what is confirmed later is not said to
// have been soon after the commit.
func TestReceiptOfARevocationThatIsAskedForAgain(t *testing.T) {
	h := newHouse(t)
	const id, receipt = "tok_revokedtoken", "rcp_unfinished"
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error {
		if err := tx.InsertToken(store.Token{ID: id, Kind: counterfoil.KindOrganization, Name: id, KeyID: 1}); err != nil {
			return err
		}
		made, _, err := tx.TokenForUpdate(id)
		if err != nil {
			return err
		}
		made.RevokedAt, made.RevokedBy, made.Receipt = tx.Now(), "operator", receipt
		if err := tx.UpdateToken(made); err != nil {
			return err
		}
		return tx.SaveReceipt(receipt, `{"id":"`+receipt+`","revoked_at":"`+h.now.Format(time.RFC3339)+`","nodes":[]}`) // as beside other nodes
	})
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(20 * time.Second)
	again, err := h.RevokeToken(t.Context(), Operator(), h.alpha.ID, id, "")
	if err != nil {
		t.Fatal(err)
	}
	r := again.Receipt
	if r.ID != receipt || !r.Complete || len(r.Nodes) != 1 || r.Nodes[0].ConfirmedInMS == nil || *r.Nodes[0].ConfirmedInMS < 20_000 || r.TookMS < *r.Nodes[0].ConfirmedInMS {
		t.Errorf("20 s after the commit the receipt is %+v", r)
	}
}

// TestReceiptOfTwoNodes: where two nodes are asked to revoke the same, both tell what was written first, and what they answer is that.
func TestReceiptOfTwoNodes(t *testing.T) {
	h := newHouse(t)
	other := New(h.Config)
	const id = "rcp_asked_for_twice"
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error {
		return (&work{r: h.Registry, tx: tx}).saveReceipt(counterfoil.Receipt{ID: id, RevokedAt: h.now, Nodes: []counterfoil.ReceiptNode{}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []*Registry{h.Registry, other} {
		r.keep(t.Context(), h.alpha.ID, counterfoil.Receipt{ID: id, RevokedAt: h.now, Complete: true, TookMS: float64(i + 1), Nodes: []counterfoil.ReceiptNode{{ID: "node_x"}}})
	}
	held := other.receipts.open[id] // by the answer that waits for it
	for _, r := range []*Registry{h.Registry, other, h.Registry} {
		if err := r.WriteReceipts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*Registry{h.Registry, other} {
		if got, err := r.storedReceipt(t.Context(), id); err != nil || got.TookMS != 1 {
			t.Errorf("a node tells %+v, %v", got, err)
		}
	}
	if held.TookMS != 1 {
		t.Errorf("the second answers %+v", held.Receipt)
	}
}
