package registry

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/counterfoil/counterfoil"
)

// Log reads the instance's whole log as it is stored, for the instance's own credentials.
func (r *Registry) Log(ctx context.Context, c Caller, cursor string, limit int) (page counterfoil.LogPage, err error) {
	err = r.view(ctx, c, "", OpReadLog, func(w *work) error {
		after, err := w.position(cursor, false)
		if err != nil {
			return err
		}
		entries, err := w.tx.Entries(after, limit+1)
		if err != nil {
			return err
		}
		page.More = len(entries) > limit
		page.Data = append([]counterfoil.LogEntry{}, entries[:min(len(entries), limit)]...)
		if n := len(page.Data); n > 0 {
			after = page.Data[n-1].Number
		}
		page.NextCursor = EventCursor(after, false)
		return nil
	})
	return page, err
}

// Checkpoint signs the number and hash of the log's last entry.
func (r *Registry) Checkpoint(ctx context.Context, c Caller) (out counterfoil.Checkpoint, err error) {
	err = r.view(ctx, c, "", OpReadLog, func(w *work) (err error) {
		out.Time, out.KeyID = w.tx.Now().Time(), int(r.Keys.Current())
		if out.Number, out.Hash, err = w.tx.LastEntry(); err != nil {
			return err
		}
		key, ok := r.Keys.SigningKey(r.Keys.Current())
		if !ok {
			return errors.New("there is no instance key to sign with")
		}
		out.PublicKey = key.Public().(ed25519.PublicKey)
		out.Signature = ed25519.Sign(key, out.Message())
		return nil
	})
	return out, err
}
