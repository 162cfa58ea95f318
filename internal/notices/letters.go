package notices

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/store"
)

const letterEnding = "token_ending"

const (
	peopleTogether  = 20      // written to in one go
	lettersTogether = 100     // in one mail
	gather          = 5 * 60  // seconds that a letter waits for others to the same person
	lease           = 10 * 60 // seconds in which nobody else sends what was taken to be sent
	givenUp         = 5 * day
)

// pauses are the seconds between attempts to send a letter; the last one stays.
var pauses = [...]int64{60, 5 * 60, 15 * 60, 30 * 60}

func pause(attempts int64) int64 { return pauses[min(max(attempts, 1), int64(len(pauses)))-1] }

// deliver sends what is due, one mail to a person. A mail server that does not answer is left in peace for longer and
// longer, by all people together.
func (n *Notices) deliver(ctx context.Context) error {
	if n.Mail == nil || n.Store.Now() < n.rest {
		return nil
	}
	var people []string
	err := n.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		people, err = tx.Awaiting(peopleTogether)
		return err
	})
	if err != nil {
		return err
	}
	for _, user := range people {
		if err := n.writeTo(ctx, user); err != nil {
			n.fails++
			if n.fails%3 == 0 { // one address that is refused is no outage
				n.rest = n.Store.Now().Plus(pause(int64(n.fails / 3)))
				return err
			}
			n.log(ctx, "sending a mail", err)
			continue
		}
		n.fails = 0
	}
	return nil
}

// writeTo takes what is due to a person and sends it as one mail. What is sent is deleted afterwards: a process that dies
// in between sends it again, under the same message id.
func (n *Notices) writeTo(ctx context.Context, user string) error {
	var letters []store.Letter
	var message mail.Message
	err := n.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
		if letters, err = tx.TakeLetters(user, lettersTogether, tx.Now().Plus(gather), tx.Now().Plus(lease)); err != nil || len(letters) == 0 {
			return err
		}
		person, found, err := tx.User(user)
		if err != nil {
			return err
		}
		message = mail.Message{}
		if found {
			message, err = n.compose(tx, person, letters)
		}
		if err != nil || message.Body != "" {
			return err
		}
		for _, l := range letters { // nothing of it holds any more
			if err := tx.DeleteLetter(l.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(letters) == 0 || message.Body == "" {
		return err
	}
	failed := n.Mail.Send(ctx, message)
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // what was sent is noted, also while the server stops
	defer cancel()
	err = n.Store.Update(done, "", store.ForTokens, func(tx *store.Tx) error {
		for _, l := range letters {
			if err := n.settle(tx, l, failed); err != nil {
				return err
			}
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func (n *Notices) settle(tx *store.Tx, l store.Letter, failed error) error {
	if failed == nil {
		return tx.DeleteLetter(l.ID)
	}
	if tx.Now() >= l.CreatedAt.Plus(givenUp) {
		n.Logger.Error("a notice could not be sent for five days and is given up", "letter", l.ID, "kind", l.Kind, "about", l.Subject, "error", failed)
		return tx.DeleteLetter(l.ID)
	}
	return tx.PostponeLetter(l.ID, tx.Now().Plus(pause(l.Attempts)), l.Attempts)
}
