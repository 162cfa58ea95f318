package registry

import (
	"context"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// liveKeys is how many keys of a provider may be live, so that a rotation has no gap (M3).
const liveKeys = 2

// ProviderKeys lists a provider's keys, oldest first; revoked ones too.
func (r *Registry) ProviderKeys(ctx context.Context, c Caller, provider string) (list []counterfoil.ProviderKey, err error) {
	err = r.view(ctx, c, provider, OpListProviderKeys, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		keys, err := w.tx.ProviderKeys()
		list = make([]counterfoil.ProviderKey, 0, len(keys))
		for _, k := range keys {
			list = append(list, r.keyFace(k))
		}
		return err
	})
	return list, err
}

func (r *Registry) keyFace(k store.ProviderKey) counterfoil.ProviderKey {
	face := counterfoil.ProviderKey{ID: k.ID, KeyID: k.ID, Name: k.Name, Issuer: k.Provider, Audience: r.audience(), Algorithm: k.Algorithm,
		PublicKey: k.Public, CreatedAt: k.CreatedAt.Time(), CreatedBy: k.CreatedBy, RevokedAt: k.RevokedAt.Ptr()}
	if k.UsedAt != 0 {
		face.LastUsed = &counterfoil.LastUsed{At: k.UsedAt.Time(), IP: k.UsedIP}
	}
	if k.RevokedAt != 0 {
		face.RevokedBy = &k.RevokedBy
	}
	return face
}

// keyAnswer stands in place of a token where an Idempotency-Key made a private key.
const keyAnswer = "provider key"

// CreateProviderKey makes a key, or takes a public one of the caller's own. The private half of one that is made here is in
// the answer and nowhere else.
func (r *Registry) CreateProviderKey(ctx context.Context, c Caller, provider string, draft counterfoil.ProviderKeyDraft) (counterfoil.CreatedKey, error) {
	if err := r.view(ctx, c, provider, OpCreateProviderKey, (*work).requireProvider); err != nil {
		return counterfoil.CreatedKey{}, err
	}
	k, private, problems, err := newKey(draft) // an RSA key takes a while: not inside the transaction
	if err != nil {
		return counterfoil.CreatedKey{}, err
	}
	return create(r, ctx, c, provider, OpCreateProviderKey, func(w *work) (made counterfoil.CreatedKey, kept string, err error) {
		if err := w.requireProvider(); err != nil {
			return made, "", err
		}
		if err := counterfoil.Invalid(append(nameProblem("/name", draft.Name), problems...)); err != nil {
			return made, "", err
		}
		k.ID, k.Provider, k.CreatedAt, k.CreatedBy = store.NewID("key"), provider, w.tx.Now(), w.actorID()
		if err := w.roomForKey(k); err != nil {
			return made, "", err
		}
		if err := w.tx.InsertProviderKey(k); err != nil {
			return made, "", err
		}
		w.record("provider", "key_created", keyTarget(k), map[string]any{"algorithm": k.Algorithm, "own_public_key": private == ""})
		if private != "" {
			kept = keyAnswer
		}
		return counterfoil.CreatedKey{ProviderKey: r.keyFace(k), PrivateKey: private}, kept, nil
	})
}

// newKey makes the pair that a draft asks for, or reads the public key that it brings.
func newKey(draft counterfoil.ProviderKeyDraft) (k store.ProviderKey, private string, problems []counterfoil.Problem, err error) {
	k = store.ProviderKey{Name: draft.Name, Algorithm: draft.Algorithm}
	if draft.PublicKey != "" {
		problems = givenKey(&k, draft)
		return k, "", problems, nil
	}
	if k.Algorithm == "" {
		k.Algorithm = counterfoil.KeyAlgorithms[0]
	}
	if !slices.Contains(counterfoil.KeyAlgorithms, k.Algorithm) {
		return k, "", []counterfoil.Problem{invalid("/algorithm", "the algorithms are EdDSA, ES256 and RS256")}, nil
	}
	private, k.Public, err = secret.GenerateKeyPair(string(k.Algorithm))
	return k, private, nil, err
}

func keyTarget(k store.ProviderKey) counterfoil.Target {
	return counterfoil.Target{Kind: "provider_key", ID: k.ID, Name: k.Name}
}

func givenKey(k *store.ProviderKey, draft counterfoil.ProviderKeyDraft) []counterfoil.Problem {
	_, algorithm, canonical, err := secret.ParsePublicKey(draft.PublicKey)
	if err != nil {
		return []counterfoil.Problem{invalid("/public_key", err.Error())}
	}
	k.Algorithm, k.Public = counterfoil.KeyAlgorithm(algorithm), canonical
	if draft.Algorithm != "" && draft.Algorithm != k.Algorithm {
		return []counterfoil.Problem{invalid("/algorithm", "the public key is for "+algorithm)}
	}
	return nil
}

// roomForKey refuses a third live key, and one that is there already.
func (w *work) roomForKey(k store.ProviderKey) error {
	keys, err := w.tx.ProviderKeys()
	if err != nil {
		return err
	}
	live := 0
	for _, other := range keys {
		if other.RevokedAt == 0 {
			live++
		}
		if other.Public == k.Public {
			return counterfoil.Refuse(counterfoil.CodeNameTaken, "The provider has, or had, this very key. Make a new pair.")
		}
	}
	if live >= liveKeys {
		return counterfoil.Refuse(counterfoil.CodeInUse, "Two keys are live, the most there may be. Revoke the one that is no longer used.")
	}
	return nil
}

// RevokeProviderKey ends a key for good: the next JWT that it signed is refused. Nothing is remembered of keys, so no cache
// has to be told. Again: the same answer.
func (r *Registry) RevokeProviderKey(ctx context.Context, c Caller, provider, id string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, provider, OpRevokeProviderKey, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		k, found, err := w.tx.ProviderKeyByID(id)
		if err != nil {
			return err
		}
		if !found || k.Provider != provider {
			return errNotFound
		}
		if k.RevokedAt != 0 { // whoever was not answered then is answered now
			w.dead = append(w.dead, ledger.Entry{ProviderKey: k.ID, At: w.tx.Now().Time()})
			return nil
		}
		return w.revokeProviderKey(k, nil)
	})
}

func (w *work) revokeProviderKey(k store.ProviderKey, metadata map[string]any) error {
	switch done, err := w.tx.RevokeProviderKey(k.ID, w.actorID()); {
	case err != nil:
		return err
	case !done:
		return errNotFound
	}
	w.dead = append(w.dead, ledger.Entry{ProviderKey: k.ID, At: w.tx.Now().Time()})
	w.record("provider", "key_revoked", keyTarget(k), metadata)
	return nil
}
