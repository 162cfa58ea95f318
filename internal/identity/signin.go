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

// SignIn checks an e-mail address and a password. Where the person has a second factor, the outcome asks for it.
func (i *Identity) SignIn(ctx context.Context, email, password string, at Place) (Outcome, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	limits := guesses(email, at)
	if err := i.throttle.take(limits...); err != nil {
		return Outcome{}, err
	}
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
	ok, stale, err := i.passwords.check(ctx, kept, limited(password))
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		return Outcome{}, i.failed(ctx, user, at, MethodPassword, "wrong_password", errSignIn)
	}
	i.throttle.giveBack(limits...)
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
		if out.Factors, err = i.seconds(tx, user.ID); err != nil {
			return err
		}
		if len(out.Factors) > 0 {
			out.Ticket, err = i.wait(tx, user, MethodPassword)
			return err
		}
		out.Value, err = i.begin(tx, user, MethodPassword, "", "", at)
		return err
	})
	return out, err
}

// failed records a sign-in that failed, for a person who is known, and returns the refusal.
func (i *Identity) failed(ctx context.Context, user store.User, at Place, method, reason string, refusal error) error {
	if user.ID == "" {
		return refusal
	}
	err := i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		return i.record(tx, at, user, "", happening{typ: "login", action: "user_login_failed", metadata: map[string]any{"method": method, "reason": reason}})
	})
	if err != nil {
		return err
	}
	return refusal
}
