package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/counterfoil/counterfoil"
)

type providerAdjustCmd struct {
	remote       `embed:""`
	Provider     string `required:"" placeholder:"PROVIDER" help:"The provider's id or slug."`
	Organization string `arg:"" help:"The organization's id; it may be deleted."`
	Month        string `required:"" placeholder:"YYYY-MM" help:"The final month that was billed wrongly."`
	Billable     *int   `placeholder:"N" help:"The seats that should have been billed."`
	License      string `enum:",standard,trial,nfr" default:"" placeholder:"LICENSE" help:"In place of --billable: the licence that it should have had for the whole month."`
	Plan         string `placeholder:"PLAN" help:"At which plan. Default: the one that was billed."`
	Reason       string `required:"" placeholder:"TEXT" help:"For whoever reads the report."`
	once         `embed:""`
}

func (providerAdjustCmd) Help() string {
	return "The final figures stay. It takes a system token.\n\nExample:\n\n\tcounterfoil provider adjust org_01a208c5fa5372ac8e1e947cdc580fae --provider northwind --month 2026-10 --license standard --reason \"was NFR by mistake\""
}

func (c *providerAdjustCmd) Run(ctx context.Context, s *session) error {
	if (c.Billable == nil) == (c.License == "") {
		return misused("name either --billable or --license")
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	made, err := api.CorrectUsage(ctx, counterfoil.UsageCorrection{Organization: c.Organization, Month: c.Month, Billable: c.Billable, License: counterfoil.License(c.License),
		Plan: c.Plan, Reason: c.Reason, Provider: c.Provider}, c.options()...)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(made)
	}
	return list(s, false, made.Data, "", []string{"MONTH", "ORGANIZATION", "PLAN", "BILLABLE", "WHY"}, func(u counterfoil.Usage) []string {
		return []string{u.Month, fmt.Sprintf("%s (%s)", u.Organization.Name, u.Organization.ID), u.Plan, strconv.Itoa(u.Licenses.Billable), u.BillableReason}
	})
}
