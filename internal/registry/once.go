package registry

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// errOnceRace says that another request with the same Idempotency-Key was committed first.
var errOnceRace = counterfoil.Refuse(counterfoil.CodeUnavailable, "Another request with this Idempotency-Key is under way. Try again.")

// create runs an operation that creates. With an Idempotency-Key its repetition within 24 hours creates nothing more:
// it gets the first answer again, or, where that held a secret, already_created with the token's face.
//
// fn returns the answer and, when the answer holds a secret, the id of the token it belongs to.
func create[T any](r *Registry, ctx context.Context, c Caller, org string, op *Operation, fn func(w *work) (T, string, error)) (answer T, err error) {
	for range 2 {
		_, err = r.do(ctx, c, org, op, func(w *work) (err error) {
			if c.Once == nil {
				answer, _, err = fn(w)
				return err
			}
			earlier, found, err := w.tx.Answered(c.key(), c.Once.Key)
			if err != nil {
				return err
			}
			if found {
				return w.replay(earlier, &answer)
			}
			var token string
			if answer, token, err = fn(w); err != nil {
				return err
			}
			kept := store.Answer{Digest: c.Once.Digest, Token: token}
			if token == "" {
				raw, err := json.Marshal(answer)
				if err != nil {
					return err
				}
				kept.Body = string(raw)
			}
			if err := w.tx.KeepAnswer(c.key(), c.Once.Key, kept); errors.Is(err, store.ErrTaken) {
				return errOnceRace
			} else if err != nil {
				return err
			}
			return nil
		})
		if err != error(errOnceRace) { //nolint:errorlint // this very value: others of its code are failures
			break
		}
	}
	return answer, err
}

func (w *work) replay(earlier store.Answer, answer any) error {
	if earlier.Digest != w.caller.Once.Digest {
		return counterfoil.Invalid([]counterfoil.Problem{invalid("Idempotency-Key:", "this key was used for a different request; use a new one")})
	}
	if earlier.Token == "" {
		return json.Unmarshal([]byte(earlier.Body), answer)
	}
	refusal := counterfoil.Refuse(counterfoil.CodeAlreadyCreated, "This Idempotency-Key has created a token already. Its value was shown then and is not stored; rotate the token to get a new value.")
	if earlier.Token == webhookAnswer {
		return counterfoil.Refuse(counterfoil.CodeAlreadyCreated, "This Idempotency-Key has made a webhook already. Its secret was shown then and is not shown again; rotate it for another.")
	}
	if earlier.Token == consoleAnswer {
		return counterfoil.Refuse(counterfoil.CodeAlreadyCreated, "This Idempotency-Key has made an address already. It was shown then and is not stored; ask for another with a new key.")
	}
	if earlier.Token == keyAnswer {
		return counterfoil.Refuse(counterfoil.CodeAlreadyCreated, "This Idempotency-Key has created a key already. Its private half was shown then and is not stored; revoke that key and make another.")
	}
	t, found, err := w.tx.Token(earlier.Token)
	if err != nil {
		return err
	}
	if found {
		face, err := w.face(t)
		if err != nil {
			return err
		}
		refusal.Token = &face
	}
	return refusal
}
