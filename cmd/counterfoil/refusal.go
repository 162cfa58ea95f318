package main

import (
	"context"
	"fmt"
	"strings"
)

type refusalCmd struct {
	Show refusalShowCmd `cmd:"" help:"Explain the reference of a refused check."`
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
