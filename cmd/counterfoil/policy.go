package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type policyCmd struct {
	List    policyListCmd    `cmd:"" help:"List the security policy of each kind of token."`
	Show    policyShowCmd    `cmd:"" help:"Show the security policy of one kind of token."`
	Preview policyPreviewCmd `cmd:"" help:"Say which tokens a change of policy would refuse. Changes nothing."`
	Set     policySetCmd     `cmd:"" help:"Change a security policy. It holds at once, for every token of its kind."`
}

// policyKind is the argument that names a policy.
type policyKind struct {
	Kind string `arg:"" enum:"personal,organization,integration" help:"personal, organization or integration."`
}

// policyTerms is the flags that change a policy.
type policyTerms struct {
	Allowed           *bool     `negatable:"" help:"Whether tokens of this kind are accepted at all."`
	MaxLifetime       *lifetime `placeholder:"TIME" help:"The longest lifetime, counted from a token's last renewal: 365d, or none."`
	DefaultLifetime   *lifetime `placeholder:"TIME" help:"The lifetime of a token made without an expiry: 90d, or none."`
	ExpiryRequired    *bool     `negatable:"" help:"Whether a token must expire."`
	EnforcedIPFilter  *string   `name:"enforced-ip-filter" placeholder:"FILTER" help:"An IP filter for all of them, by id or name."`
	NoEnforcedFilter  bool      `name:"no-enforced-ip-filter" help:"No IP filter for all of them."`
	CustomIPFilters   *bool     `name:"custom-ip-filters" negatable:"" help:"Whether a token may have an IP filter of its own."`
	PermissionUpdates *bool     `negatable:"" help:"Whether the permissions of existing tokens may change."`
}

func (t policyTerms) edit() (e counterfoil.PolicyEdit, err error) {
	e = counterfoil.PolicyEdit{Allowed: t.Allowed, MaxLifetimeSeconds: (*int64)(t.MaxLifetime), DefaultLifetimeSeconds: (*int64)(t.DefaultLifetime),
		ExpiryRequired: t.ExpiryRequired, CustomIPFilterAllowed: t.CustomIPFilters, PermissionUpdatesAllowed: t.PermissionUpdates}
	if e.EnforcedIPFilter, err = filterOrNone("enforced-ip-filter", t.EnforcedIPFilter, t.NoEnforcedFilter); err != nil {
		return e, err
	}
	if e == (counterfoil.PolicyEdit{}) {
		return e, misused("name what to change")
	}
	return e, nil
}

type policyListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (policyListCmd) Help() string { return "Example:\n\n\tcounterfoil policy list" }

func (c *policyListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	policies, err := api.Policies(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return list(s, c.JSON, policies, "No policies.", []string{"KIND", "ALLOWED", "LONGEST", "DEFAULT", "EXPIRY", "ENFORCED IP FILTER"}, func(p counterfoil.Policy) []string {
		filter := "none"
		if p.EnforcedIPFilter != nil {
			filter = *p.EnforcedIPFilter
		}
		return []string{string(p.Kind), yes(p.Allowed), lasts(p.MaxLifetimeSeconds, "unlimited"), lasts(p.DefaultLifetimeSeconds, "none"),
			map[bool]string{true: "required", false: "optional"}[p.ExpiryRequired], filter}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type policyShowCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	policyKind     `embed:""`
}

func (policyShowCmd) Help() string { return "Example:\n\n\tcounterfoil policy show personal" }

func (c *policyShowCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	p, err := api.Policy(ctx, s.within(c.Org), counterfoil.Kind(c.Kind))
	if err != nil {
		return err
	}
	return s.policy(p, c.JSON)
}

func (s *session) policy(p counterfoil.Policy, asJSON bool) error {
	if asJSON {
		return s.json(p)
	}
	filter := "none"
	if p.EnforcedIPFilter != nil {
		filter = *p.EnforcedIPFilter
	}
	return s.details("kind", string(p.Kind), "allowed", yes(p.Allowed), "longest lifetime", lasts(p.MaxLifetimeSeconds, "unlimited"),
		"default lifetime", lasts(p.DefaultLifetimeSeconds, "none"), "expiry required", yes(p.ExpiryRequired), "enforced ip filter", filter,
		"own ip filters", yes(p.CustomIPFilterAllowed), "permission updates", yes(p.PermissionUpdatesAllowed))
}

type policyPreviewCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	policyKind     `embed:""`
	policyTerms    `embed:""`
}

func (policyPreviewCmd) Help() string {
	return "It judges the recorded use of the last 30 days.\n\nExample:\n\n\tcounterfoil policy preview personal --max-lifetime 30d --default-lifetime 30d"
}

func (c *policyPreviewCmd) Run(ctx context.Context, s *session) error {
	e, err := c.edit()
	if err != nil {
		return err
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	p, err := api.PreviewPolicy(ctx, s.within(c.Org), counterfoil.Kind(c.Kind), e)
	if err != nil || c.JSON {
		return s.answer(p, err)
	}
	fmt.Fprintln(s.out, previewText(p))
	if len(p.Tokens) == 0 {
		return nil
	}
	var rows [][]string
	for _, t := range p.Tokens {
		rows = append(rows, []string{t.ID, t.Name, string(t.Code)})
	}
	return s.table([]string{"ID", "NAME", "WHY"}, rows)
}

func previewText(p counterfoil.PolicyPreview) string {
	return fmt.Sprintf("It would refuse %s, with %s of the last 30 days.", count(p.RefusedTokens, "token"), count(int(p.RefusedRequests30d), "request"))
}

type policySetCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	policyKind     `embed:""`
	policyTerms    `embed:""`
	sure           `embed:""`
	AllowLockOut   bool `help:"Save it even if it refuses the very token that saves it."`
}

func (policySetCmd) Help() string {
	return "What is not named stays as it is. On a terminal it says first which tokens it would refuse, if any, and asks.\n\nExample:\n\n\tcounterfoil policy set personal --max-lifetime 90d --enforced-ip-filter office"
}

func (c *policySetCmd) Run(ctx context.Context, s *session) error {
	e, err := c.edit()
	if err != nil {
		return err
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	kind := counterfoil.Kind(c.Kind)
	err = c.confirm(s, func() (string, error) {
		p, err := api.PreviewPolicy(ctx, s.within(c.Org), kind, e)
		if err != nil || p.RefusedTokens == 0 {
			return "", err
		}
		return breaking(p), nil
	})
	if err != nil {
		return err
	}
	var answer client.Response
	options := []client.CallOption{client.Into(&answer)}
	if c.AllowLockOut {
		options = append(options, client.AllowLockOut())
	}
	p, err := api.SetPolicy(ctx, s.within(c.Org), kind, e, options...)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, p, answer.Receipt)
	}
	if err := s.policy(p, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

// breaking names what a policy would refuse, for the question whether to save it.
func breaking(p counterfoil.PolicyPreview) string {
	var names []string
	for _, t := range p.Tokens[:min(5, len(p.Tokens))] {
		names = append(names, printable(t.Name))
	}
	if more := p.RefusedTokens - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%s: %s. Save it?", strings.TrimSuffix(previewText(p), "."), strings.Join(names, ", "))
}
