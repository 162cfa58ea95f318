package registry

import (
	"errors"
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
	kept := r.openReceipt(receipt.ID)
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
		if late, _, err := r.openReceipt(receipt.ID).orStored(tx, receipt.ID); err != nil || len(late.Nodes) != 0 {
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
// have been soon after the commit; also when by then no node can honour what was, whether it has said so or not.
func TestReceiptOfARevocationThatIsAskedForAgain(t *testing.T) {
	for _, after := range []time.Duration{20 * time.Second, certain, time.Hour} {
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
		h.now = h.now.Add(after)
		read, err := h.Receipt(t.Context(), Operator(), receipt)
		if late := after >= certain; err != nil || read.Complete != late || late && read.TookMS != milliseconds(certain) {
			t.Errorf("%v after the commit, read without asking again, it is %+v, %v", after, read, err)
		}
		again, err := h.RevokeToken(t.Context(), Operator(), h.alpha.ID, id, "")
		if err != nil {
			t.Fatal(err)
		}
		r := again.Receipt
		if late := milliseconds(after); r.ID != receipt || !r.Complete || len(r.Nodes) != 1 || r.Nodes[0].ConfirmedInMS == nil || *r.Nodes[0].ConfirmedInMS > r.TookMS ||
			*r.Nodes[0].ConfirmedInMS < late || r.TookMS > late+1000 {
			t.Errorf("%v after the commit the receipt is %+v", after, r)
		}
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

// TestReceiptThatIsKeptTwice: two answers of one node about the same revocation say the same.
func TestReceiptThatIsKeptTwice(t *testing.T) {
	h := newHouse(t)
	for i := range 2 {
		got := h.keep(t.Context(), h.alpha.ID, counterfoil.Receipt{ID: "rcp_twice", RevokedAt: h.now, Complete: true, TookMS: float64(i + 1), Nodes: []counterfoil.ReceiptNode{{ID: "node_x"}}})
		if got.TookMS != 1 {
			t.Errorf("answer %d is %+v", i+1, got)
		}
	}
}

// TestReceiptThatVerifiersMadeWait: it is written before the answer, so that another answer, given meanwhile, is this one's too.
func TestReceiptThatVerifiersMadeWait(t *testing.T) {
	h := newHouse(t)
	const id = "rcp_waited"
	h.keep(t.Context(), h.alpha.ID, counterfoil.Receipt{ID: id, RevokedAt: h.now, Complete: true, TookMS: 1, Nodes: []counterfoil.ReceiptNode{{ID: "node_x"}}})
	if err := h.WriteReceipts(t.Context()); err != nil {
		t.Fatal(err)
	}
	fed := counterfoil.Receipt{ID: id, RevokedAt: h.now, Complete: true, TookMS: 2, Nodes: []counterfoil.ReceiptNode{{ID: "node_x"}, {ID: "ver_y"}}}
	if got := h.keep(t.Context(), h.alpha.ID, fed); got.TookMS != 1 {
		t.Errorf("the answer that waited is %+v", got)
	}
}

// TestReceiptThatIsDamaged: it does not keep others from being written.
func TestReceiptThatIsDamaged(t *testing.T) {
	h := newHouse(t)
	err := h.Store.Update(t.Context(), h.alpha.ID, store.ForTokens, func(tx *store.Tx) error { return tx.SaveReceipt("rcp_a", "{") })
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"rcp_a", "rcp_b"} {
		h.keep(t.Context(), h.alpha.ID, counterfoil.Receipt{ID: id, RevokedAt: h.now, Complete: true, TookMS: 1, Nodes: []counterfoil.ReceiptNode{{ID: "node_x"}}})
	}
	if err := h.WriteReceipts(t.Context()); err != nil || len(h.receipts.open) > 0 {
		t.Errorf("%v; %d are open", err, len(h.receipts.open))
	}
	if got, err := h.storedReceipt(t.Context(), "rcp_b"); err != nil || got.TookMS != 1 {
		t.Errorf("beside it is %+v, %v", got, err)
	}
	if got, err := h.storedReceipt(t.Context(), "rcp_a"); !errors.Is(err, errDamagedReceipt) {
		t.Errorf("the damaged one is %+v, %v", got, err)
	}
}
