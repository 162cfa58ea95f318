package identity

import (
	"context"
	"encoding/json"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// What proves who somebody is.
const (
	FactorPassword = "password"
	FactorTOTP     = "totp"
	FactorPasskey  = "passkey"
	FactorRecovery = "recovery"
	FactorProvider = "provider" // an identity provider
	FactorProduct  = "product"  // the product that vouched for the person
)

// halfDone is what a half-done sign-in remembers.
type halfDone struct {
	Method   string `json:"method"`
	Failures int    `json:"failures"`
}

const (
	halfDoneLife = 10 * time.Minute
	// mostFailures is how many wrong codes end a half-done sign-in.
	mostFailures = 5
)

var (
	errHalfDone = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This sign-in took too long, or had too many wrong codes. Begin again.")
	errFactor   = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This did not prove that it is you. Try again, with a new code.")
)

// seconds lists what finishes a sign-in by password; empty: the password is enough.
func (i *Identity) seconds(tx *store.Tx, user string) (factors []string, err error) {
	_, hasTOTP, err := tx.TOTP(user)
	if err != nil {
		return nil, err
	}
	if hasTOTP {
		factors = append(factors, FactorTOTP)
	}
	keys, err := tx.Passkeys(user)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		factors = append(factors, FactorPasskey)
	}
	if len(factors) == 0 {
		return nil, nil
	}
	left, err := tx.RecoveryCodes(user)
	if left > 0 {
		factors = append(factors, FactorRecovery)
	}
	return factors, err
}

// wait makes the ticket of a sign-in that wants a further proof.
func (i *Identity) wait(tx *store.Tx, user store.User, method string) (value string, err error) {
	return i.ticket(tx, store.Ticket{Kind: store.TicketSignIn, User: user.ID}, halfDone{Method: method}, halfDoneLife)
}

// ticket stores a ticket that is good for a while and returns its value.
func (i *Identity) ticket(tx *store.Tx, t store.Ticket, data any, life time.Duration) (value string, err error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	value = secret.MintPass()
	digest, _ := secret.PassDigest(value)
	t.Data, t.ExpiresAt = string(raw), tx.Now().Plus(int64(life/time.Second))
	return value, tx.InsertTicket(t, digest)
}

// proof proves one factor inside the transaction. False: it does not.
type proof func(tx *store.Tx, user store.User) (bool, error)

// SignInTOTP finishes a sign-in with a code of the person's device.
func (i *Identity) SignInTOTP(ctx context.Context, ticket, code string, at Place) (Outcome, error) {
	return i.second(ctx, ticket, FactorTOTP, at, func(tx *store.Tx, user store.User) (bool, error) { return i.useTOTP(tx, user.ID, code) })
}

// SignInRecovery finishes a sign-in with a recovery code, which is used up.
func (i *Identity) SignInRecovery(ctx context.Context, ticket, code string, at Place) (Outcome, error) {
	return i.second(ctx, ticket, FactorRecovery, at, func(tx *store.Tx, user store.User) (bool, error) { return i.useRecovery(tx, user.ID, code) })
}

// Factors says what would finish a half-done sign-in; false: it is not, or no more.
func (i *Identity) Factors(ctx context.Context, ticket string) (factors []string, found bool, err error) {
	digest, ok := secret.PassDigest(ticket)
	if !ok {
		return nil, false, nil
	}
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		var t store.Ticket
		if t, found, err = tx.Ticket(store.TicketSignIn, digest); err != nil || !found {
			return err
		}
		factors, err = i.seconds(tx, t.User)
		return err
	})
	return factors, found, err
}

func (i *Identity) second(ctx context.Context, value, factor string, at Place, prove proof) (out Outcome, err error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return Outcome{}, errHalfDone
	}
	var who store.Ticket
	err = i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		who, ok, err = tx.Ticket(store.TicketSignIn, digest)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		return Outcome{}, errHalfDone
	}
	if err := i.throttle.take(codeGuesses(who.User)); err != nil {
		return Outcome{}, err
	}
	var refusal error
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		out, refusal = Outcome{}, nil
		t, found, err := tx.TicketForUpdate(store.TicketSignIn, digest)
		if err != nil {
			return err
		}
		if !found {
			return errHalfDone
		}
		var half halfDone
		if err := json.Unmarshal([]byte(t.Data), &half); err != nil {
			return err
		}
		user, found, err := tx.User(t.User)
		if err != nil {
			return err
		}
		if !found {
			return errHalfDone
		}
		ok, err := prove(tx, user)
		if err != nil {
			return err
		}
		if !ok {
			refusal = errFactor
			return i.wrongFactor(tx, digest, half, user, factor, at)
		}
		if _, err := tx.DeleteTicket(digest); err != nil {
			return err
		}
		out.Value, err = i.begin(tx, user, half.Method+"+"+factor, "", "", at)
		return err
	})
	if err == nil {
		err = refusal
	}
	if err == nil {
		i.throttle.giveBack(codeGuesses(who.User))
	}
	return out, err
}

// wrongFactor counts a failure; the fifth ends the sign-in.
func (i *Identity) wrongFactor(tx *store.Tx, digest []byte, half halfDone, user store.User, factor string, at Place) error {
	half.Failures++
	if half.Failures >= mostFailures {
		if _, err := tx.DeleteTicket(digest); err != nil {
			return err
		}
	} else {
		raw, err := json.Marshal(half)
		if err != nil {
			return err
		}
		if err := tx.SetTicketData(digest, string(raw)); err != nil {
			return err
		}
	}
	return i.record(tx, at, user, "", happening{typ: "login", action: "user_login_failed", metadata: map[string]any{"method": half.Method + "+" + factor, "reason": "wrong_code"}})
}
