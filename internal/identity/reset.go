package identity

import (
	"context"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// resetLife is how long a mailed link is good.
const resetLife = time.Hour

// Mails reports whether this instance sends mail.
func (i *Identity) Mails() bool { return i.Mail != nil }

// RequestReset mails a link by which a password is set anew, if the address belongs to somebody. It answers the same, in
// the same time, whether it does or not.
func (i *Identity) RequestReset(ctx context.Context, email string, at Place) error {
	email = strings.ToLower(strings.TrimSpace(email))
	if i.Mail == nil {
		return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "This instance sends no mail. Ask an owner or admin of your organization for a link.")
	}
	err := i.throttle.take(limit{"reset of " + email, 3, 15 * time.Minute}, addressLimit("reset", at.IP, 10, time.Minute))
	if err != nil {
		return err
	}
	return i.inBackground(ctx, func(ctx context.Context) error {
		var user store.User
		var value string
		err := i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
			var found bool
			if user, found, err = tx.UserByEmail(email); err != nil || !found {
				return err
			}
			list, err := tx.Memberships(user.ID)
			if err != nil {
				return err
			}
			if len(list) == 0 { // nobody's member any more
				user = store.User{}
				return nil
			}
			if value, err = i.ticket(tx, store.Ticket{Kind: store.TicketReset, User: user.ID}, struct{}{}, resetLife); err != nil {
				return err
			}
			return i.record(tx, at, user, "", happening{typ: "password", action: "password_reset_requested"})
		})
		if err != nil || user.ID == "" {
			return err
		}
		return i.Mail.Send(ctx, mail.Message{To: user.Email, Subject: "Set a new password for " + i.Product,
			Body: "Somebody, perhaps you, asked for a new password for " + mail.Line(i.Product) + ".\n\nTo set it, open this address within an hour. It works once:\n\n" +
				Link(i.URL, "/reset", value) + "\n\nIf it was not you, do nothing: your password stays as it is.\n"})
	})
}

// inBackground runs fn after the request was answered, so that its time tells nothing.
func (i *Identity) inBackground(ctx context.Context, fn func(context.Context) error) error {
	select {
	case i.sending <- struct{}{}:
	default:
		return errBusy
	}
	i.sent.Go(func() {
		defer func() { <-i.sending }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := fn(ctx); err != nil {
			i.Logger.Error("sending mail", "error", err)
		}
	})
	return nil
}

// SendInvitation mails a link to join an organization; false: this instance sends no mail.
func (i *Identity) SendInvitation(ctx context.Context, to, organization, link string) (bool, error) {
	if i.Mail == nil {
		return false, nil
	}
	return true, i.inBackground(ctx, func(ctx context.Context) error {
		return i.Mail.Send(ctx, mail.Message{To: to, Subject: "Join " + organization + " on " + i.Product,
			Body: "You are invited to " + mail.Line(organization) + " on " + mail.Line(i.Product) + ".\n\nTo accept or decline, open this address within 7 days:\n\n" + link + "\n"})
	})
}

// ResetLink reads a link by which a password is set anew; false: it is not good, or no more.
func (i *Identity) ResetLink(ctx context.Context, link string) (email string, found bool, err error) {
	digest, ok := secret.PassDigest(link)
	if !ok {
		return "", false, nil
	}
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		_, user, ok, err := i.reset(tx, digest, tx.Ticket)
		email, found = user.Email, ok
		return err
	})
	return email, found, err
}

// reset finds the ticket of a reset and its person. One that an admin made is void once the person belongs to another
// organization as well: it would open that too.
func (i *Identity) reset(tx *store.Tx, digest []byte, find func(string, []byte) (store.Ticket, bool, error)) (t store.Ticket, user store.User, found bool, err error) {
	if t, found, err = find(store.TicketReset, digest); err != nil || !found {
		return t, user, false, err
	}
	if user, found, err = tx.User(t.User); err != nil || !found || t.Organization == "" {
		return t, user, found, err
	}
	away, err := i.elsewhere(tx, t.User, t.Organization)
	return t, user, !away, err
}

// ResetPassword sets a new password by a link, and ends every session of the person. Second factors stay.
func (i *Identity) ResetPassword(ctx context.Context, link, next string, at Place) error {
	digest, ok := secret.PassDigest(link)
	if !ok {
		return errLink
	}
	err := i.Store.View(ctx, "", func(tx *store.Tx) error {
		_, user, found, err := i.reset(tx, digest, tx.Ticket)
		if err != nil {
			return err
		}
		if !found {
			return errLink
		}
		about, err := i.about(tx, user)
		if err != nil {
			return err
		}
		return passwordProblem(next, about...)
	})
	if err != nil {
		return err
	}
	hash, err := i.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		_, user, found, err := i.reset(tx, digest, tx.TakeTicket)
		if err != nil {
			return err
		}
		if !found {
			return errLink
		}
		if err := i.setPassword(tx, user, hash, "", at); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "password", action: "password_reset_successful", proven: true})
	})
}
