package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type providerCreateCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
	Name       string `required:"" placeholder:"NAME" help:"What people will know it by."`
	Slug       string `placeholder:"SLUG" help:"Usable in place of its id. Default: made of the name."`
	Plan       string `placeholder:"PLAN" help:"Default: the lowest."`
	License    string `enum:",standard,trial,nfr" default:"" placeholder:"LICENSE" help:"standard, trial (14 days) or nfr (free; a provider has one). Default standard."`
	DataCenter string `placeholder:"NAME" help:"Default: the server's own."`
	once       `embed:""`
}

func (providerCreateCmd) Help() string {
	return "Example:\n\n\tcounterfoil provider create-organization --provider northwind --name \"Third House\" --license trial"
}

func (c *providerCreateCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	o, err := api.CreateManagedOrganization(ctx, counterfoil.ManagedDraft{Name: c.Name, Slug: c.Slug, Plan: c.Plan, License: counterfoil.License(c.License),
		DataCenter: c.DataCenter, Provider: c.Provider}, c.options()...)
	if err != nil {
		return err
	}
	return s.organization(o.Organization, c.JSON)
}

type providerAssignCmd struct {
	remote        `embed:""`
	ofProvider    `embed:""`
	Technician    string   `arg:"" help:"The member's id or e-mail address."`
	Organizations []string `arg:"" optional:"" name:"organization" help:"The ids or slugs of the organizations, all of them."`
	None          bool     `help:"Take every organization away."`
}

func (providerAssignCmd) Help() string {
	return "What is not named is taken away. Without any organization it shows those that are assigned.\n\nExample:\n\n\tcounterfoil provider assign tess@northwind.example org_01a208c5fa5372ac8e1e947cdc580fae --provider northwind"
}

func (c *providerAssignCmd) Run(ctx context.Context, s *session) error {
	if c.None && len(c.Organizations) > 0 {
		return misused("name organizations, or --none")
	}
	of := cmp.Or(c.Provider, "current")
	api, id, err := c.findMember(ctx, s, of, c.Technician)
	if err != nil {
		return err
	}
	wanted, err := c.wanted(ctx, api)
	if err != nil {
		return err
	}
	var answer client.Response
	var now counterfoil.Assignments
	if c.None || len(c.Organizations) > 0 {
		now, err = api.SetAssignments(ctx, of, id, wanted, client.Into(&answer))
	} else {
		now, err = api.Assignments(ctx, of, id)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, now, answer.Receipt)
	}
	if err := list(s, false, now.Organizations, "No organization is assigned.", []string{"ORGANIZATION"}, func(id string) []string { return []string{id} }); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

// wanted is the ids of the organizations that were named.
func (c *providerAssignCmd) wanted(ctx context.Context, api *client.Client) ([]string, error) {
	isID := func(name string) bool { return strings.HasPrefix(name, "org_") } // a slug has no _
	if !slices.ContainsFunc(c.Organizations, func(name string) bool { return !isID(name) }) {
		return c.Organizations, nil
	}
	bySlug := map[string]string{}
	for o, err := range api.ManagedOrganizations(ctx, client.ManagedQuery{Provider: c.Provider, Limit: 200}) {
		if err != nil {
			return nil, err
		}
		bySlug[o.Slug] = o.ID
	}
	ids := make([]string, len(c.Organizations))
	for i, name := range c.Organizations {
		if ids[i] = name; isID(name) {
			continue
		}
		if ids[i] = bySlug[name]; ids[i] == "" {
			return nil, fmt.Errorf("the provider manages no organization %q: counterfoil provider organizations lists them", name)
		}
	}
	return ids, nil
}
