package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ended notes for the ledger that a token is revoked; rotated: that its value took the place of another.
func (w *work) ended(t *store.Token, rotated bool) {
	e := ledger.Entry{Token: t.ID, At: w.tx.Now().Time()}
	if rotated {
		e.KeyID, e.Digest, e.RotatedAt, e.Version = t.KeyID, t.Digest[:], int64(t.RotatedAt), t.Version+1
	}
	w.dead = append(w.dead, e)
}

// turn has t know that its value changes now: later than it last did, whatever the clocks say.
func (w *work) turn(t *store.Token) { t.RotatedAt = max(w.tx.Now(), t.RotatedAt+1) }

// settle has t know that the value before its own ends. That is no change of its own, which stays older than one that came after it:
// this database may be a backup that knows nothing of that. One that an earlier version rotated has no time to go by.
func (w *work) settle(t *store.Token) {
	if t.RotatedAt == 0 {
		w.turn(t)
		return
	}
	t.RotatedAt++
}

// keepDead writes what a committed change ended beside the database. When the file cannot be written, the change holds
// all the same; only a restored backup would not know of it.
func (r *Registry) keepDead(dead []ledger.Entry) {
	if r.Ledger == nil {
		return
	}
	if err := r.Ledger.Append(dead...); err != nil {
		r.Logger.Error("a revocation is in the database alone; it is written to the ledger with the next one, within an hour, or at the stop", "error", err)
	}
}

var errAsKept = errors.New("as the ledger says")

// Replay ends again what the ledger says has ended and the database, restored from a backup, does not know. It returns how many
// tokens, keys and organizations it ended. It is called before anybody is served.
//
// The database keeps up to where this was done (see KeepLedger); what lies behind is looked at, all of it. Of each, the entry counts
// that came last, whatever their order in the file: changes that run side by side write them in any. Nothing comes after the end of
// the whole.
func (r *Registry) Replay(ctx context.Context) (ended int, err error) {
	now, known, err := r.readLedger(ctx)
	if err == nil && now.Ledger != "" {
		ended, _, err = r.replay(ctx, known.Mark)
	}
	return ended, err
}

// lasts is the last entry of each. Of what has ended for good no more is kept than that it has, since a ledger may tell of many.
type lasts map[string]*ledger.Entry

var forGood ledger.Entry

func (l lasts) put(name string, e ledger.Entry) {
	l[name] = &forGood
	if e.Digest != nil {
		l[name] = &e
	}
}

// replay returns the last entry of each as well.
func (r *Registry) replay(ctx context.Context, known ledger.Mark) (ended int, seen lasts, err error) {
	seen = lasts{}
	err = r.Ledger.Backward(known, func(e ledger.Entry) error {
		name := e.Token + e.ProviderKey + e.Organization
		if last, again := seen[name]; again && !after(e, *last) {
			return nil
		}
		seen.put(name, e)
		endIt := r.endToken
		switch {
		case e.ProviderKey != "":
			endIt = r.endProviderKey
		case e.Organization != "":
			endIt = r.endOrganization
		}
		switch err := endIt(ctx, e); {
		case err == errAsKept:
		case err != nil:
			return fmt.Errorf("replaying what the ledger says of %s: %w", name, err)
		default:
			ended++
		}
		return nil
	})
	return ended, seen, err
}

// after reports whether e is of a later change of the same than last.
func after(e, last ledger.Entry) bool {
	switch {
	case last.Digest == nil:
		return false
	case e.Digest == nil:
		return true
	case e.RotatedAt == 0 && last.RotatedAt == 0:
		return e.Version > last.Version
	}
	return turned(e) > turned(last)
}

func turned(e ledger.Entry) counterfoil.Instant {
	return cmp.Or(counterfoil.Instant(e.RotatedAt), counterfoil.At(e.At))
}

// endAgain is do for what a replay ends: errAsKept when fn finds nothing to end, and never for another reason.
func (r *Registry) endAgain(ctx context.Context, org string, op *Operation, fn func(w *work) (kept bool, err error)) error {
	asKept := false
	_, err := r.do(ctx, Operator(), org, op, func(w *work) (err error) {
		asKept, err = fn(w)
		return err
	})
	if err == nil && asKept {
		return errAsKept
	}
	return err
}

