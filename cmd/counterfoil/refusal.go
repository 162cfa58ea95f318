package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
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
	Token          string `placeholder:"TOKEN" help:"Of one token, by id or name; a revoked one too."`
	Code           string `placeholder:"CODE" help:"For one reason, such as ip_not_allowed."`
	IP             string `name:"ip" placeholder:"ADDRESS" help:"From one address."`
	Limit          int    `default:"50" placeholder:"N" help:"How many at most. Default 50."`
}

func (refusalListCmd) Help() string {
	return "Example:\n\n\tcounterfoil refusal list --code missing_permission"
}

func (c *refusalListCmd) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	q := client.RefusalQuery{Code: counterfoil.Code(c.Code), IP: c.IP, Limit: min(c.Limit, 200)}
	if c.Token != "" {
		if q.Token, err = refusedToken(ctx, api, s.within(c.Org), c.Token); err != nil {
			return err
		}
	}
	var refusals []counterfoil.Refusal
	for r, err := range api.Refusals(ctx, s.within(c.Org), q) {
		if err != nil {
			return err
		}
		if refusals = append(refusals, r); len(refusals) >= c.Limit {
			break
		}
	}
	return list(s, c.JSON, refusals, "Nothing was refused.", []string{"REFERENCE", "TOKEN", "REFUSED", "FROM", "FOR", "TIMES", "LAST"}, func(r counterfoil.Refusal) []string {
		return []string{r.ID, r.TokenID, string(r.Code), r.IP, cmp.Or(r.Endpoint, abridged(r.Asked)), fmt.Sprint(r.Count), relative(r.LastAt, time.Now())}
	})
}

// check says all that is wrong with the flags.
func (c *refusalListCmd) check() error {
	var wrong []string
	if c.Code != "" && !slices.Contains(counterfoil.RefusalCodes, counterfoil.Code(c.Code)) {
		codes := make([]string, len(counterfoil.RefusalCodes))
		for i, code := range counterfoil.RefusalCodes {
			codes[i] = string(code)
		}
		wrong = append(wrong, "--code: give one of "+strings.Join(codes, ", "))
	}
	if c.IP != "" {
		if _, err := netip.ParseAddr(c.IP); err != nil {
			wrong = append(wrong, "--ip: this is not an IP address")
		}
	}
	if c.Limit < 1 {
		wrong = append(wrong, "--limit: give a number from 1 on")
	}
	if len(wrong) > 0 {
		return misused("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

// refusedToken is tokenID, also of a token that was revoked since, where no other has the name.
func refusedToken(ctx context.Context, api *client.Client, org, name string) (string, error) {
	id, err := tokenID(ctx, api, org, name)
	if err == nil {
		return id, nil
	}
	revoked, failed := namedTokens(ctx, api, org, name, counterfoil.StatusRevoked)
	switch live, seen := namedTokens(ctx, api, org, name, ""); {
	case failed != nil || seen != nil || len(live) > 0 || name == current:
		return "", err
	case len(revoked) == 0:
		return "", fmt.Errorf("there is no token %q here", name)
	case len(revoked) > 1:
		return "", fmt.Errorf("%s are named %q, all revoked: name one by its id: %s", count(len(revoked), "token"), name, strings.Join(revoked, ", "))
	}
	return revoked[0], nil
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
	if !strings.HasPrefix(c.Reference, "ref_") {
		return misused("%s is not a reference: one looks like ref_01a208b9d5527372b9b2b475653c640d, and counterfoil refusal list has them", printable(c.Reference))
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	r, err := api.Refusal(ctx, s.within(c.Org), c.Reference)
	if refusedAs(err, counterfoil.CodeNotFound) && !(s.system && c.Org == client.Current) {
		return fmt.Errorf("there is no refusal %s here: it is kept for 40 days, where the refused token belongs", printable(c.Reference))
	}
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
