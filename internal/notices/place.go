package notices

import (
	"context"
	"encoding/json"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

const placesTogether = 100

// elsewhere is the data of a letter about a new place.
type elsewhere struct {
	IP    string              `json:"ip"`
	Place string              `json:"place"`
	At    counterfoil.Instant `json:"at"`
}

// places tells of the first uses from places where a token was not at home.
func (n *Notices) places(ctx context.Context) error {
	var list []store.NewPlace
	err := n.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		list, err = tx.NewPlaces(placesTogether)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range list {
		err := n.Store.Update(ctx, p.Organization, store.ForTokens, func(tx *store.Tx) error { return n.tellPlace(tx, p) })
		if err != nil {
			n.Logger.Warn("telling of a new place; it is tried again", "token", p.Token, "error", err)
		}
	}
	return nil
}

func (n *Notices) tellPlace(tx *store.Tx, p store.NewPlace) error {
	ok, err := tx.ClaimPlace(p.Token, p.Place)
	if err != nil || !ok {
		return err
	}
	t, found, err := tx.Token(p.Token)
	if err != nil || !found {
		return err
	}
	record(tx, &t, "token_new_place", "use", map[string]any{"ip_address": p.IP, "place": p.Place, "first_used_at": p.At.Ptr()})
	data, err := json.Marshal(elsewhere{p.IP, p.Place, p.At})
	if err != nil {
		return err
	}
	return n.write(tx, &t, store.Letter{Kind: store.LetterPlace, Data: string(data), DueAt: tx.Now().Plus(gather)})
}