const restored = "revoked before the database was restored from a backup"

// endToken makes a token what the ledger says. One that the database does not have at all is as dead as can be, and so is one that
// nobody can read: it keeps no server from starting.
func (r *Registry) endToken(ctx context.Context, e ledger.Entry) error {
	t, found, err := r.Store.LookUp(ctx, e.Token)
	if errors.Is(err, store.ErrDamaged) {
		r.Logger.Warn("a token that has ended by the ledger of revocations cannot be read, and opens nothing", "error", err)
		return errAsKept
	}
	if err != nil {
		return err
	}
	if !found || r.asKept(&t, e) {
		return errAsKept
	}
	op := OpRevokeToken
	if t.Organization == "" {
		op = OpRevokeSystemToken
	}
	return keptIfGone(r.endAgain(ctx, t.Organization, op, func(w *work) (kept bool, err error) {
		t, found, err := w.tx.TokenForUpdate(e.Token)
		if err != nil {
			return false, err
		}
		if !found || r.asKept(&t, e) {
			return true, nil
		}
		if e.Digest != nil {
			t.RotatedAt = max(t.RotatedAt, turned(e))
			if sameValue(&t, e) {
				return false, w.endPrevious(&t, map[string]any{"reason": "ended before the database was restored from a backup"})
			}
			t.Previous, t.PreviousKeyID, t.PreviousUntil = t.Digest, t.KeyID, 1
			t.KeyID, t.Digest = e.KeyID, secret.Digest(e.Digest)
			if err := w.tx.UpdateToken(t); err != nil {
				return false, err
			}
			w.recordToken(t, "token_rotated", map[string]any{"grace_seconds": 0, "reason": "rotated before the database was restored from a backup"})
			return false, nil
		}
		t.RevokedAt, t.RevokedBy, t.RevokedReason = counterfoil.At(e.At), "operator", restored
		t.Receipt = store.NewID("rcp")
		w.receiptID = t.Receipt
		if err := w.tx.UpdateToken(t); err != nil {
			return false, err
		}
		w.recordToken(t, "token_revoked", map[string]any{"reason": restored})
		return false, nil
	}))
}

// asKept reports whether a token is as an entry says: revoked; or with the value that took the place and none beside it, or
// changed at the same time or later. Entries without a time are of an earlier version, which had the token's version alone.
func (r *Registry) asKept(t *store.Token, e ledger.Entry) bool {
	if t.RevokedAt != 0 || e.Digest == nil {
		return t.RevokedAt != 0
	}
	return t.RotatedAt >= turned(e) || e.RotatedAt == 0 && t.Version >= e.Version ||
		len(e.Digest) != len(t.Digest) || sameValue(t, e) && t.PreviousUntil <= r.Now()
}

func sameValue(t *store.Token, e ledger.Entry) bool {
	return t.KeyID == e.KeyID && t.Digest.Equal(secret.Digest(e.Digest))
}

func (r *Registry) endProviderKey(ctx context.Context, e ledger.Entry) error {
	var k store.ProviderKey
	var found bool
	err := r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		k, found, err = tx.ProviderKeyByID(e.ProviderKey)
		return err
	})
	if err != nil {
		return err
	}
	if !found || k.RevokedAt != 0 {
		return errAsKept
	}
	err = r.endAgain(ctx, k.Provider, OpRevokeProviderKey, func(w *work) (bool, error) {
		return false, w.revokeProviderKey(k, map[string]any{"reason": restored})
	})
	return keptIfGone(err)
}

// keptIfGone: what is not there has ended, and what belongs to an organization that is not.
func keptIfGone(err error) error {
	if errors.Is(err, errNotFound) {
		return errAsKept
	}
	return err
}

func (r *Registry) endOrganization(ctx context.Context, e ledger.Entry) error {
	_, found, err := r.Store.ResolveOrganization(ctx, e.Organization)
	if err != nil {
		return err
	}
	if !found {
		return errAsKept
	}
	return keptIfGone(r.endAgain(ctx, e.Organization, OpDeleteOrganization, func(w *work) (bool, error) {
		return false, w.deleteOrganization() // also of a provider whose organizations are back
	}))
}
