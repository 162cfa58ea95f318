package identity

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/internal/store"
)

// Account is how a person signs in.
type Account struct {
	Email         string
	HasPassword   bool
	TOTPSince     time.Time // zero: no device
	RecoveryCodes int64     // how many are left
	Passkeys      []Passkey
	NewPlaceMail  bool // mails about new places are wanted
	// Changeable: this session may change all that. One that an organization vouched for may not.
	Changeable bool
}

// Account shows the person of a session how they sign in.
func (i *Identity) Account(ctx context.Context, s Session) (a Account, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		user, err := i.own(tx, s, false)
		if err != nil {
			return err
		}
		a = Account{Email: user.Email, Changeable: s.Organization == ""}
		if _, a.HasPassword, err = tx.Password(user.ID); err != nil {
			return err
		}
		device, _, err := tx.TOTP(user.ID)
		if err != nil {
			return err
		}
		a.TOTPSince = device.CreatedAt.Time()
		if a.RecoveryCodes, err = tx.RecoveryCodes(user.ID); err != nil {
			return err
		}
		muted, err := tx.Muted(user.ID, store.LetterPlace)
		if err != nil {
			return err
		}
		a.NewPlaceMail = !muted
		keys, err := tx.Passkeys(user.ID)
		for _, k := range keys {
			a.Passkeys = append(a.Passkeys, Passkey{k.ID, k.Name, k.CreatedAt.Time(), k.UsedAt.Time()})
		}
		return err
	})
	return a, err
}

// HasWayIn reports whether a person (usr_…) has a password or a passkey.
func (i *Identity) HasWayIn(ctx context.Context, user string) (has bool, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		has, err = wayIn(tx, user)
		return err
	})
	return has, err
}

// wayIn reports whether a person has a password or a passkey.
func wayIn(tx *store.Tx, user string) (bool, error) {
	if _, found, err := tx.Password(user); err != nil || found {
		return found, err
	}
	keys, err := tx.Passkeys(user)
	return len(keys) > 0, err
}

// Passkey is a passkey of a person.
type Passkey struct {
	ID, Name  string
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
}
