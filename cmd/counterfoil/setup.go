package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil/internal/catalogue"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

type setupCmd struct {
	storage       `embed:""`
	outFile       `embed:""`
	Organization  string `required:"" placeholder:"NAME" help:"Name of the first organization."`
	Email         string `required:"" placeholder:"E" help:"E-mail address of its owner."`
	PasswordStdin bool   `help:"Read the owner's password for the console from stdin, one line."`
	JSON          bool   `name:"json" help:"Print JSON."`

	password string // empty: none
	bare     bool   // there was no catalogue
}

func (setupCmd) Help() string {
	return `Makes the database, the instance key and a copy of the catalogue in the data directory, an organization with one owner, and two tokens. It changes nothing where that was done before.

Example:

	counterfoil setup --data /var/lib/counterfoil --organization "Example Inc" --email ada@example.com --catalogue catalogue.yaml`
}

func (c *setupCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *setupCmd) run(ctx context.Context, s *session) (err error) {
	if text := s.ignored(); text != "" {
		s.say("counterfoil: %s", text)
	}
	if c.PasswordStdin {
		if c.password, err = s.line(); err != nil {
			return err
		}
	}
	if err := c.rehearse(ctx); err != nil {
		return err
	}
	answer, err := c.setUp(ctx, nil)
	if answer.OwnerToken == "" {
		return err
	}
	return errors.Join(c.print(s, answer), err) // whatever failed after it: the tokens are shown this once
}

func (c *setupCmd) print(s *session, answer registry.SetupAnswer) error {
	if c.JSON {
		return s.json(answer)
	}
	none := ""
	switch {
	case c.bare && c.DatabaseURL != "": // a file would be in force for all nodes from the start of any
		none = "No catalogue: there are no product permissions yet. Serve, and run counterfoil catalogue apply FILE.\n\n"
	case c.bare:
		none = fmt.Sprintf("No catalogue: there are no product permissions yet. Put one at %s and send SIGHUP (or start again), or run counterfoil catalogue apply FILE.\n\n",
			filepath.Join(c.Data, "catalogue.yaml"))
	}
	_, err := fmt.Fprintf(s.out, `Set up: organization %s (%s), owner %s.

  owner's token   %s
  system token    %s

Both expire in 24 h and are shown this once: the owner's holds every permission that a personal token can hold, the
system token every permission.

%sNext: %s
`, printable(c.Organization), answer.Organization.Slug, printable(answer.Owner.Email), answer.OwnerToken, answer.SystemToken, none, "counterfoil serve"+s.given)
	return err
}

// rehearse sets up a place that is thrown away, so that what is refused is refused before anything is made.
func (c *setupCmd) rehearse(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "counterfoil-setup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := c.storage.config()
	config.Dir, config.DatabaseURL, config.KeyFile = dir, "", ""
	config.Logger = slog.New(slog.DiscardHandler)
	core, err := server.Open(ctx, config)
	if err != nil {
		return err
	}
	request, err := c.request(ctx, core, "")
	if err == nil {
		_, err = core.Registry.SetUp(ctx, request)
	}
	return errors.Join(err, core.Close())
}

// setUp prepares the database with the catalogue file, or with fallback where no file is named and none is in the data
// directory.
func (c *setupCmd) setUp(ctx context.Context, fallback []byte) (answer registry.SetupAnswer, err error) {
	kept := filepath.Join(c.Data, "catalogue.yaml")
	path, text, err := c.catalogueText(kept)
	if err != nil {
		return answer, err
	}
	if text == nil {
		path, text = "", fallback
	}
	c.bare = text == nil
	if _, err := catalogue.Parse(text); err != nil {
		return answer, fmt.Errorf("the catalogue %s has mistakes; nothing was set up:\n  %s", path, mistakes(err))
	}
	config := c.storage.config()
	config.Logger = slog.New(slog.DiscardHandler)
	core, err := server.Open(ctx, config)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	if ready, err := core.Registry.IsSetUp(ctx); err != nil || ready {
		return answer, errors.Join(err, alreadySetUp(ready))
	}
	copied, err := stage(kept, path, text)
	if err != nil {
		return answer, err
	}
	defer os.Remove(copied) // once it is in place there is nothing to remove
	request, err := c.request(ctx, core, string(text))
	if err != nil {
		return answer, err
	}
	answer, err = core.Registry.SetUp(ctx, request)
	if err != nil || copied == "" {
		return answer, err
	}
	if err := os.Rename(copied, kept); err != nil {
		return answer, fmt.Errorf("set up, but the catalogue could not be copied: %w", err)
	}
	return answer, nil
}

// request is what is asked of the registry; with a password, the owner gets it.
func (c *setupCmd) request(ctx context.Context, core *server.Core, catalogue string) (q registry.SetupRequest, err error) {
	q = registry.SetupRequest{Organization: c.Organization, Email: c.Email, Catalogue: catalogue}
	if c.PasswordStdin {
		q.Within, err = core.Identity.FirstPassword(ctx, identity.Founding{Organization: c.Organization, Email: c.Email}, c.password)
	}
	return q, err
}

func alreadySetUp(ready bool) error {
	if ready {
		return registry.ErrSetUp
	}
	return nil
}

// catalogueText reads the file that is named, or the one that lies in the data directory already. Text is nil when there
// is neither.
func (c *setupCmd) catalogueText(kept string) (path string, text []byte, err error) {
	path = c.Catalogue
	if path == "" {
		path = kept
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && c.Catalogue == "" {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, catalogue.Limit+1))
	if err != nil {
		return path, nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return path, append([]byte{}, text...), nil
}

// stage writes the catalogue beside the place where it is kept and returns its name; empty: there is nothing to copy.
func stage(kept, from string, text []byte) (string, error) {
	if text == nil {
		return "", nil
	}
	if source, err := os.Stat(from); err == nil {
		if target, err := os.Stat(kept); err == nil && os.SameFile(source, target) {
			return "", nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(kept), ".catalogue-*")
	if err != nil {
		return "", fmt.Errorf("copying the catalogue: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("copying the catalogue: %w", err)
	}
	return f.Name(), nil
}
