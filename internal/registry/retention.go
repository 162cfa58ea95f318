package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/usage"
)

// Retention answers for how long an organization's log is kept.
func (r *Registry) Retention(ctx context.Context, c Caller, org string) (out counterfoil.Retention, err error) {
	err = r.view(ctx, c, org, OpReadRetention, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		out, err = w.retention()
		return err
	})
	return out, err
}

func (w *work) retention() (out counterfoil.Retention, err error) {
	days, set, err := w.tx.Retention()
	if err != nil {
		return out, err
	}
	out.EffectiveDays = int64(w.r.KeepDays)
	if set {
		out.Days, out.EffectiveDays = &days, days
	}
	through, err := w.tx.RemovedThrough()
	if through > 0 {
		cursor := EventCursor(through, false)
		out.RemovedThrough = &cursor
	}
	return out, err
}

// PreviewRetention answers how many entries of an organization's log would be removed if it were kept for so many days (0:
// for ever; nil: as the instance does), and from before which time.
func (r *Registry) PreviewRetention(ctx context.Context, c Caller, org string, days *int64) (n int64, before time.Time, err error) {
	err = r.view(ctx, c, org, OpReadRetention, func(w *work) error {
		kept := int64(r.KeepDays)
		if days != nil {
			kept = *days
		}
		if w.rules == nil || kept <= 0 {
			return nil
		}
		end := keptSince(w.tx.Now(), kept)
		before = end.Time()
		n, err = w.tx.Removable(end)
		return err
	})
	return n, before, err
}

// keptSince is the first moment of what is kept for so many days: whole days, so that the log says once a day what went.
func keptSince(now counterfoil.Instant, days int64) counterfoil.Instant {
	const micros = secondsOfDay * 1_000_000
	return (now - now%micros).Plus(-days * secondsOfDay)
}

// SetRetention sets for how many days an organization's log is kept; nil: the instance's default. What a shorter one ends
// cannot be brought back, so that of people only owners may.
func (r *Registry) SetRetention(ctx context.Context, c Caller, org string, days *int64) (out counterfoil.Retention, err error) {
	_, err = r.do(ctx, c, org, OpWriteRetention, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		if !w.isOwner() {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only an owner decides for how long the log is kept.")
		}
		if days != nil && *days != 0 && *days < counterfoil.LeastRetentionDays {
			return counterfoil.Invalid([]counterfoil.Problem{invalid("/days", fmt.Sprintf("give at least %d days, or 0 to keep the log for ever", counterfoil.LeastRetentionDays))})
		}
		before, err := w.retention()
		if err != nil {
			return err
		}
		if days == nil {
			err = w.tx.UnsetRetention()
		} else {
			err = w.tx.SetRetention(*days)
		}
		if err != nil {
			return err
		}
		if out, err = w.retention(); err != nil {
			return err
		}
		if out.EffectiveDays != before.EffectiveDays || (out.Days == nil) != (before.Days == nil) {
			var diff changed
			diff.note("retention_days", before.EffectiveDays, out.EffectiveDays)
			w.record("organization", "retention_updated", organizationTarget(w.rules.Org.Organization), diff.metadata())
		}
		return nil
	})
	return out, err
}

// retaining is how far a round through the organizations' logs has come. One goroutine works on it.
type retaining struct {
	next  counterfoil.Instant // when the next round begins
	after string              // the organization that was looked at last; under: one is under way
	under bool
}

const (
	retainEvery    = 60 * 60 // seconds
	retainTogether = 20      // organizations a call
	retainPortions = 4       // of entries removed a call
	secondsOfDay   = 24 * 60 * 60
)

// Retain removes what organizations keep no longer from their logs, in portions. The server calls it about once a second.
func (r *Registry) Retain(ctx context.Context) error {
	at := &r.retaining
	now := r.Store.Now()
	if !at.under {
		if now < at.next {
			return nil
		}
		at.next, at.after, at.under = now.Plus(retainEvery), "", true
		if r.KeepDays > 0 { // the instance's own entries
			if _, err := r.retain(ctx, "", now, retainPortions); err != nil {
				return err
			}
		}
	}
	var orgs []string
	err := r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		orgs, err = tx.Retaining(r.KeepDays > 0, at.after, retainTogether)
		return err
	})
	if err != nil {
		return err
	}
	portions := retainPortions
	var failed error
	for _, org := range orgs {
		if portions, err = r.retain(ctx, org, now, portions); err != nil { // one that cannot be read holds nobody up
			failed = errors.Join(failed, fmt.Errorf("%s: %w", org, err))
			portions = retainPortions
		} else if portions == 0 {
			return failed
		}
		at.after = org
	}
	at.under = len(orgs) == retainTogether
	return failed
}

// retain removes up to so many portions of an organization's entries that are too old, and returns how many it has left; 0
// where there may be more to remove.
func (r *Registry) retain(ctx context.Context, org string, now counterfoil.Instant, portions int) (left int, err error) {
	for {
		for more := true; more; portions-- {
			if portions == 0 {
				return 0, nil
			}
			if more, err = r.Store.RemoveAnnounced(ctx, org); err != nil {
				return 0, err
			}
			if !more {
				break
			}
		}
		var n int64
		var before counterfoil.Instant
		err = r.Store.View(ctx, org, func(tx *store.Tx) error {
			days, set, err := tx.Retention()
			if err != nil {
				return err
			}
			if !set {
				days = int64(r.KeepDays)
			}
			if days > 0 {
				before = keptSince(now, days)
				n, err = tx.Removable(before)
			}
			return err
		})
		if err != nil || n == 0 {
			return portions, err
		}
		if err := r.reckonFirst(ctx, org); err != nil {
			return 0, err
		}
		err = r.Store.Update(ctx, org, store.ForTokens, func(tx *store.Tx) error { return tx.AnnounceRemoval(before) })
		if err != nil {
			return 0, err
		}
		if r.Exports != nil {
			r.Exports.Look(org) // what it did not deliver of that is counted as missing
		}
	}
}

// reckonFirst reckons an organization's usage up to today, also of one that no provider manages: one may later, and what is
// removed cannot be reckoned any more.
func (r *Registry) reckonFirst(ctx context.Context, org string) error {
	if org == "" {
		return nil
	}
	today := usage.Day(r.Store.Now())
	r.closing.mu.Lock()
	defer r.closing.mu.Unlock()
	if err := r.Store.Settled(ctx, usage.Start(today)); err != nil {
		return err
	}
	return r.closeThese(ctx, []string{org}, today)
}
