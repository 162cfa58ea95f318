package main

import (
	"context"
	"fmt"
	"os"
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
	if err == nil && token == "" {
		err = misused("no token was given: name a file that holds it, as @FILE, or bring it to stdin")
	}
	if err != nil {
		return err
	}
	v, err := api.Verify(ctx, counterfoil.Question{Token: token, Permissions: c.Permissions, Endpoint: c.Endpoint, IP: c.IP})
	if err != nil {
		return err
	}
	switch {
	case !c.JSON:
		err = s.verdict(v)
	case v.Active:
		err = s.json(accepted{v.Active, v.Code, v.Token, v.Organization, v.Owner})
	default:
		err = s.json(v)
	}
	if err == nil && !v.Active {
		err = errRefused
	}
	return err
}

// accepted is a verdict in which null is written, as the API does.
type accepted struct {
	Active       bool                             `json:"active"`
	Code         counterfoil.Code                 `json:"code"`
	Token        *counterfoil.VerdictToken        `json:"token"`
	Organization *counterfoil.VerdictOrganization `json:"organization"`
	Owner        *counterfoil.VerdictOwner        `json:"owner"`
}

// question reads the token in question, without echo where a person types it.
func (c *verifyCmd) question(s *session) (string, error) {
	file, isFile := strings.CutPrefix(c.Token, "@")
	switch {
	case c.Token == "-":
		file = "-"
	case c.Token != "" && !isFile:
		if _, err := os.Stat(c.Token); err == nil {
			return "", misused("%s is a file: for the token in it say @%[1]s", c.Token)
		}
		return c.Token, nil
	case c.Token == "":
		file = "-"
		if t, ok := s.terminal(); ok {
			defer t.Close()
			fmt.Fprint(t, "Token: ")
			text, err := term.ReadPassword(t.in)
			fmt.Fprintln(t)
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
			hint = v.Reference + "  (counterfoil refusal show " + v.Reference
			if s.system { // which belongs to no organization, and a refusal does not say whose token it was
				hint += " --org ORG"
			}
			hint += ")"
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
