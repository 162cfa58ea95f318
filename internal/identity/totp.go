package identity

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	totpPeriod  = 30 // seconds
	ticketTOTP  = "totp"
	totpPurpose = "totp"
	totpLife    = 15 * time.Minute
)

// Enrolment is a device for one-time codes that has not proved yet that it works.
type Enrolment struct {
	Secret string // base32, for typing
	URL    string // otpauth://…, for a QR code
	Ticket string // what FinishTOTP wants
}

// sealedSecret is what the ticket of an enrolment remembers.
type sealedSecret struct {
	Sealed   []byte `json:"sealed"`
	KeyID    uint8  `json:"key_id"`
	Failures int    `json:"failures"`
}

// BeginTOTP makes the secret of a device for one-time codes. Nothing changes before FinishTOTP.
func (i *Identity) BeginTOTP(ctx context.Context, s Session) (e Enrolment, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: i.Product, AccountName: s.Email, SecretSize: 20})
	if err != nil {
		return e, fmt.Errorf("making a secret for one-time codes: %w", err)
	}
	keyID, sealed, err := i.Keys.Seal(totpPurpose, s.UserID, []byte(key.Secret()))
	if err != nil {
		return e, err
	}
	e.Secret, e.URL = key.Secret(), key.URL()
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		e.Ticket, err = i.ticket(tx, store.Ticket{Kind: ticketTOTP, User: user.ID}, sealedSecret{sealed, keyID, 0}, totpLife)
		return err
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// ResumeTOTP shows an enrolment again, after a wrong code.
func (i *Identity) ResumeTOTP(ctx context.Context, s Session, ticket string) (e Enrolment, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		if _, err := i.own(tx, s, true); err != nil {
			return err
		}
		_, _, plain, err := i.enrolment(tx, s, ticket, tx.Ticket)
		if err != nil {
			return err
		}
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(plain)
		if err != nil {
			return err
		}
		key, err := totp.Generate(totp.GenerateOpts{Issuer: i.Product, AccountName: s.Email, Secret: raw})
		if err != nil {
			return err
		}
		e = Enrolment{Secret: plain, URL: key.URL(), Ticket: ticket}
		return nil
	})
	return e, err
}

var errEnrolment = counterfoil.Refuse(counterfoil.CodeNotFound, "This enrolment took too long, or had too many wrong codes. Begin again.")

// enrolment finds an enrolment of the session's person.
func (i *Identity) enrolment(tx *store.Tx, s Session, ticket string, find func(string, []byte) (store.Ticket, bool, error)) (digest []byte, kept sealedSecret, plain string, err error) {
	digest, ok := secret.PassDigest(ticket)
	if !ok {
		return nil, kept, "", errEnrolment
	}
	t, found, err := find(ticketTOTP, digest)
	if err != nil {
		return nil, kept, "", err
	}
	if !found || t.User != s.UserID {
		return nil, kept, "", errEnrolment
	}
	if err := json.Unmarshal([]byte(t.Data), &kept); err != nil {
		return nil, kept, "", err
	}
	raw, err := i.Keys.Unseal(kept.KeyID, totpPurpose, s.UserID, kept.Sealed)
	return digest, kept, string(raw), err
}

// FinishTOTP makes the device the person's second factor once it has shown a right code, in place of the one before. It
// returns recovery codes, to be shown once, if the person has none yet.
func (i *Identity) FinishTOTP(ctx context.Context, s Session, ticket, code string, at Place) (codes []string, err error) {
	var refusal error
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		codes, refusal = nil, nil
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		digest, kept, plain, err := i.enrolment(tx, s, ticket, tx.TicketForUpdate)
		if err != nil {
			return err
		}
		step, ok := totpStep(plain, code, tx.Now().Time(), 0)
		if !ok {
			refusal = counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/code", Code: counterfoil.CodeValidationFailed, Detail: "This is not the code that the device shows now. Is its clock right?"}})
			return i.wrongEnrolment(tx, digest, kept)
		}
		if _, err := tx.DeleteTicket(digest); err != nil {
			return err
		}
		if err := tx.SetTOTP(user.ID, store.TOTP{Sealed: kept.Sealed, KeyID: kept.KeyID, LastStep: step}); err != nil {
			return err
		}
		if codes, err = i.firstCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "totp", action: "device_enrolled", proven: true})
	})
	if err == nil {
		err = refusal
	}
	return codes, err
}

func (i *Identity) wrongEnrolment(tx *store.Tx, digest []byte, kept sealedSecret) error {
	if kept.Failures++; kept.Failures >= mostFailures {
		_, err := tx.DeleteTicket(digest)
		return err
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return tx.SetTicketData(digest, string(raw))
}

// RemoveTOTP takes the device away.
func (i *Identity) RemoveTOTP(ctx context.Context, s Session, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		had, err := tx.DeleteTOTP(user.ID)
		if err != nil {
			return err
		}
		if !had {
			return errNotFound
		}
		if err := i.lastCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "totp", action: "device_deleted", proven: true})
	})
}

// useTOTP checks a code of the person's device; each is good once.
func (i *Identity) useTOTP(tx *store.Tx, user, code string) (bool, error) {
	device, found, err := tx.TOTP(user)
	if err != nil || !found {
		return false, err
	}
	plain, err := i.Keys.Unseal(device.KeyID, totpPurpose, user, device.Sealed)
	if errors.Is(err, secret.ErrSealed) {
		return false, fmt.Errorf("the secret of a device for one-time codes: %w", err)
	}
	step, ok := totpStep(string(plain), code, tx.Now().Time(), device.LastStep)
	if !ok {
		return false, nil
	}
	return tx.UseTOTPStep(user, step)
}

// totpStep finds the step after last, and at most one away from now, whose code it is (RFC 6238 section 5.2).
func totpStep(secret, code string, now time.Time, last int64) (int64, bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	at := now.Unix() / totpPeriod
	for _, step := range []int64{at - 1, at, at + 1} {
		ok, err := hotp.ValidateCustom(code, uint64(step), secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok && step > last {
			return step, true
		}
	}
	return 0, false
}
