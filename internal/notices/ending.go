package notices

import (
	"context"
	"encoding/json"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

const (
	roundEvery = 60 * 60 // seconds
	roundSpan  = 2000    // tokens looked at a second
	lateFor    = 3 * day // an end that nobody was told of for so long is told to nobody any more
	claimsKept = 30 * day
)

// steps are how many days before a token's end its people are told, the nearest first; 0, the end itself, goes before.
var steps = [...]int64{1, 7, 14}

// due says which notice of a token's end is due, in days before it. Days are whole ones of UTC, so that what falls on the
// same day is told in one mail. A token that had no day to live before a step is not told of: whoever made it knows.
func due(ends, renewed, now counterfoil.Instant) (days int64, ok bool) {
	switch {
	case ends == 0:
		return 0, false
	case ends <= now:
		return 0, ends > now.Plus(-lateFor) && ends > renewed.Plus(day)
	}
	const micros = day * 1_000_000
	tomorrow := now - now%micros + micros
	for _, days := range steps {
		if at := ends.Plus(-days * day); at < tomorrow {
			return days, at >= renewed.Plus(day)
		}
	}
	return 0, false
}

// look goes on with a round through all tokens, or begins one when it is time.
func (n *Notices) look(ctx context.Context) error {
	now := n.Store.Now()
	if n.after == "" && now < n.next {
		return nil
	}
	if n.after == "" {
		n.next = now
	}
	var found []store.Token
	var last string
	err := n.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		found, last, err = tx.Ending(n.after, roundSpan, now.Plus(-lateFor), now.Plus((steps[len(steps)-1]+1)*day))
		if err != nil {
			return err
		}
		var untold []store.Token
		for _, t := range found {
			err := tx.In(t.Organization, func(tx *store.Tx) error {
				ends, days, ok, err := n.dueOf(tx, &t)
				if err != nil || !ok {
					return err
				}
				told, err := tx.Noticed(t.ID, ends, days)
				if !told {
					untold = append(untold, t)
				}
				return err
			})
			if err != nil { // one that cannot be read keeps nobody else from being told; the next round tries it again
				n.Logger.Warn("finding when a token ends; it is tried again", "token", t.ID, "error", err)
			}
		}
		found = untold
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range found {
		if err := n.tell(ctx, t); err != nil {
			n.Logger.Warn("telling of a token that ends; it is tried again", "token", t.ID, "error", err)
		}
	}
	if len(found) > 0 {
		n.Logger.Debug("told of tokens that end", "tokens", len(found))
	}
	if n.after = last; last == "" {
		n.next = n.next.Plus(roundEvery)
		return n.forget(ctx, now)
	}
	return nil
}

func (n *Notices) forget(ctx context.Context, now counterfoil.Instant) error {
	if now < n.done {
		return nil
	}
	n.done = now.Plus(day)
	return n.Store.PruneNotices(ctx, now.Plus(-claimsKept))
}

// dueOf is due of a stored token by its organization's rules.
func (n *Notices) dueOf(tx *store.Tx, t *store.Token) (ends counterfoil.Instant, days int64, ok bool, err error) {
	compiled, err := n.Rules.Within(tx)
	if err != nil || compiled == nil || t.RevokedAt != 0 || tx.Organization() != "" && !compiled.OrganizationActive {
		return 0, 0, false, err
	}
	record := rules.Record(t)
	ends = judge.EffectiveExpiry(&record, &compiled.Rules)
	days, ok = due(ends, t.RenewedAt, tx.Now())
	return ends, days, ok, nil
}

// ending is the data of a letter about a token's end.
type ending struct {
	Ends counterfoil.Instant `json:"ends"`
}

// tell claims the notice that is due of a token, by what holds now, and writes the event and the letters with it.
func (n *Notices) tell(ctx context.Context, t store.Token) error {
	return n.Store.Update(ctx, t.Organization, store.ForTokens, func(tx *store.Tx) error {
		t, found, err := tx.Token(t.ID)
		if err != nil || !found {
			return err
		}
		ends, days, ok, err := n.dueOf(tx, &t)
		if err != nil || !ok {
			return err
		}
		if ok, err = tx.ClaimNotice(t.ID, ends, days); err != nil || !ok {
			return err
		}
		if days > 0 { // that it has expired is an event of its own
			record(tx, &t, "token_expiring", "expiry", map[string]any{"days": days, "expires_at": ends.Ptr()})
		}
		data, err := json.Marshal(ending{ends})
		if err != nil {
			return err
		}
		return n.write(tx, &t, store.Letter{Kind: letterEnding, Data: string(data), DueAt: tx.Now().Plus(gather)})
	})
}

// record adds an event about a token that nobody asked for.
func record(tx *store.Tx, t *store.Token, action, initiator string, metadata map[string]any) {
	metadata["token"] = map[string]any{"id": t.ID, "name": t.Name, "hint": t.Hint}
	raw, _ := json.Marshal(metadata) // texts, numbers and times
	tx.Append(counterfoil.Event{Type: "tokens", Action: action, Actor: counterfoil.Actor{Kind: "system"}, Initiator: initiator,
		Target: counterfoil.Target{Kind: "token", ID: t.ID, Name: t.Name}, Metadata: raw})
}
