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
	return "Example:\n\n\tcounterfoil member add --email grace@example.com --name \"Grace Hopper\" --role operator"
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

func (memberShowCmd) Help() string { return "Example:\n\n\tcounterfoil member show grace@example.com" }

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
	return "What is not named stays as it is.\n\nExample:\n\n\tcounterfoil member edit grace@example.com --role operator --status active"
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
	if c.JSON {
		return s.changed(ctx, m, answer.Receipt)
	}
	if err := s.member(m, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

type memberRemoveCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	sure           `embed:""`
	Member         string `arg:"" help:"The member's id or e-mail address."`
}

func (memberRemoveCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil member remove grace@example.com"
}

func (c *memberRemoveCmd) Run(ctx context.Context, s *session) error {
	api, id, err := c.findMember(ctx, s, c.Org, c.Member)
	if err != nil {
		return err
	}
	if err := c.confirm(s, ask("Remove %s? Their tokens are refused at once, for good.", c.Member)); err != nil {
		return err
	}
	var answer client.Response
	if err := api.RemoveMember(ctx, c.Org, id, client.Into(&answer)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, answer.Receipt, "Removed %s.", c.Member)
}
