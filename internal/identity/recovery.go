package identity

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	recoveryCount = 10
	recoveryLen   = 10 // of 32 characters: 50 bits
	recoveryAlpha = "abcdefghijkmnpqrstuvwxyz23456789"
)

// RecoveryCodes gives the person of a fresh session ten new recovery codes, each good once, in place of all before. They
// are shown this once.
func (i *Identity) RecoveryCodes(ctx context.Context, s Session, at Place) (codes []string, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		if factors, err := i.seconds(tx, user.ID); err != nil {
			return err
		} else if len(factors) == 0 {
			return errNotFound
		}
		if codes, err = i.newCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "totp", action: "recovery_codes_created", proven: true})
	})
	return codes, err
}

// firstCodes makes recovery codes for who has none.
func (i *Identity) firstCodes(tx *store.Tx, user store.User) ([]string, error) {
	if left, err := tx.RecoveryCodes(user.ID); err != nil || left > 0 {
		return nil, err
	}
	return i.newCodes(tx, user)
}

// lastCodes takes the recovery codes of a person away who has no second factor left.
func (i *Identity) lastCodes(tx *store.Tx, user store.User) error {
	if factors, err := i.seconds(tx, user.ID); err != nil || len(factors) > 0 {
		return err
	}
	return tx.SetRecoveryCodes(user.ID, nil)
}

func (i *Identity) newCodes(tx *store.Tx, user store.User) (codes []string, err error) {
	var digests [][]byte
	for range recoveryCount {
		code := recoveryCode()
		d, _ := i.Keys.Digest(i.Keys.Current(), recoveryText(user.ID, code))
		codes, digests = append(codes, code), append(digests, d[:])
	}
	return codes, tx.SetRecoveryCodes(user.ID, digests)
}

// recoveryCode is ten characters in two groups. Thirty-two of them: each is five bits of a byte.
func recoveryCode() string {
	var raw [recoveryLen]byte
	_, _ = rand.Read(raw[:]) // never fails: it crashes the program instead
	var b strings.Builder
	for n, x := range raw {
		if n == recoveryLen/2 {
			b.WriteByte('-')
		}
		b.WriteByte(recoveryAlpha[x%32])
	}
	return b.String()
}

// recoveryText is what the digest of a code is made of: a code is short, so its digest is keyed, and bound to its person.
func recoveryText(user, code string) string { return "recovery code: " + user + ": " + code }

// useRecovery uses a recovery code up. It was digested under one of the instance's keys.
func (i *Identity) useRecovery(tx *store.Tx, user, code string) (bool, error) {
	code = strings.ToLower(strings.Join(strings.Fields(code), ""))
	if bare := strings.ReplaceAll(code, "-", ""); len(bare) == recoveryLen {
		code = bare[:recoveryLen/2] + "-" + bare[recoveryLen/2:]
	}
	for _, id := range i.Keys.IDs() {
		d, ok := i.Keys.Digest(id, recoveryText(user, code))
		if !ok {
			continue
		}
		if used, err := tx.UseRecoveryCode(user, d[:]); err != nil || used {
			return used, err
		}
	}
	return false, nil
}
