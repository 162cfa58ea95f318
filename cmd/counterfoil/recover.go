package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

type recoverCmd struct {
	storage `embed:""`
	outFile `embed:""`
	Expires expiry `default:"24h" placeholder:"WHEN" help:"90d, 12h, 30m, a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z, or never. Default 24h."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (recoverCmd) Help() string {
	return `For when no system token is left. It works while no server runs on the database, and with its instance key. The value alone goes to stdout, everything else to stderr; the log tells of it.

Example:

	counterfoil recover --data /var/lib/counterfoil > system.token`
}

func (c *recoverCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *recoverCmd) run(ctx context.Context, s *session) error {
	created, err := c.recover(ctx)
	if created.Secret == "" {
		return err
	}
	// Whatever failed after it: the value is shown this once.
	err = errors.Join(s.created(created, c.JSON), err)
	if err == nil && !c.JSON {
		s.say("It holds every permission. Next: %s", c.serveLine())
	}
	return err
}

// recover makes a system token with every permission, without asking for another.
func (c *recoverCmd) recover(ctx context.Context) (created counterfoil.Created, err error) {
	if err := c.exists(); err != nil {
		return created, err
	}
	config := c.storage.config()
	config.Logger = slog.New(slog.DiscardHandler)
	core, err := server.Open(ctx, config)
	if err != nil {
		return created, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	ready, err := core.Registry.IsSetUp(ctx)
	if err != nil {
		return created, err
	}
	if !ready {
		return created, c.notSetUp()
	}
	draft := counterfoil.Draft{Kind: counterfoil.KindSystem, Name: "recovered", Permissions: core.Registry.Rules.InForce.Catalogue().All()}
	c.Expires.of(&draft)
	return core.Registry.CreateToken(ctx, registry.Operator(), "", draft)
}

// exists refuses a place that holds nothing to recover: opening it would make a database and a key there.
func (c *recoverCmd) exists() error {
	if _, err := os.Stat(c.keyPath()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no instance key %s: recover works on a database that was set up, with its key", c.keyPath())
	}
	if c.DatabaseURL != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.Data, "counterfoil.db")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database in %s: recover works on one that was set up", c.Data)
	}
	return nil
}
