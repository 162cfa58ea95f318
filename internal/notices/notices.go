// Package notices tells people by mail what they should know of their tokens before it surprises them: that one is about
// to expire, has expired, or is used from a new place. Each thing is claimed by a row and written to the log in one
// transaction, so that it is told once; mails wait in the database until the mail server takes them. The package refuses
// to decide anything about a token: what it says changes nothing.
package notices

import (
	"context"
	"log/slog"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Config is what Notices need. Store and Rules are required.
type Config struct {
	Store   *store.Store
	Rules   *rules.Cache
	Mail    *mail.Sender // nil: nobody is written to, and the log alone is told
	URL     string       // where browsers reach the console, without a slash at its end
	Product string       // its name, as people know it
	Logger  *slog.Logger
}

// Notices watches the tokens and writes to their people.
type Notices struct {
	Config

	next  counterfoil.Instant // when the next round through the tokens begins; while one is under way, when it began
	after string              // the token that the round has come to; empty: none is under way
	done  counterfoil.Instant // until when old claims are forgotten
	rest  counterfoil.Instant // no mail is tried before
	fails int                 // mails that failed one after the other
}

// New makes Notices. Run runs them.
func New(c Config) *Notices {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Notices{Config: c}
}

const day = 24 * 60 * 60 // seconds

// Run works until ctx ends, about once a second; mails are sent beside it, so that a slow mail server holds nothing up.
func (n *Notices) Run(ctx context.Context) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		each(ctx, func() { n.log(ctx, "sending notices", n.deliver(ctx)) })
	}()
	each(ctx, func() {
		n.log(ctx, "looking for tokens that end", n.look(ctx))
		n.log(ctx, "looking for new places", n.places(ctx))
	})
	<-sent
}

// each calls fn about once a second.
func each(ctx context.Context, fn func()) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			fn()
		}
	}
}

func (n *Notices) log(ctx context.Context, doing string, err error) {
	if err != nil && ctx.Err() == nil {
		n.Logger.Warn(doing+"; it is tried again", "error", err)
	}
}

// write queues a letter to each of the people of a token, who are still members when it is sent.
func (n *Notices) write(tx *store.Tx, t *store.Token, l store.Letter) error {
	if n.Mail == nil {
		return nil
	}
	people, err := peopleOf(tx, t)
	if err != nil {
		return err
	}
	l.Subject = t.ID
	for _, m := range people {
		l.User = m.UserID
		if err := tx.InsertLetter(l); err != nil {
			return err
		}
	}
	return nil
}

// mostKeepers bounds how many owners and admins are written to about a token of their organization.
const mostKeepers = 50

// peopleOf are those whom a token concerns: the owner of a personal one, the owners and admins of the organization for
// its own and its integrations'. A system token concerns nobody who could be written to.
func peopleOf(tx *store.Tx, t *store.Token) ([]store.Member, error) {
	switch t.Kind {
	case counterfoil.KindPersonal:
		m, found, err := tx.Member(t.Owner)
		if err != nil || !found || m.Status != counterfoil.MemberActive {
			return nil, err
		}
		return []store.Member{m}, nil
	case counterfoil.KindOrganization, counterfoil.KindIntegration:
		return tx.Keepers(mostKeepers)
	}
	return nil, nil
}

// concerns reports whether a person is one of a token's.
func concerns(tx *store.Tx, t *store.Token, user string) (bool, error) {
	people, err := peopleOf(tx, t)
	for _, m := range people {
		if m.UserID == user {
			return true, err
		}
	}
	return false, err
}
