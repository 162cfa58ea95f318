package server

import (
	"cmp"
	"context"

	"github.com/counterfoil/counterfoil/internal/notices"
)

// notify tells people about their tokens, until the server stops.
func (c *Core) notify() {
	n := notices.New(notices.Config{Store: c.Store, Rules: c.Registry.Rules, Mail: c.Identity.Mail, URL: c.Registry.ConsoleURL,
		Product: cmp.Or(c.Config.SignIn.Product, "Counterfoil"), Logger: c.Config.Logger})
	ctx, cancel := context.WithCancel(context.Background())
	c.done.Go(func() { <-c.quit; cancel() })
	c.done.Go(func() { n.Run(ctx) })
}
