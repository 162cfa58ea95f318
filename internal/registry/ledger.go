package registry

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ended notes for the ledger that a token is revoked; given a value's digest, that this one took the place of another.
func (w *work) ended(t *store.Token, rotated bool) {
	e := ledger.Entry{Token: t.ID, At: w.tx.Now().Time()}
	if rotated {
		e.KeyID, e.Digest, e.Version = t.KeyID, t.Digest[:], t.Version+1
	}
	w.dead = append(w.dead, e)
}

// keepDead writes what a committed change ended beside the database. When the file cannot be written, the change holds
// all the same; only a restored backup would not know of it.
func (r *Registry) keepDead(dead []ledger.Entry) {
	if r.Ledger == nil {
		return
	}
	if err := r.Ledger.Append(dead...); err != nil {
		r.Logger.Error("a revocation is in the database alone; it is written to the ledger with the next one", "error", err)
	}
}

// inStep is after how many entries in a row that the database knows the rest is taken as known too. Entries of changes that
// ran side by side may be out of order, by less than this.
const inStep = 1000

var errAsKept = errors.New("as the ledger says")

// Replay ends again what the ledger says has ended and the database, restored from a backup, does not know. It is called
// before anybody is served, and returns how many tokens, keys and organizations it ended.
func (r *Registry) Replay(ctx context.Context) (ended int, err error) {
	known, seen := 0, map[string]int64{} // seen: the latest version of each
	err = r.Ledger.Backward(func(e ledger.Entry) (bool, error) {
		// Of each the newest entry counts, and one before it that came later all the same: changes that run side by side write their
		// entries in any order. Nothing comes after the end of the whole.
		version := e.Version
		if e.Digest == nil {
			version = math.MaxInt64
		}
		name := e.Token + e.ProviderKey + e.Organization
		if last, again := seen[name]; !again || last < version {
			seen[name] = version
			end := r.endToken
			switch {
			case e.ProviderKey != "":
				end = r.endProviderKey
			case e.Organization != "":
				end = r.endOrganization
			}
			switch err := end(ctx, e); {
			case errors.Is(err, errAsKept):
				known++
			case err != nil:
				return false, fmt.Errorf("replaying what the ledger says of %s: %w", name, err)
			default:
				known, ended = 0, ended+1
			}
		}
		return known < inStep, nil
	})
	return ended, err
}

const restored = "revoked before the database was restored from a backup"

// endToken makes a token what the ledger says. One that the database does not have at all is as dead as can be.
func (r *Registry) endToken(ctx context.Context, e ledger.Entry) error {
	t, found, err := r.Store.LookUp(ctx, e.Token)
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
	_, err = r.do(ctx, Operator(), t.Organization, op, func(w *work) error {
		t, found, err := w.tx.TokenForUpdate(e.Token)
		if err != nil || !found || r.asKept(&t, e) {
			return errors.Join(err, errAsKept)
		}
		if e.Digest != nil && sameValue(&t, e) {
			return errors.Join(w.endPrevious(&t, map[string]any{"reason": "ended before the database was restored from a backup"}), w.tx.RaiseVersion(t.ID, e.Version))
		}
		if e.Digest != nil {
			t.Previous, t.PreviousKeyID, t.PreviousUntil = t.Digest, t.KeyID, 1
			t.KeyID, t.Digest = e.KeyID, secret.Digest(e.Digest)
			// With the version that it had: another node's ledger may know of what came before.
			if err := errors.Join(w.tx.UpdateToken(t), w.tx.RaiseVersion(t.ID, e.Version)); err != nil {
				return err
			}
			w.recordToken(t, "token_rotated", map[string]any{"grace_seconds": 0, "reason": "rotated before the database was restored from a backup"})
			return nil
		}
		t.RevokedAt, t.RevokedBy, t.RevokedReason = counterfoil.At(e.At), "operator", restored
		t.Receipt = store.NewID("rcp")
		w.receiptID = t.Receipt
		if err := w.tx.UpdateToken(t); err != nil {
			return err
		}
		w.recordToken(t, "token_revoked", map[string]any{"reason": restored})
		return nil
	})
	return err
}

// asKept reports whether a token is as an entry says: revoked; or with the value that took the place, or at a version that
// came later, since the entries of two rotations may have changed places. An entry that is later than the token and has its
// value says that the value before has ended.
func (r *Registry) asKept(t *store.Token, e ledger.Entry) bool {
	if t.RevokedAt != 0 || e.Digest == nil {
		return t.RevokedAt != 0
	}
	return t.Version >= e.Version || len(e.Digest) != len(t.Digest) || sameValue(t, e) && t.PreviousUntil <= r.Now()
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
	_, err = r.do(ctx, Operator(), k.Provider, OpRevokeProviderKey, func(w *work) error { return w.revokeProviderKey(k, map[string]any{"reason": restored}) })
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
	_, err = r.do(ctx, Operator(), e.Organization, OpDeleteOrganization, (*work).deleteOrganization) // also of a provider whose organizations are back
	if errors.Is(err, errNotFound) {
		return errAsKept
	}
	return err
}
