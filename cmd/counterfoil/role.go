package main

import (
	"context"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Make a role of the organization's own."`
	List   roleListCmd   `cmd:"" help:"List roles: built in, the catalogue's and the organization's own."`
	Edit   roleEditCmd   `cmd:"" help:"Set a role's permissions, for everybody who has it."`
	Delete roleDeleteCmd `cmd:"" help:"Delete a role that nobody has."`
}

func (s *session) role(r counterfoil.Role, asJSON bool) error {
	if asJSON {
		return s.json(r)
	}
	permissions := "none"
	if len(r.Permissions) > 0 {
		permissions = strings.Join(r.Permissions, "\n")
	}
	return s.details("id", r.ID, "name", r.Name, "from", r.Source, "permissions", permissions)
}

type roleCreateCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Name           string   `required:"" placeholder:"NAME" help:"Lower-case letters, digits, - and _."`
	Permissions    []string `name:"permission" short:"p" placeholder:"PERMISSION" help:"What it holds; repeat it, or separate by commas."`
	once           `embed:""`
}

func (roleCreateCmd) Help() string {
	return "Example:\n\n\tcounterfoil role create --name night-shift --permission devices:read,sites:read"
}

func (c *roleCreateCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	r, err := api.CreateRole(ctx, s.within(c.Org), counterfoil.RoleDraft{Name: c.Name, Permissions: append([]string{}, c.Permissions...)}, c.options()...)
	if err != nil {
		return err
	}
	return s.role(r, c.JSON)
}

type roleListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (roleListCmd) Help() string { return "Example:\n\n\tcounterfoil role list" }

func (c *roleListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	roles, err := api.Roles(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return list(s, c.JSON, roles, "No roles.", []string{"NAME", "FROM", "PERMISSIONS"}, func(r counterfoil.Role) []string {
		return []string{r.Name, r.Source, abridged(r.Permissions)}
	})
}

type roleEditCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Role           string   `arg:"" help:"The role's name or id."`
	Permissions    []string `name:"permission" short:"p" required:"" placeholder:"PERMISSION" help:"What it holds from now on, all of it; repeat it, or separate by commas. An empty one: nothing."`
}

func (roleEditCmd) Help() string {
	return "Example:\n\n\tcounterfoil role edit night-shift --permission devices:read"
}

func (c *roleEditCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	permissions := slices.DeleteFunc(append([]string{}, c.Permissions...), func(name string) bool { return name == "" })
	var answer client.Response
	r, err := api.EditRole(ctx, s.within(c.Org), c.Role, counterfoil.RoleEdit{Permissions: permissions}, client.Into(&answer))
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, r, answer.Receipt)
	}
	if err := s.role(r, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

type roleDeleteCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	sure           `embed:""`
	Role           string `arg:"" help:"The role's name or id."`
}

func (roleDeleteCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil role delete night-shift"
}

func (c *roleDeleteCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	if err := c.confirm(s, ask("Delete role %s?", c.Role)); err != nil {
		return err
	}
	var answer client.Response
	if err := api.DeleteRole(ctx, s.within(c.Org), c.Role, client.Into(&answer)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, answer.Receipt, "Deleted role %s.", c.Role)
}
