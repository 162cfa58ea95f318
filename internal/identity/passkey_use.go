package identity

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// BeginPasskeySignIn asks for any passkey of this instance, with the person verified: it is the only factor.
func (i *Identity) BeginPasskeySignIn(ctx context.Context, at Place) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	if err := i.throttle.take(addressLimit("passkey", at.IP, 60, time.Second)); err != nil {
		return c, err
	}
	options, data, err := i.party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return c, err
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
		c, err = i.open(tx, forSignIn, "", options.Response, data)
		return err
	})
	return c, err
}

// FinishPasskeySignIn signs in whoever's passkey answered.
func (i *Identity) FinishPasskeySignIn(ctx context.Context, ticket string, response []byte, at Place) (out Outcome, err error) {
	err = i.withPasskey(ctx, response, func(tx *store.Tx, answer *protocol.ParsedCredentialAssertionData) error {
		out = Outcome{}
		_, data, err := i.close(tx, forSignIn, ticket)
		if err != nil {
			return err
		}
		var h *holder
		var broken error
		found := func(_, handle []byte) (webauthn.User, error) {
			user, known, err := tx.User(string(handle))
			if err == nil && known {
				h, err = holderOf(tx, user)
			}
			if broken = err; err != nil || !known {
				return nil, errPasskey
			}
			return h, nil
		}
		credential, err := i.party.ValidateDiscoverableLogin(found, data, answer)
		if broken != nil {
			return broken
		}
		var user store.User
		if h != nil {
			user = h.user
		}
		if err != nil {
			return i.noPasskey(tx, user, "", MethodPasskey, at)
		}
		if err := i.usePasskey(tx, h, credential, "", MethodPasskey, at); err != nil {
			return err
		}
		out.Value, err = i.begin(tx, user, MethodPasskey, "", "", at)
		return err
	})
	return out, err
}

// BeginPasskeySecond asks for a passkey of the person whose sign-in is half done.
func (i *Identity) BeginPasskeySecond(ctx context.Context, signIn string) (c Ceremony, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		t, err := i.halfDone(tx, signIn)
		if err != nil {
			return err
		}
		c, err = i.askFor(tx, t.User, forSecond)
		return err
	})
	return c, err
}

// halfDone finds a sign-in that is half done.
func (i *Identity) halfDone(tx *store.Tx, value string) (store.Ticket, error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return store.Ticket{}, errHalfDone
	}
	t, found, err := tx.Ticket(store.TicketSignIn, digest)
	if err == nil && !found {
		err = errHalfDone
	}
	return t, err
}

// askFor asks for a passkey of one person.
func (i *Identity) askFor(tx *store.Tx, id, purpose string) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	user, _, err := tx.User(id)
	if err != nil {
		return c, err
	}
	h, err := holderOf(tx, user)
	if err != nil {
		return c, err
	}
	if len(h.list) == 0 {
		return c, errNotFound
	}
	options, data, err := i.party.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return c, err
	}
	return i.open(tx, purpose, id, options.Response, data)
}

// FinishPasskeySecond finishes a sign-in with a passkey.
func (i *Identity) FinishPasskeySecond(ctx context.Context, signIn, ticket string, response []byte, at Place) (Outcome, error) {
	answer, err := i.parse(response)
	if err != nil {
		return Outcome{}, err
	}
	return i.second(ctx, signIn, FactorPasskey, at, func(tx *store.Tx, user store.User) (bool, error) {
		return i.provePasskey(tx, user, forSecond, ticket, answer)
	})
}

// BeginPasskeyConfirmation asks the person of a session for a passkey, to confirm that it is still them.
func (i *Identity) BeginPasskeyConfirmation(ctx context.Context, s Session) (c Ceremony, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		if _, err := i.own(tx, s, false); err != nil {
			return err
		}
		c, err = i.askFor(tx, s.UserID, forConfirmation)
		return err
	})
	return c, err
}

// FinishPasskeyConfirmation notes that the person of a session has just proved who they are.
func (i *Identity) FinishPasskeyConfirmation(ctx context.Context, s Session, ticket string, response []byte, at Place) error {
	answer, err := i.parse(response)
	if err != nil {
		return err
	}
	if err := i.throttle.take(codeGuesses(s.UserID)); err != nil {
		return err
	}
	err = i.confirm(ctx, s, FactorPasskey, at, func(tx *store.Tx, user store.User) (bool, error) {
		return i.provePasskey(tx, user, forConfirmation, ticket, answer)
	})
	if err == nil {
		i.throttle.giveBack(codeGuesses(s.UserID))
	}
	return err
}

// provePasskey checks the answer of one person's passkey, in a transaction that goes on when it is none.
func (i *Identity) provePasskey(tx *store.Tx, user store.User, purpose, ticket string, answer *protocol.ParsedCredentialAssertionData) (bool, error) {
	t, data, err := i.close(tx, purpose, ticket)
	if err != nil || t.User != user.ID {
		if err == nil {
			err = errCeremony
		}
		return false, err
	}
	h, err := holderOf(tx, user)
	if err != nil {
		return false, err
	}
	credential, err := i.party.ValidateLogin(h, data, answer)
	if err != nil || i.cloned(h, credential) {
		return false, nil //nolint:nilerr // it proves nothing, whatever is wrong with it
	}
	return true, keepUse(tx, h, credential)
}

// cloned reports whether a passkey counts less than it did: there are two of it.
func (i *Identity) cloned(h *holder, c *webauthn.Credential) bool {
	if c.Authenticator.CloneWarning {
		i.Logger.Warn("a passkey was refused: its counter went back, so there may be a copy of it", "user", h.user.ID)
	}
	return c.Authenticator.CloneWarning
}

// usePasskey notes the use of a passkey, or refuses one that was copied.
func (i *Identity) usePasskey(tx *store.Tx, h *holder, c *webauthn.Credential, organization, method string, at Place) error {
	if i.cloned(h, c) {
		return i.noPasskey(tx, h.user, organization, method, at)
	}
	return keepUse(tx, h, c)
}

func keepUse(tx *store.Tx, h *holder, c *webauthn.Credential) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for n, k := range h.list {
		if string(k.ID) == string(c.ID) {
			return tx.UsePasskey(h.keys[n].ID, string(raw))
		}
	}
	return errPasskey
}

// noPasskey records the failure, if it is somebody's, and is a refusal that lets the transaction stand.
func (i *Identity) noPasskey(tx *store.Tx, user store.User, organization, method string, at Place) error {
	if user.ID != "" {
		err := i.record(tx, at, user, organization, happening{typ: "login", action: "user_login_failed", metadata: map[string]any{"method": method, "reason": "wrong_passkey"}})
		if err != nil {
			return err
		}
	}
	return standing{errPasskey}
}

// standing is a refusal whose transaction is committed.
type standing struct{ error }

func (s standing) Unwrap() error { return s.error }

func (i *Identity) parse(response []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if i.party == nil {
		return nil, errNoPasskeys
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return nil, errPasskey
	}
	return answer, nil
}

// withPasskey runs fn with a browser's answer. A standing refusal commits.
func (i *Identity) withPasskey(ctx context.Context, response []byte, fn func(tx *store.Tx, answer *protocol.ParsedCredentialAssertionData) error) error {
	answer, err := i.parse(response)
	if err != nil {
		return err
	}
	var refusal error
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		err := fn(tx, answer)
		var s standing
		if refusal = nil; errors.As(err, &s) {
			refusal, err = s.error, nil
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}
