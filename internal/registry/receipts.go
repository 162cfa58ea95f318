package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// receipts remembers the final form of receipts until it is written. Where other nodes are asked for them too it is written
// before the answer; where nobody else is, later: a commit of its own would make every revocation wait twice.
type receipts struct {
	writing sync.Mutex // held by the one who writes all that are open, so that many are written together
	mu      sync.Mutex // guards open
	open    map[string]*keptReceipt
}

type keptReceipt struct {
	org string
	counterfoil.Receipt
}

// saveReceipt stores a receipt in the form that will be true if this process dies now. Where it is the only one it is
// complete: a process that is gone honours nothing. Other nodes may honour what was until they have heard of the change;
// see certain.
func (w *work) saveReceipt(r counterfoil.Receipt) error {
	r.Complete = w.r.Store.Alone()
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return w.tx.SaveReceipt(r.ID, string(raw))
}

// certain is how long after a change no node can honour what was before it, whether it has said so or not: longer than any
// transaction and any lease.
const certain = time.Minute

// confirming is what a receipt is made of: when the change was committed, how long after that this node had forgotten what
// it cached, and where in the log the change is.
type confirming struct {
	committed time.Time
	here      time.Duration
	entry     int64
}

// confirm waits until every node has taken note of what is committed and returns the receipt that says so. A change that
// changed nothing gets one without an id: what it found may have been another's that is on its way, so that is waited for
// as well.
func (r *Registry) confirm(ctx context.Context, org string, receipt counterfoil.Receipt, c confirming) (counterfoil.Receipt, error) {
	asked := time.Since(c.committed)
	fed := r.awaitVerifiers(ctx, c.entry)
	others, err := r.Store.Confirm(ctx, c.entry)
	if err != nil {
		return receipt, err
	}
	took := c.here
	receipt.Nodes = append(receipt.Nodes, counterfoil.ReceiptNode{ID: r.Store.Node(), ConfirmedInMS: in(c.here)})
	for _, o := range others {
		n := counterfoil.ReceiptNode{ID: o.Node, Fenced: o.Fenced}
		if !o.Fenced {
			n.ConfirmedInMS = in(asked + o.After)
		}
		took = max(took, asked+o.After)
		receipt.Nodes = append(receipt.Nodes, n)
	}
	took = noteFed(&receipt, fed, asked, took)
	if r.Confirmed != nil {
		r.Confirmed(took)
	}
	receipt.Complete, receipt.TookMS = true, milliseconds(took)
	if receipt.ID != "" {
		receipt = r.keep(ctx, org, receipt)
	}
	return receipt, nil
}

// confirmedLater is a receipt with what was confirmed when it was asked for again, so long after its change.
func confirmedLater(receipt, again counterfoil.Receipt, after time.Duration) counterfoil.Receipt {
	late := milliseconds(max(after, 0))
	for i := range again.Nodes {
		if ms := again.Nodes[i].ConfirmedInMS; ms != nil {
			*ms += late
		}
	}
	receipt.Complete, receipt.TookMS, receipt.Nodes = again.Complete, again.TookMS+late, again.Nodes
	return receipt
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func in(d time.Duration) *float64 {
	ms := milliseconds(d)
	return &ms
}

// receiptWait is how long an answer waits for its receipt to be written. The change itself is committed and confirmed.
const receiptWait = time.Second

// keep has the final form of a receipt written: at once for other nodes to read, which is waited for. It returns the form that
// counts: another node that was asked for the same may have been first.
func (r *Registry) keep(ctx context.Context, org string, receipt counterfoil.Receipt) counterfoil.Receipt {
	k := &keptReceipt{org, receipt}
	r.receipts.mu.Lock()
	if r.receipts.open == nil {
		r.receipts.open = map[string]*keptReceipt{}
	}
	r.receipts.open[receipt.ID] = k
	r.receipts.mu.Unlock()
	if r.Store.Alone() {
		return receipt
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := r.WriteReceipts(context.WithoutCancel(ctx)); err != nil {
			r.Logger.Warn("writing receipts; they are kept and tried again", "error", err)
		}
	}()
	select {
	case <-written:
	case <-time.After(receiptWait):
	}
	r.receipts.mu.Lock()
	defer r.receipts.mu.Unlock()
	return k.Receipt
}

// withoutFigures is what the text of a receipt has that nobody has confirmed yet: see saveReceipt.
const withoutFigures = `"nodes":[]`

// WriteReceipts writes the receipts that were completed and are not written yet. The server calls it about once a second
// and before it stops.
func (r *Registry) WriteReceipts(ctx context.Context) error {
	r.receipts.writing.Lock()
	defer r.receipts.writing.Unlock()
	r.receipts.mu.Lock()
	open := maps.Clone(r.receipts.open)
	r.receipts.mu.Unlock()
	if len(open) == 0 {
		return nil
	}
	var first map[string]keptReceipt // that others wrote before
	err := r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		first = map[string]keptReceipt{}
		for id, k := range open {
			raw, err := json.Marshal(k.Receipt)
			if err != nil {
				return err
			}
			written := false
			err = tx.In(k.org, func(tx *store.Tx) (err error) {
				written, err = tx.ReplaceReceipt(id, string(raw), withoutFigures)
				return err
			})
			if err == nil && !written {
				var there keptReceipt
				if there, _, err = (keptReceipt{}).orStored(tx, id); there.org == k.org {
					first[id] = there
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.receipts.mu.Lock()
		for id, k := range open {
			if other, there := first[id]; there {
				*k = other
			}
			if r.receipts.open[id] == k {
				delete(r.receipts.open, id)
			}
		}
		r.receipts.mu.Unlock()
	}
	return err
}

// Receipt answers GET /v1/receipts/{id} for any credential of the organization it belongs to, and for the instance's.
func (r *Registry) Receipt(ctx context.Context, c Caller, id string) (receipt counterfoil.Receipt, err error) {
	kept := r.keptReceipt(id)
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
		receipt = k.Receipt
		return nil
	})
	return receipt, err
}

// storedReceipt finds a receipt that the caller is known to be allowed to see.
func (r *Registry) storedReceipt(ctx context.Context, id string) (receipt counterfoil.Receipt, err error) {
	kept := r.keptReceipt(id)
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
// here after it had been dropped, would see neither.
func (r *Registry) keptReceipt(id string) keptReceipt {
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
	err = json.Unmarshal([]byte(raw), &k.Receipt)
	k.Complete = k.Complete || tx.Now().Time().Sub(k.RevokedAt) >= certain
	return k, true, err
}
