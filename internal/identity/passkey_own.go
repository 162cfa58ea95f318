package identity

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// BeginPasskey asks the browser of a fresh session to make a passkey.
func (i *Identity) BeginPasskey(ctx context.Context, s Session) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		h, err := holderOf(tx, user)
		if err != nil {
			return err
		}
		options, data, err := i.party.BeginRegistration(h,
			webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
				RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationPreferred}),
			webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
			webauthn.WithExclusions(webauthn.Credentials(h.list).CredentialDescriptors()))
		if err != nil {
			return err
		}
		c, err = i.open(tx, forRegistration, user.ID, options.Response, data)
		return err
	})
	return c, err
}

// FinishPasskey registers the passkey that the browser made. It returns recovery codes, to be shown once, if the person
// has none yet.
func (i *Identity) FinishPasskey(ctx context.Context, s Session, ticket, name string, response []byte, at Place) (codes []string, err error) {
	if i.party == nil {
		return nil, errNoPasskeys
	}
	if name, err = passkeyName(name); err != nil {
		return nil, err
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, errPasskey
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		codes = nil
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		t, data, err := i.close(tx, forRegistration, ticket)
		if err != nil {
			return err
		}
		if t.User != user.ID {
			return errCeremony
		}
		credential, err := i.party.CreateCredential(&holder{user: user}, data, answer)
		if err != nil {
			return errPasskey
		}
		raw, err := json.Marshal(credential)
		if err != nil {
			return err
		}
		p := store.Passkey{ID: store.NewID("pky"), User: user.ID, Name: name, Credential: string(raw)}
		if err := tx.InsertPasskey(p, credential.ID); errors.Is(err, store.ErrTaken) {
			return counterfoil.Refuse(counterfoil.CodeNameTaken, "This passkey is registered already.")
		} else if err != nil {
			return err
		}
		if codes, err = i.firstCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "passkey", action: "passkey_added", proven: true, target: counterfoil.Target{Kind: "passkey", ID: p.ID, Name: p.Name}})
	})
	return codes, err
}

func passkeyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 || strings.ContainsFunc(name, unicode.IsControl) {
		return "", counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/name", Code: counterfoil.CodeValidationFailed, Detail: "A name has 1 to 100 characters."}})
	}
	return name, nil
}

// RenamePasskey renames a passkey of the person of a session.
func (i *Identity) RenamePasskey(ctx context.Context, s Session, id, name string) error {
	name, err := passkeyName(name)
	if err != nil {
		return err
	}
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		found, err := tx.RenamePasskey(user.ID, id, name)
		if err == nil && !found {
			err = errNotFound
		}
		return err
	})
}

// RemovePasskey removes a passkey of the person of a session. The last one of who has no password stays: nothing would
// let them in again.
func (i *Identity) RemovePasskey(ctx context.Context, s Session, id string, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		keys, err := tx.Passkeys(user.ID)
		if err != nil {
			return err
		}
		target := counterfoil.Target{Kind: "passkey", ID: id}
		for _, k := range keys {
			if k.ID == id {
				target.Name = k.Name
			}
		}
		if target.Name == "" {
			return errNotFound
		}
		if _, hasPassword, err := tx.Password(user.ID); err != nil {
			return err
		} else if !hasPassword && len(keys) == 1 {
			return counterfoil.Refuse(counterfoil.CodeInUse, "This is the only way in that you have. Set a password or add another passkey first.")
		}
		if _, err := tx.DeletePasskey(user.ID, id); err != nil {
			return err
		}
		if err := i.lastCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "passkey", action: "passkey_deleted", proven: true, target: target})
	})
}
