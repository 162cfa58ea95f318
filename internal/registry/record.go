package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

func (w *work) recordFor(tx *store.Tx, typ, action string, target counterfoil.Target, metadata map[string]any) {
	if metadata == nil {
		metadata = map[string]any{}
	}
	e := counterfoil.Event{Type: typ, Action: action, Target: target}
	c := w.caller
	switch {
	case c.operator:
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "system"}, "operator"
	case c.ProviderKey != "":
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "provider", ID: c.ProviderKey}, c.ProviderKey
		metadata["provider"] = map[string]any{"id": w.provider.ID, "name": w.provider.Name, "key": c.ProviderKey}
	case w.member.ID != "":
		e.Actor = counterfoil.Actor{Kind: "member", ID: w.member.ID, TokenID: c.TokenID}
		e.User = counterfoil.EventUser{UUID: store.UUID(w.member.UserID), Email: w.member.Email}
	case w.system():
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "system", ID: c.TokenID, TokenID: c.TokenID}, c.TokenID
	default:
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "token", ID: c.TokenID, TokenID: c.TokenID}, c.TokenID
	}
	e.Actor.UserAgent = cut(c.UserAgent, 300)
	if c.Attempt.IP.IsValid() {
		e.Actor.IP = c.Attempt.IP.String()
		metadata["ip_address"] = e.Actor.IP
	}
	if e.Actor.UserAgent != "" {
		metadata["platform"] = e.Actor.UserAgent
	}
	raw, err := json.Marshal(metadata)
	if err != nil {
		panic("registry: metadata that is not JSON: " + err.Error()) // a programming error; the transaction is undone
	}
	e.Metadata = raw
	tx.Append(e)
}

// changed is the metadata of an edit: the members that differ, before and after.
type changed struct{ before, after map[string]any }

func (c *changed) note(member string, before, after any) {
	if c.before == nil {
		c.before, c.after = map[string]any{}, map[string]any{}
	}
	c.before[member], c.after[member] = before, after
}

func (c *changed) any() bool { return len(c.before) > 0 }

func (c *changed) metadata() map[string]any {
	return map[string]any{"before": c.before, "after": c.after}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// nameProblem says what is wrong with a name that people will read; nil: nothing.
func nameProblem(pointer, name string) []counterfoil.Problem {
	visible := false
	for _, r := range name {
		if unicode.IsControl(r) {
			return []counterfoil.Problem{{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: "a name holds no control characters"}}
		}
		visible = visible || !unicode.IsSpace(r)
	}
	if !visible || utf8.RuneCountInString(name) > 100 {
		return []counterfoil.Problem{{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: "a name has 1 to 100 characters"}}
	}
	return nil
}

func invalid(pointer, detail string) counterfoil.Problem {
	return counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: detail}
}

// receipts remembers the final form of receipts until it is written: a commit of its own would make every revocation
// wait twice.
type receipts struct {
	mu   sync.Mutex
	open map[string]keptReceipt
}

type keptReceipt struct {
	org string
	counterfoil.Receipt
}

func (w *work) saveReceipt(r counterfoil.Receipt) error {
	r.Complete = true // as far as anyone can read it from storage alone: a process that is gone honours nothing
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return w.tx.SaveReceipt(r.ID, string(raw))
}

// confirm completes a receipt: this node has forgotten what it cached.
func (r *Registry) confirm(org string, receipt counterfoil.Receipt, began counterfoil.Instant) counterfoil.Receipt {
	took := float64(r.Store.Now()-began) / float64(time.Millisecond/time.Microsecond)
	receipt.Complete, receipt.TookMS = true, took
	receipt.Nodes = []counterfoil.ReceiptNode{{ID: r.Node, ConfirmedInMS: &took}}
	r.receipts.mu.Lock()
	if r.receipts.open == nil {
		r.receipts.open = map[string]keptReceipt{}
	}
	r.receipts.open[receipt.ID] = keptReceipt{org, receipt}
	r.receipts.mu.Unlock()
	return receipt
}

// WriteReceipts writes the receipts that were completed since it last ran. The server calls it about once a second and
// before it stops.
func (r *Registry) WriteReceipts(ctx context.Context) error {
	r.receipts.mu.Lock()
	open := make(map[string]keptReceipt, len(r.receipts.open))
	for id, k := range r.receipts.open {
		open[id] = k
	}
	r.receipts.mu.Unlock()
	if len(open) == 0 {
		return nil
	}
	err := r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		for id, k := range open {
			raw, err := json.Marshal(k.Receipt)
			if err != nil {
				return err
			}
			if err := tx.In(k.org, func(tx *store.Tx) error { return tx.SaveReceipt(id, string(raw)) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.receipts.mu.Lock()
		for id := range open {
			delete(r.receipts.open, id)
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
		if mine, err := w.concerns(k.org); err != nil || !found || !mine {
			return errors.Join(err, errNotFound)
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
	return r.receipts.open[id]
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
	return k, true, json.Unmarshal([]byte(raw), &k.Receipt)
}
