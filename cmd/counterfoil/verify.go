package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/term"

	"github.com/counterfoil/counterfoil"
)

type verifyCmd struct {
	remote      `embed:""`
	Token       string   `arg:"" optional:"" help:"The token in question: - for stdin, @FILE for a file. Written out, it stays in the shell's history and shows to every user of the machine."`
	Permissions []string `name:"permission" short:"p" placeholder:"PERMISSION" help:"What it must hold; repeat it, or separate by commas."`
	Endpoint    string   `placeholder:"ENDPOINT" help:"What it must open, by the catalogue: \"GET /api/devices/7\"."`
	IP          string   `name:"ip" placeholder:"ADDRESS" help:"The end client's address, for IP filters."`
}

func (verifyCmd) Help() string {
	return `Exit status 0 where the token may be used, 1 where it may not. The token that asks, $COUNTERFOIL_TOKEN or --token-file, needs counterfoil.tokens:verify.

Example:

	counterfoil verify @client.token --permission devices:read --ip 10.1.2.3`
}

func (c *verifyCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	token, err := c.question(s)
	if err != nil {
		return err
	}
	v, err := api.Verify(ctx, counterfoil.Question{Token: token, Permissions: c.Permissions, Endpoint: c.Endpoint, IP: c.IP})
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(v)
	} else {
		err = s.verdict(v)
	}
	if err == nil && !v.Active {
		err = errRefused
	}
	return err
}

// question reads the token in question, without echo where a person types it.
func (c *verifyCmd) question(s *session) (string, error) {
	file, isFile := strings.CutPrefix(c.Token, "@")
	switch {
	case c.Token == "-":
		file = "-"
	case c.Token != "" && !isFile:
		return c.Token, nil
	case c.Token == "":
		file = "-"
		if fd, ok := s.terminal(); ok {
			fmt.Fprint(s.err, "Token: ")
			text, err := term.ReadPassword(fd)
			fmt.Fprintln(s.err)
			return strings.TrimSpace(string(text)), err
		}
	}
	text, err := s.read(file)
	if err != nil {
		return "", fmt.Errorf("reading the token in question: %w", err)
	}
	return strings.TrimSpace(text), nil
}

func (s *session) verdict(v counterfoil.Verdict) error {
	if !v.Active {
		hint := ""
		if v.Reference != "" {
			hint = v.Reference + "  (counterfoil refusal show " + v.Reference + ")"
		}
		return s.details("refused", string(v.Code), "message", v.Message, "reference", hint)
	}
	organization, owner := "", ""
	if v.Organization != nil {
		organization = v.Organization.Slug + " (" + v.Organization.ID + ")"
	}
	if v.Owner != nil {
		owner = v.Owner.Email + " (" + v.Owner.ID + ")"
	}
	if v.Token == nil {
		return s.details("accepted", string(v.Code))
	}
	return s.details("accepted", string(v.Code), "token", v.Token.Name+" ("+v.Token.ID+")", "kind", string(v.Token.Kind), "organization", organization, "owner", owner,
		"permissions", strings.Join(v.Token.Permissions, "\n"), "expires", exactly(v.Token.ExpiresAt, "never"))
}

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
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	r, err := api.Receipt(ctx, c.ID)
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
