package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
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
	return `Where the data directory is not set up yet, it gets an organization "Example" and the example catalogue. Each start makes new tokens that expire in 24 h, in place of those that the start before made; none is kept on disk.

Example:

	counterfoil quickstart --data ./data`
}

// exampleCatalogue is examples/catalogue.yaml; a test keeps the two alike.
//
//go:embed example.yaml
var exampleCatalogue []byte

// example is the slug of the organization that quickstart makes, and exampleOwner the e-mail address of its owner.
const (
	example      = "example"
	exampleOwner = "you@example.com"
)

func (c *quickstartCmd) Run(ctx context.Context, s *session) error {
	if err := c.free(); err != nil {
		return err
	}
	first := setupCmd{storage: c.storage, Organization: "Example", Email: exampleOwner}
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
	for _, try := range []struct{ flag, address string }{{"listen", c.Listen}, {"admin-listen", c.AdminListen}, {"envoy-listen", c.EnvoyListen}} {
		if try.address == "" || try.address == "-" && try.flag == "admin-listen" {
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
	err := try.issue(ctx, running)
	var refused *counterfoil.Error
	switch {
	case errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")):
		s.say("counterfoil: no token was made: %s was not set up by quickstart; use the tokens that \"counterfoil setup\" printed", c.Data)
		return nil
	case errors.As(err, &refused) && refused.Code != counterfoil.CodeUnavailable:
		s.say("counterfoil: no token was made: %v", s.explained(nil, err))
		return nil
	case err != nil:
		return err
	}
	_, err = fmt.Fprint(s.out, try.text())
	return err
}
