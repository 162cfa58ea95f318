package identity

import (
	"context"
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	minPassword = 10  // characters
	maxPassword = 256 // bytes
)

// commonest is a list of the passwords of at least 10 characters that are guessed first, one a line, in lower case.
//
//go:embed common.txt
var commonest string

// passwordProblem says what is wrong with a new password; about is what is known of its owner: their e-mail address, their
// organizations, the product. Any character is allowed. Nil: nothing.
func passwordProblem(password string, about ...string) error {
	problem := ""
	switch lower := strings.ToLower(password); {
	case utf8.RuneCountInString(password) < minPassword:
		problem = "A password has at least 10 characters. A few words in a row are easy to remember."
	case len(password) > maxPassword:
		problem = "A password has at most 256 bytes."
	case strings.Count(password, firstRune(password)) == utf8.RuneCountInString(password), strings.Contains("\n"+commonest, "\n"+lower+"\n"):
		problem = "This password is one of those that are guessed first. Choose another."
	case isAbout(lower, about):
		problem = "A password is not made of your e-mail address, or of the name of your organization or of this product."
	}
	if problem == "" {
		return nil
	}
	return counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/password", Code: counterfoil.CodeValidationFailed, Detail: problem}})
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// isAbout reports whether a password is one of the words, but for case, digits and signs.
func isAbout(password string, words []string) bool {
	letters := onlyLetters(password)
	for _, w := range words {
		local, _, isEmail := strings.Cut(strings.ToLower(w), "@")
		if strings.ToLower(w) == password || (isEmail && local == password) {
			return true
		}
		if bare := onlyLetters(w); bare != "" && letters == bare {
			return true
		}
		if bare := onlyLetters(local); isEmail && bare != "" && letters == bare {
			return true
		}
	}
	return false
}

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// about is what a person's password must not be.
func (i *Identity) about(tx *store.Tx, user store.User) ([]string, error) {
	list, err := tx.Memberships(user.ID)
	out := []string{"counterfoil", i.Product, user.Email}
	for _, m := range list {
		out = append(out, m.Organization.Name, m.Organization.Slug, m.Member.Name)
	}
	return out, err
}

// ChangePassword gives the person of a fresh session another password and ends their other sessions. Who has one already
// proves it; who has none sets the first.
func (i *Identity) ChangePassword(ctx context.Context, s Session, current, next string, at Place) error {
	var kept string
	err := i.Store.View(ctx, "", func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		about, err := i.about(tx, user)
		if err != nil {
			return err
		}
		if err := passwordProblem(next, about...); err != nil {
			return err
		}
		kept, _, err = tx.Password(user.ID)
		return err
	})
	if err != nil {
		return err
	}
	if kept != "" {
		limits := guesses(s.Email, at)
		if err := i.throttle.take(limits...); err != nil {
			return err
		}
		ok, _, err := i.passwords.check(ctx, kept, limited(current))
		if err != nil {
			return err
		}
		if !ok {
			return counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/current", Code: counterfoil.CodeValidationFailed, Detail: "This is not your present password."}})
		}
		i.throttle.giveBack(limits...)
	}
	hash, err := i.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		if now, _, err := tx.Password(user.ID); err != nil {
			return err
		} else if now != kept {
			return counterfoil.Refuse(counterfoil.CodeVersionMismatch, "Your password was changed elsewhere at this moment. Open the page again.")
		}
		if err := i.setPassword(tx, user, hash, s.ID, at); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "password", action: "password_changed", proven: true})
	})
}

// RemovePassword takes the password of the person of a fresh session away: from then on a passkey lets them in.
func (i *Identity) RemovePassword(ctx context.Context, s Session, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		if keys, err := tx.Passkeys(user.ID); err != nil {
			return err
		} else if len(keys) == 0 {
			return counterfoil.Refuse(counterfoil.CodeInUse, "Your password is the only way in that you have. Add a passkey first.")
		}
		if err := tx.DeletePassword(user.ID); err != nil {
			return err
		}
		if err := tx.DeleteTickets(store.TicketSignIn, user.ID, ""); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "password", action: "password_changed", proven: true, metadata: map[string]any{"removed": true}})
	})
}

// setPassword stores a new hash, ends the person's sessions but one, and takes back every link and half-done sign-in that
// the old password was good for.
func (i *Identity) setPassword(tx *store.Tx, user store.User, hash, except string, at Place) error {
	if err := tx.SetPassword(user.ID, hash); err != nil {
		return err
	}
	for _, kind := range []string{store.TicketReset, store.TicketSignIn} {
		if err := tx.DeleteTickets(kind, user.ID, ""); err != nil {
			return err
		}
	}
	_, err := i.endOthers(tx, user, except, at)
	return err
}

// limited keeps what is too long for a password from being hashed: it is none.
func limited(password string) string {
	if len(password) > maxPassword {
		return ""
	}
	return password
}
