package registry

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
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
// as well, here too.
func (r *Registry) confirm(ctx context.Context, org string, receipt counterfoil.Receipt, c confirming) (counterfoil.Receipt, error) {
	if c.entry == 0 {
		var err error
		if c.entry, err = r.catchUp(ctx); err != nil {
			return receipt, err
		}
		c.here = time.Since(c.committed)
	}
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

// catchUp waits until all that is committed is in force here, and returns the number of its last entry.
func (r *Registry) catchUp(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*store.MaxLease)
	defer cancel()
	if err := r.unapplied.wait(ctx); err != nil {
		return 0, counterfoil.Refuse(counterfoil.CodeUnavailable, "Others' changes are still under way. Try again shortly.")
	}
	return r.Store.CatchUp(ctx)
}

// confirmedLater is a receipt with what was confirmed when it was asked for again, up to now, so long after its change.
func confirmedLater(receipt, again counterfoil.Receipt, now time.Time) counterfoil.Receipt {
	late := max(milliseconds(now.Sub(receipt.RevokedAt))-again.TookMS, 0)
	for i := range again.Nodes {
		if ms := again.Nodes[i].ConfirmedInMS; ms != nil {
			*ms = math.Round((*ms+late)*1e6) / 1e6 // whole nanoseconds, as in a first answer
		}
	}
	receipt.Complete, receipt.TookMS, receipt.Nodes = again.Complete, math.Round((again.TookMS+late)*1e6)/1e6, again.Nodes
	return receipt
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func in(d time.Duration) *float64 {
	ms := milliseconds(d)
	return &ms
}

// receiptWait is how long an answer waits for its receipt to be written. The change itself is committed and confirmed.
const receiptWait = time.Second

// keep has the final form of a receipt written: at once where other nodes may be asked for it, or verifiers made this answer wait,
// and then it waits for that. It returns the form that counts: whoever was asked for the same, here or at another node, may have been
// first.
func (r *Registry) keep(ctx context.Context, org string, receipt counterfoil.Receipt) counterfoil.Receipt {
	r.receipts.mu.Lock()
	if r.receipts.open == nil {
		r.receipts.open = map[string]*keptReceipt{}
	}
	k := r.receipts.open[receipt.ID]
	if k == nil {
		k = &keptReceipt{org, receipt}
		r.receipts.open[receipt.ID] = k
	}
	form := k.Receipt
	r.receipts.mu.Unlock()
	if r.Store.Alone() && len(receipt.Nodes) == 1 {
		return form
	}
	r.writeSoon(ctx)
	r.receipts.mu.Lock()
	defer r.receipts.mu.Unlock()
	return k.Receipt
}

// writeSoon has the receipts written that are open, and waits for that, but not for long.
func (r *Registry) writeSoon(ctx context.Context) {
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
	ids := slices.Sorted(maps.Keys(open)) // the order in which every node locks them
	var first map[string]keptReceipt      // that others wrote before
	err := r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		first = map[string]keptReceipt{}
		for _, id := range ids {
			k := open[id]
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
				if there, _, err = (keptReceipt{}).orStored(tx, id); err == nil && there.org == k.org {
					first[id] = there
				}
			}
			if errors.Is(err, errDamagedReceipt) { // the others are written all the same
				r.Logger.Error("a receipt cannot be completed", "error", err)
				continue
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
