package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/store"
)

type recoverCmd struct {
	storage   `embed:""`
	outFile   `embed:""`
	Member    string    `placeholder:"EMAIL" help:"A person who lost what they sign in with: print a link that sets a new password. Their password, device, passkeys and recovery codes are removed."`
	PublicURL publicURL `setting:"" placeholder:"URL" help:"Where browsers reach the pages, if not at the address that the server listens on."`
	Listen    string    `setting:"" default:"127.0.0.1:8080" placeholder:"ADDR" help:"The address that the server listens on, for the link. Default 127.0.0.1:8080."`
	Expires   expiry    `placeholder:"WHEN" help:"When the system token ends: 90d, 12h, 30m, a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z, or never. Default 24h."`
	JSON      bool      `name:"json" help:"Print JSON."`
}

func (recoverCmd) Help() string {
	return `For when no system token is left, or nobody who could let somebody in again. It takes the instance key. On SQLite the server has to be stopped meanwhile; on PostgreSQL nodes may run, and take what it makes at once. The value or the link alone goes to stdout, everything else to stderr; the log tells of it.

Examples:

	counterfoil recover --data /var/lib/counterfoil > system.token
	counterfoil recover --data /var/lib/counterfoil --member ada@example.com`
}

func (c *recoverCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *recoverCmd) run(ctx context.Context, s *session) error {
	if text := s.ignored(); text != "" {
		s.say("counterfoil: %s", text)
	}
	if c.Member != "" {
		if c.Expires.given {
			return misused("--expires is for the system token: a link ends by itself, and says when")
		}
		return c.member(ctx, s)
	}
	if !c.Expires.given {
		c.Expires = expiry{given: true, in: 24 * time.Hour}
	}
	created, err := c.recover(ctx, s)
	if created.Secret == "" {
		return err
	}
	// Whatever failed after it: the value is shown this once.
	err = errors.Join(s.created(created, c.JSON), err)
	if err == nil && !c.JSON {
		s.say("It holds every permission. Next: counterfoil serve%s", s.given)
	}
	return err
}

// recover makes a system token with every permission, without asking for another.
func (c *recoverCmd) recover(ctx context.Context, s *session) (created counterfoil.Created, err error) {
	err = c.within(ctx, s, func(core *server.Core) (err error) {
		draft := counterfoil.Draft{Kind: counterfoil.KindSystem, Name: "recovered", Permissions: core.Registry.Rules.InForce.Catalogue().All()}
		c.Expires.of(&draft)
		created, err = core.Registry.CreateToken(ctx, registry.Operator(), "", draft)
		return err
	})
	return created, err
}

// member prints a link that lets a person in again.
func (c *recoverCmd) member(ctx context.Context, s *session) error {
	return c.within(ctx, s, func(core *server.Core) error {
		core.Registry.ConsoleURL = server.ConsoleURL(string(c.PublicURL), "http://"+c.Listen)
		org, id, err := core.Registry.MemberByEmail(ctx, registry.Operator(), c.Member)
		if err != nil {
			return err
		}
		link, err := core.Registry.ResetSignIn(ctx, registry.Operator(), org, id)
		if err != nil {
			return err
		}
		if c.JSON {
			return s.json(map[string]any{"url": link.URL, "expires_at": link.ExpiresAt})
		}
		s.say("Whoever opens this sets a new password for %s, once, until %s:", c.Member, link.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"))
		if _, err = fmt.Fprintln(s.out, link.URL); err == nil {
			s.say("The server has to run for that: counterfoil serve%s", s.given)
		}
		return err
	})
}

// within opens the instance, which must be set up, and closes it again.
func (c *recoverCmd) within(ctx context.Context, s *session, fn func(*server.Core) error) (err error) {
	if err := c.exists(); err != nil {
		return err
	}
	config := c.storage.config()
	config.Logger = slog.New(slog.DiscardHandler)
	core, err := server.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	ready, err := core.Registry.IsSetUp(ctx)
	if err != nil {
		return err
	}
	if !ready {
		return fmt.Errorf("this instance is not set up yet. Run this first:\n  counterfoil setup --organization \"Your company\" --email you@example.com --catalogue catalogue.yaml%s", s.given)
	}
	return fn(core)
}

// exists refuses a place that holds nothing to recover: opening it would make a database and a key there.
func (c *recoverCmd) exists() error {
	if _, err := os.Stat(c.keyPath()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no instance key %s: recover works on a database that was set up, with its key", c.keyPath())
	}
	if c.DatabaseURL != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.Data, store.DatabaseFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database in %s: recover works on one that was set up", c.Data)
	}
	return nil
}
