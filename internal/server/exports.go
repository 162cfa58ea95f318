package server

import (
	"context"
	"net/url"

	"github.com/counterfoil/counterfoil"
)

// apply tells everybody in this process of an event of a committed change.
func (c *Core) apply(e *counterfoil.Event) {
	c.Verifier.Apply(e)
	c.exports.Apply(e)
}

// follow tells the export of what another node has changed.
func (c *Core) follow(events []counterfoil.Event) error {
	for i := range events {
		c.exports.Apply(&events[i])
	}
	return nil
}

// push delivers the organizations' logs while this node leads, until the server stops.
func (c *Core) push() {
	if u, err := url.Parse(c.Registry.URL); err == nil {
		c.exports.Host = u.Hostname()
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.done.Go(func() { <-c.quit; cancel() })
	c.done.Go(func() { c.Store.WhileLeading(ctx, c.exports.Run) })
}
