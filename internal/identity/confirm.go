package identity

import (
	"context"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Proof is what somebody gives to confirm that it is still them: one of the members.
type Proof struct{ Password, Code, Recovery string }

// Confirmations says what would confirm that it is still the person of the session. Who has a second factor uses it: a
// password alone would prove less than the sign-in did.
func (i *Identity) Confirmations(ctx context.Context, s Session) (factors []string, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		if _, err := i.own(tx, s, false); err != nil {
			return err
		}
		factors, err = i.confirmations(tx, s)
		return err
	})
	return factors, err
}

func (i *Identity) confirmations(tx *store.Tx, s Session) ([]string, error) {
	switch {
	case s.Method == MethodProduct:
		return []string{FactorProduct}, nil
	case s.Organization != "":
		return []string{FactorProvider}, nil
	}
	factors, err := i.seconds(tx, s.UserID)
	if err != nil || len(factors) > 0 {
		return factors, err
	}
	return []string{FactorPassword}, nil
}

// Confirm notes that the person of a session has just proved who they are.
func (i *Identity) Confirm(ctx context.Context, s Session, p Proof, at Place) error {
	factor, limits := FactorPassword, guesses(s.Email, at)
	switch {
	case p.Code != "":
		factor, limits = FactorTOTP, []limit{codeGuesses(s.UserID)}
	case p.Recovery != "":
		factor, limits = FactorRecovery, []limit{codeGuesses(s.UserID)}
	}
	if err := i.throttle.take(limits...); err != nil {
		return err
	}
	kept := ""
	if factor == FactorPassword {
		err := i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
			kept, _, err = tx.Password(s.UserID)
			return err
		})
		if err != nil {
			return err
		}
		ok, _, err := i.passwords.check(ctx, kept, limited(p.Password))
		if err != nil {
			return err
		}
		if !ok {
			return i.failed(ctx, store.User{ID: s.UserID, Email: s.Email}, at, "confirmation: "+factor, "wrong_password",
				counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This is not your password."))
		}
	}
	err := i.confirm(ctx, s, factor, at, func(tx *store.Tx, user store.User) (bool, error) {
		switch factor {
		case FactorTOTP:
			return i.useTOTP(tx, user.ID, p.Code)
		case FactorRecovery:
			return i.useRecovery(tx, user.ID, p.Recovery)
		}
		now, _, err := tx.Password(user.ID)
		return now == kept && kept != "", err
	})
	if err == nil {
		i.throttle.giveBack(limits...)
	}
	return err
}

// confirm proves a factor and notes it in the session, in one transaction.
func (i *Identity) confirm(ctx context.Context, s Session, factor string, at Place, prove proof) error {
	var refusal error
	err := i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		refusal = nil
		user, err := i.own(tx, s, false)
		if err != nil {
			return err
		}
		wanted, err := i.confirmations(tx, s)
		if err != nil {
			return err
		}
		if !slices.Contains(wanted, factor) {
			return counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This does not confirm that it is you: use your second factor.")
		}
		ok, err := prove(tx, user)
		if err != nil {
			return err
		}
		if !ok {
			refusal = errFactor
			return i.record(tx, at, user, s.Organization, happening{typ: "login", action: "user_login_failed",
				metadata: map[string]any{"method": "confirmation: " + factor, "reason": "wrong_code"}})
		}
		_, err = tx.ConfirmSession(s.ID)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}
