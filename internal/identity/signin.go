package identity

import (
	"context"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// errSignIn is the one answer to an unknown e-mail address, a wrong password and an account without one.
var errSignIn = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "The e-mail address and the password do not belong together.")

// How a session began.
const (
	MethodPassword = "password"
	MethodProduct  = "product"
)

// SignIn checks an e-mail address and a password.
func (i *Identity) SignIn(ctx context.Context, email, password string, at Place) (Outcome, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	var user store.User
	var kept string
	err := i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		if user, _, err = tx.UserByEmail(email); err != nil {
			return err
		}
		kept, _, err = tx.Password(user.ID)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if len(password) > maxPassword {
		password = "" // no password is: it costs no more than a wrong one
	}
	ok, stale, err := i.passwords.check(ctx, kept, password)
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		return Outcome{}, i.failed(ctx, user, at, "wrong_password", errSignIn)
	}
	anew := ""
	if stale {
		if anew, err = i.passwords.hash(ctx, password); err != nil {
			return Outcome{}, err
		}
	}
	return i.proved(ctx, user, kept, anew, at)
}

// proved goes on from a right password: the hash kept must still be the person's inside the transaction.
func (i *Identity) proved(ctx context.Context, user store.User, kept, anew string, at Place) (out Outcome, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		out = Outcome{}
		if now, _, err := tx.Password(user.ID); err != nil {
			return err
		} else if now != kept {
			return errSignIn
		}
		if anew != "" {
			if err := tx.SetPassword(user.ID, anew); err != nil {
				return err
			}
		}
		out.Value, err = i.begin(tx, user, MethodPassword, "", "", at)
		return err
	})
	return out, err
}

// failed records a sign-in that failed, for a person who is known, and returns the refusal.
func (i *Identity) failed(ctx context.Context, user store.User, at Place, reason string, refusal error) error {
	if user.ID == "" {
		return refusal
	}
	err := i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		return i.record(tx, at, user, "", happening{typ: "login", action: "user_login_failed", metadata: map[string]any{"method": MethodPassword, "reason": reason}})
	})
	if err != nil {
		return err
	}
	return refusal
}

// maxPassword is in bytes.
const maxPassword = 256
