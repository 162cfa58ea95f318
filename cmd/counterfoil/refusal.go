package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type refusalCmd struct {
	List refusalListCmd `cmd:"" help:"List what was refused in the last 40 days, the latest first."`
	Show refusalShowCmd `cmd:"" help:"Explain the reference of a refused check."`
}

type refusalListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Token          string `placeholder:"TOKEN" help:"Of one token, by id or name."`
	Code           string `placeholder:"CODE" help:"For one reason, such as ip_not_allowed."`
	IP             string `name:"ip" placeholder:"ADDRESS" help:"From one address."`
}

func (refusalListCmd) Help() string {
	return "Example:\n\n\tcounterfoil refusal list --code missing_permission"
}

func (c *refusalListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	q := client.RefusalQuery{Code: counterfoil.Code(c.Code), IP: c.IP, Limit: 200}
	if c.Token != "" {
		if q.Token, err = tokenID(ctx, api, s.within(c.Org), c.Token); err != nil {
			return err
		}
	}
	refusals, err := collect(api.Refusals(ctx, s.within(c.Org), q))
	if err != nil {
		return err
	}
	return list(s, c.JSON, refusals, "Nothing was refused.", []string{"REFERENCE", "TOKEN", "REFUSED", "FROM", "FOR", "TIMES", "LAST"}, func(r counterfoil.Refusal) []string {
		return []string{r.ID, r.TokenID, string(r.Code), r.IP, cmp.Or(r.Endpoint, abridged(r.Asked)), fmt.Sprint(r.Count), relative(r.LastAt, time.Now())}
	})
}

type refusalShowCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Reference      string `arg:"" help:"ref_…, as the refused caller was told."`
}

func (refusalShowCmd) Help() string {
	return "Example:\n\n\tcounterfoil refusal show ref_01a208b9d5527372b9b2b475653c640d"
}

func (c *refusalShowCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	r, err := api.Refusal(ctx, s.within(c.Org), c.Reference)
	if err != nil || c.JSON {
		return s.answer(r, err)
	}
	times := exactly(&r.LastAt, "")
	if r.Count > 1 {
		times = fmt.Sprintf("%d times, first %s, last %s", r.Count, exactly(&r.FirstAt, ""), times)
	}
	err = s.details("refused", string(r.Code), "message", r.Message, "token", r.TokenID, "from", r.IP, "endpoint", r.Endpoint,
		"permissions", strings.Join(r.Asked, "\n"), "when", times)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	var rows [][]string
	for _, step := range r.Trace {
		rows = append(rows, []string{map[bool]string{true: "passed", false: "refused"}[step.Passed], step.Rule, step.Detail})
	}
	return s.table([]string{"", "RULE", "FOUND"}, rows)
}
