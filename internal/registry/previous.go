package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// PreviousValue tells from where the value before a token's last rotation is still used, while its grace lasts.
func (r *Registry) PreviousValue(ctx context.Context, c Caller, org, id string) (p counterfoil.PreviousValue, err error) {
	op := OpReadToken
	if org == "" {
		op = OpReadSystemToken
	}
	_ = r.writeNotedUses() // what cannot be written now is told a little later
	err = r.view(ctx, c, org, op, func(w *work) error {
		t, found, err := w.tx.Token(id)
		if err != nil {
			return err
		}
		if !found || !w.maySee(t) {
			return errNotFound
		}
		p, err = w.previousValue(&t)
		return err
	})
	return p, err
}

// writeNotedUses has what was noted of uses written, before they are read.
func (r *Registry) writeNotedUses() error {
	if r.NotedUses == nil {
		return nil
	}
	return r.NotedUses()
}

func (w *work) previousValue(t *store.Token) (p counterfoil.PreviousValue, err error) {
	p.Uses = []counterfoil.PreviousUse{}
	if t.RevokedAt != 0 || t.PreviousUntil <= w.tx.Now() {
		return p, nil
	}
	p.ValidUntil = t.PreviousUntil.Ptr()
	since, uses, err := w.tx.PreviousUses(t.ID, t.PreviousUntil)
	p.WatchedSince = since.Ptr()
	for _, u := range uses {
		p.Uses = append(p.Uses, counterfoil.PreviousUse{IP: u.IP, FirstAt: u.FirstAt.Time(), LastAt: u.LastAt.Time(), Count: u.Count})
	}
	if len(p.Uses) > 0 {
		p.LastUsed = &counterfoil.LastUsed{At: p.Uses[0].LastAt, IP: p.Uses[0].IP}
	}
	return p, err
}

// EndPreviousValue ends the grace of the value before a token's last rotation: the rotation is finished. With quiet it refuses
// where that value was used within so many seconds. Where there is none, nothing changes.
func (r *Registry) EndPreviousValue(ctx context.Context, c Caller, org, id string, quiet int64) (ended counterfoil.Finished, err error) {
	op := OpEndPrevious
	if org == "" {
		op = OpEndSystemPrevious
	}
	c.itself = id == c.TokenID
	if err := r.writeNotedUses(); err != nil && quiet > 0 {
		return ended, err // what is not written yet may be its last use
	}
	receipt, err := r.do(ctx, c, org, op, func(w *work) error {
		t, owner, err := w.tokenToChange(id)
		if err != nil {
			return err
		}
		if t.RevokedAt != 0 {
			return errRevoked
		}
		if quiet < 0 || quiet > MaxGrace {
			return counterfoil.Invalid([]counterfoil.Problem{invalid("/quiet_seconds", "it was quiet for 0 to 604800 seconds (7 days)")})
		}
		p, err := w.previousValue(&t)
		if err != nil {
			return err
		}
		if p.ValidUntil != nil {
			if err := w.quietFor(&p, quiet); err != nil {
				return err
			}
			w.settle(&t)
			if err := w.endPrevious(&t, nil); err != nil {
				return err
			}
			w.ended(&t, true)
		} else if t.RotatedAt != 0 {
			w.ended(&t, true) // whoever was not answered then is answered now
		}
		use, err := w.tx.LastUse(t.ID)
		ended.Token = w.faceOf(store.ListedToken{Token: t, LastUsedAt: use.At, LastUsedIP: use.IP}, owner)
		return err
	})
	if err != nil {
		return counterfoil.Finished{}, err
	}
	if receipt.ID != "" {
		ended.Receipt = &receipt
	}
	return ended, nil
}

// quietFor refuses where a previous value was used within so many seconds, or was not watched for as long.
func (w *work) quietFor(p *counterfoil.PreviousValue, seconds int64) error {
	if seconds == 0 {
		return nil
	}
	busy := func(why string) error {
		return counterfoil.Refuse(counterfoil.CodeInUse, fmt.Sprintf("%s. It stays good until %s.", why, p.ValidUntil.UTC().Format(time.RFC3339)))
	}
	if p.WatchedSince == nil {
		return busy("Whether the value before the last rotation is still used is not known: an earlier version rotated the token")
	}
	late := func(at time.Time) bool { return counterfoil.At(at) > w.tx.Now().Plus(-seconds) }
	ago := func(at time.Time) time.Duration { return w.tx.Now().Time().Sub(at).Round(time.Second) }
	switch {
	case p.LastUsed != nil && late(p.LastUsed.At):
		from := ""
		if p.LastUsed.IP != "" {
			from = " from " + p.LastUsed.IP
		}
		return busy(fmt.Sprintf("The value before the last rotation was used %s ago%s", ago(p.LastUsed.At), from))
	case late(*p.WatchedSince):
		return busy(fmt.Sprintf("The rotation was only %s ago: that the value before it is not used any more is not known yet", ago(*p.WatchedSince)))
	}
	return nil
}

// previousUntil is what an event of the end of a grace says to have changed.
const previousUntil = "previous_valid_until"

// endPrevious ends the value before a token's last rotation, and says so in the log. metadata may be nil.
func (w *work) endPrevious(t *store.Token, metadata map[string]any) error {
	var diff changed
	diff.note(previousUntil, t.PreviousUntil.Ptr(), nil)
	t.PreviousUntil = 1 // past by every transaction's clock, also one that began before this one ends
	if err := w.tx.UpdateToken(*t); err != nil {
		return err
	}
	all := diff.metadata()
	for name, value := range metadata {
		all[name] = value
	}
	w.recordToken(*t, "token_updated", all)
	return nil
}
