package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type memberCmd struct {
	Add    memberAddCmd    `cmd:"" help:"Add a member. A new one is invited until made active."`
	List   memberListCmd   `cmd:"" help:"List members."`
	Show   memberShowCmd   `cmd:"" help:"Show a member."`
	Edit   memberEditCmd   `cmd:"" help:"Change a member's roles or status."`
	Remove memberRemoveCmd `cmd:"" help:"Remove a member. Their tokens stop at once."`
}

// memberID finds the id of a member who was named by id or e-mail address.
func memberID(ctx context.Context, api *client.Client, org, name string) (string, error) {
	if strings.HasPrefix(name, "mem_") {
		return name, nil
	}
	for m, err := range api.Members(ctx, org, client.MemberQuery{Text: name, Limit: 200}) {
		if err != nil {
			return "", err
		}
		if strings.EqualFold(m.Email, name) {
			return m.ID, nil
		}
	}
	return "", fmt.Errorf("there is no member with the e-mail address %q here", name)
}

func (r *remote) findMember(ctx context.Context, s *session, org, name string) (api *client.Client, id string, err error) {
	if api, err = r.dial(s); err != nil {
		return nil, "", err
	}
	id, err = memberID(ctx, api, s.within(org), name)
	return api, id, err
}

func (s *session) member(m counterfoil.Member, asJSON bool) error {
	if asJSON {
		return s.json(m)
	}
	external := ""
	if m.ExternalID != nil {
		external = *m.ExternalID
	}
	return s.details("id", m.ID, "user", m.UserID, "email", m.Email, "name", m.Name, "roles", strings.Join(m.Roles, ", "), "status", string(m.Status),
		"external id", external, "added", exactly(&m.CreatedAt, ""))
}

type memberAddCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Email          string   `required:"" placeholder:"E" help:"Their e-mail address."`
	Name           string   `required:"" placeholder:"NAME" help:"What people call them."`
	Roles          []string `name:"role" placeholder:"ROLE" default:"member" help:"Their roles; repeat it, or separate by commas. Default member."`
	ExternalID     string   `name:"external-id" placeholder:"ID" help:"The product's own id for the person."`
	once           `embed:""`
}

func (memberAddCmd) Help() string {
	return "Example:\n\n\tcounterfoil member add --email ada@example.com --name \"Ada Lovelace\" --role operator"
}

func (c *memberAddCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	m, err := api.AddMember(ctx, s.within(c.Org), counterfoil.MemberDraft{Email: c.Email, Name: c.Name, Roles: c.Roles, ExternalID: c.ExternalID}, c.options()...)
	if err != nil {
		return err
	}
	return s.member(m, c.JSON)
}

type memberListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Search         string `short:"q" placeholder:"TEXT" help:"Part of the e-mail address or name."`
}

func (memberListCmd) Help() string { return "Example:\n\n\tcounterfoil member list" }

func (c *memberListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	members, err := collect(api.Members(ctx, s.within(c.Org), client.MemberQuery{Text: c.Search, Limit: 200}))
	if err != nil {
		return err
	}
	return list(s, c.JSON, members, "No members.", []string{"ID", "EMAIL", "NAME", "ROLES", "STATUS", "ADDED"}, func(m counterfoil.Member) []string {
		return []string{m.ID, m.Email, m.Name, strings.Join(m.Roles, ", "), string(m.Status), relative(m.CreatedAt, time.Now())}
	})
}

type memberShowCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Member         string `arg:"" help:"The member's id or e-mail address."`
}

func (memberShowCmd) Help() string { return "Example:\n\n\tcounterfoil member show ada@example.com" }

func (c *memberShowCmd) Run(ctx context.Context, s *session) error {
	api, id, err := c.findMember(ctx, s, c.Org, c.Member)
	if err != nil {
		return err
	}
	m, err := api.Member(ctx, c.Org, id)
	if err != nil {
		return err
	}
	return s.member(m, c.JSON)
}

type memberEditCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Member         string   `arg:"" help:"The member's id or e-mail address."`
	Roles          []string `name:"role" placeholder:"ROLE" help:"Their roles from now on, all of them; repeat it, or separate by commas."`
	Status         string   `enum:",invited,active,suspended" default:"" placeholder:"STATUS" help:"invited, active or suspended."`
}

func (memberEditCmd) Help() string {
	return "What is not named stays as it is.\n\nExample:\n\n\tcounterfoil member edit ada@example.com --role operator --status active"
}

func (c *memberEditCmd) Run(ctx context.Context, s *session) error {
	var e counterfoil.MemberEdit
	if c.Roles != nil {
		roles := slices.DeleteFunc(c.Roles, func(name string) bool { return name == "" })
		e.Roles = &roles
	}
	if c.Status != "" {
		e.Status = new(counterfoil.MemberStatus(c.Status))
	}
	if e == (counterfoil.MemberEdit{}) {
		return misused("name what to change")
	}
	api, id, err := c.findMember(ctx, s, c.Org, c.Member)
	if err != nil {
		return err
	}
	var answer client.Response
	m, err := api.EditMember(ctx, c.Org, id, e, client.Into(&answer))
	if err != nil {
		return err
	}
	if err := s.member(m, c.JSON); err != nil {
		return err
	}
	s.inForce(answer.Receipt)
	return nil
}

type memberRemoveCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	sure           `embed:""`
	Member         string `arg:"" help:"The member's id or e-mail address."`
}

func (memberRemoveCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil member remove ada@example.com"
}

func (c *memberRemoveCmd) Run(ctx context.Context, s *session) error {
	api, id, err := c.findMember(ctx, s, c.Org, c.Member)
	if err != nil {
		return err
	}
	if err := c.confirm(s, ask("Remove %s? Their tokens are refused at once, for good.", c.Member)); err != nil {
		return err
	}
	if err := api.RemoveMember(ctx, c.Org, id); err != nil {
		return err
	}
	return s.gone(c.JSON, "Removed %s.", c.Member)
}

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
	if err := s.role(r, c.JSON); err != nil {
		return err
	}
	s.inForce(answer.Receipt)
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
	if err := api.DeleteRole(ctx, s.within(c.Org), c.Role); err != nil {
		return err
	}
	return s.gone(c.JSON, "Deleted role %s.", c.Role)
}
