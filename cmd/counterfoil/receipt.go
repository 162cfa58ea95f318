package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
)

type receiptCmd struct {
	Show receiptShowCmd `cmd:"" help:"Show on which nodes a change took effect, and when."`
}

type receiptShowCmd struct {
	remote `embed:""`
	ID     string `arg:"" help:"rcp_…"`
}

func (receiptShowCmd) Help() string {
	return "Example:\n\n\tcounterfoil receipt show rcp_01a208b9d53f7785b96aa9eb2596d4b5"
}

func (c *receiptShowCmd) Run(ctx context.Context, s *session) error {
	if !strings.HasPrefix(c.ID, "rcp_") {
		return misused("%s is not a receipt's id: one looks like rcp_01a208b9d53f7785b96aa9eb2596d4b5", printable(c.ID))
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	r, err := api.Receipt(ctx, c.ID)
	if refusedAs(err, counterfoil.CodeNotFound) {
		return fmt.Errorf("there is no receipt %s of an organization of this token", printable(c.ID))
	}
	if err != nil || c.JSON {
		return s.answer(r, err)
	}
	fmt.Fprintln(s.out, receiptText("In force since", r))
	var rows [][]string
	for _, n := range r.Nodes {
		confirmed := "no: it stopped answering"
		if n.ConfirmedInMS != nil {
			confirmed = "after " + milliseconds(*n.ConfirmedInMS) + " ms"
		}
		rows = append(rows, []string{n.ID, confirmed})
	}
	return s.table([]string{"NODE", "CONFIRMED"}, rows)
}
