package server

import (
	"cmp"
	"context"

	"github.com/counterfoil/counterfoil/internal/notices"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/webhooks"
)

// webhookSender makes what sends to webhooks; notify runs it.
func (c *Core) webhookSender(keys *secret.Keyring) *webhooks.Sender {
	return webhooks.New(webhooks.Config{Store: c.Store, Keys: keys, Client: c.outgoing, Mails: c.Config.SignIn.Mail.Server != "", Logger: c.Config.Logger})
}

// notify tells people about their tokens, and webhooks of events, until the server stops.
func (c *Core) notify() {
	n := notices.New(notices.Config{Store: c.Store, Rules: c.Registry.Rules, Mail: c.Identity.Mail, URL: c.Registry.ConsoleURL,
		Product: cmp.Or(c.Config.SignIn.Product, "Counterfoil"), Logger: c.Config.Logger})
	ctx, cancel := context.WithCancel(context.Background())
	c.done.Go(func() { <-c.quit; cancel() })
	c.done.Go(func() { c.Store.WhileLeading(ctx, n.Run) })
	c.done.Go(func() { c.Store.WhileLeading(ctx, c.Registry.WebhookSender.Run) })
}
