package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/catalogue"
)

type catalogueCmd struct {
	Show  catalogueShowCmd  `cmd:"" help:"Print the catalogue in force."`
	Apply catalogueApplyCmd `cmd:"" help:"Put a catalogue file in force, for every organization at once."`
	Check catalogueCheckCmd `cmd:"" help:"Say what is wrong with a catalogue file, by line. Needs no server."`
}

type catalogueShowCmd struct {
	remote `embed:""`
}

func (catalogueShowCmd) Help() string {
	return "Example:\n\n\tcounterfoil catalogue show > catalogue.yaml"
}

func (c *catalogueShowCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	source, err := api.Catalogue(ctx)
	if err != nil || c.JSON {
		return s.answer(map[string]string{"source": source}, err)
	}
	for line := range strings.Lines(source) {
		if _, err := fmt.Fprintln(s.out, printable(strings.TrimRight(line, "\r\n"))); err != nil {
			return err
		}
	}
	return nil
}

type catalogueApplyCmd struct {
	remote `embed:""`
	File   string `arg:"" help:"The catalogue file; - for stdin."`
}

func (catalogueApplyCmd) Help() string {
	return "The server's own file stays as it is, and is what a restart or SIGHUP applies: change it as well.\n\nExample:\n\n\tcounterfoil catalogue apply catalogue.yaml"
}

func (c *catalogueApplyCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	text, err := s.read(c.File)
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	var answer client.Response
	applied, err := api.ApplyCatalogue(ctx, text, client.Into(&answer))
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, map[string]bool{"applied": applied}, answer.Receipt)
	}
	if !applied {
		_, err = fmt.Fprintln(s.out, "It is in force already.")
		return err
	}
	_, err = fmt.Fprintln(s.out, "It is in force.")
	s.inForce(ctx, answer.Receipt)
	return err
}

type catalogueCheckCmd struct {
	File string `arg:"" help:"The catalogue file; - for stdin."`
	JSON bool   `name:"json" help:"Print what is wrong as JSON."`
}

func (catalogueCheckCmd) Help() string {
	return "Example:\n\n\tcounterfoil catalogue check catalogue.yaml"
}

func (c *catalogueCheckCmd) Run(s *session) error {
	text, err := s.read(c.File)
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	parsed, err := catalogue.Parse([]byte(text))
	if c.JSON {
		return s.checked(err)
	}
	if err != nil {
		return fmt.Errorf("%s has mistakes:\n  %s", c.File, mistakes(err))
	}
	own, endpoints := 0, 0
	for _, p := range parsed.Permissions() {
		if !strings.HasPrefix(p.Name, "counterfoil.") {
			own++
			endpoints += len(p.Endpoints)
		}
	}
	_, err = fmt.Fprintf(s.out, "%s is good: %s, %s, %s.\n", c.File, count(own, "permission"), count(endpoints, "endpoint"), count(len(parsed.Roles()), "role"))
	return err
}

// checked prints what is wrong with a catalogue: {"problems":[{"line":2,"detail":"…"}]}.
func (s *session) checked(err error) error {
	type problem struct {
		Line   int    `json:"line"`
		Detail string `json:"detail"`
	}
	problems := []problem{}
	var unread *catalogue.Error
	if errors.As(err, &unread) {
		for _, p := range unread.Problems {
			problems = append(problems, problem(p))
		}
	}
	if err := s.json(map[string][]problem{"problems": problems}); err != nil || len(problems) == 0 {
		return err
	}
	return errRefused
}

// mistakes lists what is wrong with a catalogue, one thing a line.
func mistakes(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n  ")
}

type permissionCmd struct {
	List permissionListCmd `cmd:"" help:"List the permissions that tokens can have, and what each opens."`
}

type permissionListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (permissionListCmd) Help() string { return "Example:\n\n\tcounterfoil permission list" }

func (c *permissionListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	permissions, err := api.Permissions(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return list(s, c.JSON, permissions, "No permissions.", []string{"NAME", "TITLE", "KINDS", "GRANTABLE", "OPENS"}, func(p client.GrantablePermission) []string {
		var kinds []string
		for _, k := range p.Kinds {
			kinds = append(kinds, string(k))
		}
		if len(kinds) == 0 {
			kinds = []string{"system"}
		}
		return []string{p.Name, p.Title, strings.Join(kinds, ", "), yes(p.Grantable), strings.Join(p.Endpoints, ", ")}
	})
}
