package registry

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	// expiredSetting is up to where expiries were noted: a time and, of those who share it, a token's id.
	expiredSetting  = "expired_noted"
	expiredTogether = 200 // tokens a transaction
	expiredRound    = 20  // transactions a call
)

// NoteExpired writes an event for each token that has expired since it last ran, once for each expiry. It decides
// nothing: a token is refused from the moment on, whether that was noted or not. The server calls it about once a second.
func (r *Registry) NoteExpired(ctx context.Context) error {
	for range expiredRound {
		var n int
		until := r.Store.SettledUntil()
		var due bool
		err := r.Store.View(ctx, "", func(tx *store.Tx) error { // a write only where there is something to write
			at, id, known, err := expiredNoted(tx.Setting(expiredSetting))
			if err != nil || !known {
				due = !known
				return err
			}
			list, err := tx.Expired(at, id, until, 1)
			due = len(list) > 0
			return err
		})
		if err != nil || !due {
			return err
		}
		err = r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
			n, err = noteExpired(tx, until)
			return err
		})
		if err != nil || n < expiredTogether {
			return err
		}
	}
	return nil
}

func expiredNoted(text string, known bool, err error) (at counterfoil.Instant, id string, _ bool, _ error) {
	if err == nil && known {
		if n, _ := fmt.Sscan(text, &at, &id); n == 0 {
			err = fmt.Errorf("the setting %s is damaged: %q", expiredSetting, text)
		}
	}
	return at, id, known, err
}

func noteExpired(tx *store.Tx, until counterfoil.Instant) (n int, err error) {
	at, id, known, err := expiredNoted(tx.LockSetting(expiredSetting)) // every node does this: one at a time
	if err != nil {
		return 0, err
	}
	if !known { // from now on
		return 0, tx.SetSetting(expiredSetting, fmt.Sprint(int64(until)))
	}
	list, err := tx.Expired(at, id, until, expiredTogether)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	for _, t := range list {
		if err := tx.In(t.Organization, func(tx *store.Tx) error { return appendExpired(tx, t) }); err != nil {
			return 0, err
		}
		at, id = t.ExpiresAt, t.ID
	}
	return len(list), tx.SetSetting(expiredSetting, fmt.Sprint(int64(at), " ", id))
}

func appendExpired(tx *store.Tx, t store.Token) error {
	metadata, err := json.Marshal(map[string]any{"token": map[string]any{"id": t.ID, "name": t.Name, "hint": t.Hint}, "expires_at": t.ExpiresAt.Ptr()})
	if err != nil {
		return err
	}
	tx.Append(counterfoil.Event{Type: "tokens", Action: "token_expired", Actor: counterfoil.Actor{Kind: "system"}, Initiator: "expiry",
		Target: counterfoil.Target{Kind: "token", ID: t.ID, Name: t.Name}, Metadata: metadata})
	return nil
}
