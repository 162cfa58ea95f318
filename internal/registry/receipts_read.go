package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Receipt answers GET /v1/receipts/{id} for any credential of the organization it belongs to, and for the instance's.
func (r *Registry) Receipt(ctx context.Context, c Caller, id string) (receipt counterfoil.Receipt, err error) {
	kept := r.keptReceipt(ctx, id)
	err = r.view(ctx, c, c.Organization, OpReadReceipt, func(w *work) error {
		k, found, err := kept.orStored(w.tx, id)
		if err != nil {
			return err
		}
		mine, err := w.concerns(k.org)
		if err == nil && !(found && mine) {
			err = errNotFound
		}
		if err != nil {
			return err
		}
		receipt = byNow(k.Receipt, w.tx.Now().Time())
		return nil
	})
	return receipt, err
}

// storedReceipt finds a receipt that the caller is known to be allowed to see.
func (r *Registry) storedReceipt(ctx context.Context, id string) (receipt counterfoil.Receipt, err error) {
	kept := r.keptReceipt(ctx, id)
	err = r.Store.View(ctx, "", func(tx *store.Tx) error {
		k, found, err := kept.orStored(tx, id)
		if err == nil && !found {
			err = fmt.Errorf("the receipt %s is missing", id)
		}
		receipt = k.Receipt
		return err
	})
	return receipt, err
}

// keptReceipt is the final form of a receipt that waits to be written; the zero value when none does. It is asked before
// the transaction that would read the stored form begins: one that began before the final form was written, and looked
// here after it had been dropped, would see neither. Where other nodes may be asked for the same it is written first, so that all tell
// of it what was written first; only where that fails does this node tell what it knows.
func (r *Registry) keptReceipt(ctx context.Context, id string) keptReceipt {
	k := r.openReceipt(id)
	if k.ID != "" && !r.Store.Alone() {
		r.writeSoon(ctx)
		return r.openReceipt(id)
	}
	return k
}

func (r *Registry) openReceipt(id string) keptReceipt {
	r.receipts.mu.Lock()
	defer r.receipts.mu.Unlock()
	if k := r.receipts.open[id]; k != nil {
		return *k
	}
	return keptReceipt{}
}

// orStored is the receipt itself, or the stored one where none was kept.
func (k keptReceipt) orStored(tx *store.Tx, id string) (_ keptReceipt, found bool, err error) {
	if k.ID != "" {
		return k, true, nil
	}
	org, raw, found, err := tx.Receipt(id)
	if err != nil || !found {
		return k, false, err
	}
	k.org = org
	if err := json.Unmarshal([]byte(raw), &k.Receipt); err != nil {
		return k, true, fmt.Errorf("%w: %s: %w", errDamagedReceipt, id, err)
	}
	return k, true, nil
}

// byNow is a receipt as it is to be read. One that was never completed is so by now where the change is as old as is certain; that nobody
// can say who confirmed it, and when, shows in that it has no nodes.
func byNow(receipt counterfoil.Receipt, now time.Time) counterfoil.Receipt {
	if !receipt.Complete && now.Sub(receipt.RevokedAt) >= certain {
		receipt.Complete, receipt.TookMS = true, milliseconds(certain)
	}
	return receipt
}

var errDamagedReceipt = errors.New("a receipt in the database is damaged")
