package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

type quickstartCmd struct {
	serveCmd `embed:""`
}

func (quickstartCmd) Help() string {
	return `Where the data directory is not set up yet, it gets an organization "Example" and the example catalogue. Each start makes new tokens that expire in 24 h; none is kept on disk.

Example:

	counterfoil quickstart --data ./data`
}

// exampleCatalogue is examples/catalogue.yaml; a test keeps the two alike.
//
//go:embed example.yaml
var exampleCatalogue []byte

// example is the slug of the organization that quickstart makes.
const example = "example"

func (c *quickstartCmd) Run(ctx context.Context, s *session) error {
	if err := c.free(); err != nil {
		return err
	}
	first := setupCmd{storage: c.storage, Organization: "Example", Email: "you@example.com"}
	fresh, err := first.setUp(ctx, exampleCatalogue)
	if err != nil && !errors.Is(err, registry.ErrSetUp) {
		return err
	}
	return c.serve(ctx, s, func(ctx context.Context, running *server.Server) error {
		return c.welcome(ctx, s, running, tryout{URL: running.URL, Console: running.Registry.ConsoleURL, Owner: fresh.OwnerToken})
	})
}

// free makes sure of both addresses before anything is set up.
func (c *quickstartCmd) free() error {
	var taken, flags []string
	for _, try := range []struct{ flag, address string }{{"listen", c.Listen}, {"admin-listen", c.AdminListen}} {
		if try.address == "-" && try.flag == "admin-listen" {
			continue
		}
		l, err := net.Listen("tcp", try.address)
		switch {
		case err == nil:
			defer l.Close() // the other one must not be the same
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, try.address)
			flags = append(flags, fmt.Sprintf("--%s ADDR or %s=… (make run)", try.flag, variableOf(strings.ReplaceAll(try.flag, "-", "_"))))
		default:
			return fmt.Errorf("listening: %w", err)
		}
	}
	switch len(taken) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("the address %s is in use: stop what listens there, or choose another with %s", taken[0], flags[0])
	}
	return fmt.Errorf("the addresses %s are in use: stop what listens there, or choose others with %s", strings.Join(taken, " and "), strings.Join(flags, " and "))
}

// welcome makes tokens to try and prints what to do with them. Where the example is no more what quickstart made, the
// service runs all the same.
func (c *quickstartCmd) welcome(ctx context.Context, s *session, running *server.Server, try tryout) error {
	err := try.issue(ctx, running.Registry)
	var refused *counterfoil.Error
	switch {
	case errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")):
		s.say("counterfoil: no token was made: %s was not set up by quickstart; use the tokens that \"counterfoil setup\" printed", c.Data)
		return nil
	case errors.As(err, &refused) && refused.Code != counterfoil.CodeUnavailable:
		s.say("counterfoil: no token was made: %v", s.explained(err))
		return nil
	case err != nil:
		return err
	}
	_, err = fmt.Fprint(s.out, try.text())
	return err
}

// issue makes the tokens that are not there yet, in the organization that quickstart set up.
func (t *tryout) issue(ctx context.Context, r *registry.Registry) error {
	org, err := r.Resolve(ctx, registry.Operator(), example)
	if err != nil {
		return err
	}
	owner, err := ownerOf(ctx, r, org)
	if err != nil {
		return err
	}
	personal, pick, err := personalPermissions(ctx, r, org)
	if err != nil {
		return err
	}
	t.Permission = pick
	if t.SignIn, err = signInLink(ctx, r, org, owner); err != nil {
		return err
	}
	life := int64(24 * 60 * 60)
	for _, wanted := range []struct {
		to    *string
		org   string
		draft counterfoil.Draft
	}{
		{&t.Token, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "quickstart", Owner: owner, Permissions: named(pick)}},
		{&t.Owner, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "quickstart: owner", Owner: owner, Permissions: personal}},
		{&t.System, "", counterfoil.Draft{Kind: counterfoil.KindSystem, Name: "quickstart: gateway", Permissions: []string{counterfoil.PermTokensVerify}}},
	} {
		if *wanted.to != "" {
			continue
		}
		wanted.draft.ExpiresIn = &life
		created, err := r.CreateToken(ctx, registry.Operator(), wanted.org, wanted.draft)
		if err != nil {
			return err
		}
		*wanted.to = created.Secret
	}
	return nil
}

