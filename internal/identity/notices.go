package identity

import (
	"context"

	"github.com/counterfoil/counterfoil/internal/store"
)

// SetNewPlaceMail says whether the person of a fresh session wants mails about the first use of a token from a new place, in
// any organization. The log and webhooks tell of it either way.
func (i *Identity) SetNewPlaceMail(ctx context.Context, s Session, wanted bool, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		if changed, err := tx.SetMuted(user.ID, store.LetterPlace, !wanted); err != nil || !changed {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "notices", action: "notices_updated", proven: true,
			metadata: map[string]any{"before": map[string]any{"new_place": !wanted}, "after": map[string]any{"new_place": wanted}}})
	})
}
