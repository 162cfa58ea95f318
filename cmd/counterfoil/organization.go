package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type organizationCmd struct {
	Create organizationCreateCmd `cmd:"" help:"Make an organization. It has no members but those added."`
	List   organizationListCmd   `cmd:"" help:"List organizations."`
	Show   organizationShowCmd   `cmd:"" help:"Show an organization."`
	Edit   organizationEditCmd   `cmd:"" help:"Change, suspend or reactivate an organization."`
	Delete organizationDeleteCmd `cmd:"" help:"Delete an organization, for good."`

	Retention retentionCmd `cmd:"" help:"Show or set for how long the log is kept."`
}

func (s *session) organization(o counterfoil.Organization, asJSON bool) error {
	if asJSON {
		return s.json(o)
	}
	return s.details("id", o.ID, "slug", o.Slug, "name", o.Name, "status", string(o.Status), "plan", o.Plan, "license", string(o.License),
		"provider", providerOf(&o, nil), "data centre", o.DataCenter, "created", exactly(&o.CreatedAt, ""))
}

type organizationCreateCmd struct {
	remote     `embed:""`
	Name       string `required:"" placeholder:"NAME" help:"What people will know it by."`
	Slug       string `placeholder:"SLUG" help:"Usable in place of its id. Default: made of the name."`
	Plan       string `placeholder:"PLAN" help:"Default: the lowest."`
	License    string `enum:",standard,trial,nfr" default:"" placeholder:"LICENSE" help:"standard, trial or nfr. Default standard."`
	DataCenter string `placeholder:"NAME" help:"Default: the server's own."`
	Provider   bool   `help:"It manages other organizations."`
	once       `embed:""`
}

func (organizationCreateCmd) Help() string {
	return "Example:\n\n\tcounterfoil organization create --name \"Second House\""
}

func (c *organizationCreateCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	o, err := api.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: c.Name, Slug: c.Slug, Plan: c.Plan, License: counterfoil.License(c.License), DataCenter: c.DataCenter, Provider: c.Provider}, c.options()...)
	if err != nil {
		return err
	}
	return s.organization(o, c.JSON)
}

type organizationListCmd struct {
	remote `embed:""`
}

func (organizationListCmd) Help() string { return "Example:\n\n\tcounterfoil organization list" }

func (c *organizationListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	all, err := collect(api.Organizations(ctx, client.OrganizationQuery{Limit: 200}))
	if err != nil {
		return err
	}
	slugs := map[string]string{}
	for _, o := range all {
		slugs[o.ID] = o.Slug
	}
	return list(s, c.JSON, all, "No organizations.", []string{"ID", "SLUG", "NAME", "STATUS", "PLAN", "LICENSE", "PROVIDER", "CREATED"}, func(o counterfoil.Organization) []string {
		return []string{o.ID, o.Slug, o.Name, string(o.Status), o.Plan, string(o.License), providerOf(&o, slugs), relative(o.CreatedAt, time.Now())}
	})
}

// providerOf says whether an organization is a provider, or which one manages it.
func providerOf(o *counterfoil.Organization, slugs map[string]string) string {
	switch {
	case o.Provider:
		return "is one"
	case o.ManagedBy != nil:
		return cmp.Or(slugs[*o.ManagedBy], *o.ManagedBy)
	}
	return ""
}

type organizationShowCmd struct {
	remote       `embed:""`
	Organization string `arg:"" optional:"" default:"current" help:"Its id or slug. Default: the token's own."`
}

func (organizationShowCmd) Help() string {
	return "Example:\n\n\tcounterfoil organization show second-house"
}

func (c *organizationShowCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	o, err := api.Organization(ctx, s.within(c.Organization))
	if err != nil {
		return err
	}
	return s.organization(o, c.JSON)
}

type organizationEditCmd struct {
	remote       `embed:""`
	Organization string  `arg:"" optional:"" default:"current" help:"Its id or slug. Default: the token's own."`
	Name         *string `placeholder:"NAME" help:"A new name."`
	Plan         *string `placeholder:"PLAN" help:"Another plan."`
	License      string  `enum:",standard,trial,nfr" default:"" placeholder:"LICENSE" help:"standard, trial or nfr."`
	Status       string  `enum:",active,suspended" default:"" placeholder:"STATUS" help:"active or suspended."`
	DataCenter   *string `placeholder:"NAME" help:"Another data centre."`
}

func (organizationEditCmd) Help() string {
	return "What is not named stays as it is. An organization's own tokens may change its name only.\n\nExample:\n\n\tcounterfoil organization edit second-house --status suspended"
}

func (c *organizationEditCmd) Run(ctx context.Context, s *session) error {
	e := counterfoil.OrganizationEdit{Name: c.Name, Plan: c.Plan, DataCenter: c.DataCenter}
	if c.License != "" {
		e.License = new(counterfoil.License(c.License))
	}
	if c.Status != "" {
		e.Status = new(counterfoil.OrgStatus(c.Status))
	}
	if e == (counterfoil.OrganizationEdit{}) {
		return misused("name what to change")
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	var answer client.Response
	o, err := api.EditOrganization(ctx, s.within(c.Organization), e, client.Into(&answer))
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, o, answer.Receipt)
	}
	if err := s.organization(o, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

type organizationDeleteCmd struct {
	remote       `embed:""`
	sure         `embed:""`
	Organization string `arg:"" help:"Its id or slug."`
}

func (organizationDeleteCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil organization delete second-house"
}

func (c *organizationDeleteCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	err = c.confirm(s, func() (string, error) {
		o, err := api.Organization(ctx, s.within(c.Organization))
		return fmt.Sprintf("Delete organization %s (%s)? All its tokens are refused at once, and it cannot be undone.", printable(o.Name), printable(o.Slug)), err
	})
	if err != nil {
		return err
	}
	var answer client.Response
	if err := api.DeleteOrganization(ctx, s.within(c.Organization), client.Into(&answer)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, answer.Receipt, "Deleted organization %s.", c.Organization)
}