// signInLink makes the address at which the owner sets a password; empty where they do that without one.
func signInLink(ctx context.Context, r *registry.Registry, org, owner string) (string, error) {
	link, err := r.LinkMember(ctx, registry.Operator(), org, owner)
	if errors.Is(err, counterfoil.Refuse(counterfoil.CodeMissingPermission, "")) {
		return "", nil
	}
	return link.URL, err
}

// ownerOf finds an active owner of the organization.
func ownerOf(ctx context.Context, r *registry.Registry, org string) (string, error) {
	for cursor := ""; ; {
		page, err := r.Members(ctx, registry.Operator(), org, "", cursor, 200)
		if err != nil {
			return "", err
		}
		for _, m := range page.Data {
			if m.Status == counterfoil.MemberActive && slices.Contains(m.Roles, counterfoil.RoleOwner) {
				return m.ID, nil
			}
		}
		if page.NextCursor == nil {
			return "", counterfoil.Refuse(counterfoil.CodeNotFound, "The example organization has no active owner.")
		}
		cursor = *page.NextCursor
	}
}

// personalPermissions lists what a personal token can hold, and picks one of the product's to try: devices:read where
// the catalogue has it. Pick is empty when the catalogue has none.
func personalPermissions(ctx context.Context, r *registry.Registry, org string) (all []string, pick string, err error) {
	rows, err := r.Permissions(ctx, registry.Operator(), org)
	for _, row := range rows {
		if !slices.Contains(row.Kinds, counterfoil.KindPersonal) {
			continue
		}
		all = append(all, row.Name)
		if (pick == "" || row.Name == "devices:read") && !counterfoil.IsReserved(row.Name) {
			pick = row.Name
		}
	}
	return all, pick, err
}

func named(permission string) []string {
	if permission == "" {
		return nil
	}
	return []string{permission}
}

// tryout is what quickstart prints.
type tryout struct{ URL, Console, SignIn, Permission, Token, Owner, System string }

func (t tryout) text() string {
	query, asked := "", ""
	if t.Permission != "" {
		query, asked = "?permission="+t.Permission, fmt.Sprintf(`,"permissions":[%q]`, t.Permission)
	}
	pages := t.Console + "\n"
	if t.SignIn != "" {
		pages = t.SignIn + "\n\n  It is good once, for 24 h. Afterwards: " + t.Console + "\n"
	}
	return strings.NewReplacer("{pages}", pages, "{command}", quoted(os.Args[0]), "{url}", t.URL, "{token}", t.Token, "{owner}", t.Owner, "{system}", t.System, "{query}", query, "{asked}", asked,
		"{permission}", t.Permission).Replace(`
A token, good for {permission} and for 24 h:

  {token}

Is it good? As a gateway asks, with the client's own token:

  curl -i -H "Authorization: Bearer {token}" "{url}/v1/authorize{query}"

As a backend asks, with a token of its own:

  curl -s {url}/v1/verify -H "Authorization: Bearer {system}" -H "Content-Type: application/json" -d '{"token":"{token}"{asked}}'

Revoke it, then ask again:

  curl -s -X DELETE -H "Authorization: Bearer {token}" {url}/v1/tokens/current

The console, in a browser: set a password for the owner, you@example.com, and sign in:

  {pages}
To read about every endpoint, and to try them: {url}/docs

To manage tokens from another terminal, as the owner:

  export COUNTERFOIL_URL={url} COUNTERFOIL_TOKEN={owner}
  {command} token list

Ctrl-C stops it. The next start prints new tokens.
`)
}
