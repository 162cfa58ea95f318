package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
)

type retentionCmd struct {
	remote       `embed:""`
	Organization string `arg:"" optional:"" default:"current" help:"Its id or slug. Default: the token's own."`
	Days         *int64 `xor:"days" placeholder:"N" help:"Keep the log for so many days, 30 at least. What is older is removed for good."`
	Forever      bool   `xor:"days" help:"Keep the log for ever."`
	Default      bool   `xor:"days" help:"Keep the log as the instance does by default."`
}

func (retentionCmd) Help() string {
	return "It shows what holds, and sets it first where a flag says so.\n\nExample:\n\n\tcounterfoil organization retention --days 400"
}

func (c *retentionCmd) Run(ctx context.Context, s *session) error {
	if c.Days != nil && *c.Days < counterfoil.LeastRetentionDays {
		return misused("--days: give at least %d, or --forever in its place", counterfoil.LeastRetentionDays)
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	org := s.within(c.Organization)
	switch {
	case c.Days != nil:
		_, err = api.SetRetention(ctx, org, *c.Days)
	case c.Forever:
		_, err = api.SetRetention(ctx, org, 0)
	case c.Default:
		err = api.UnsetRetention(ctx, org)
	}
	if err != nil {
		return err
	}
	r, err := api.Retention(ctx, org)
	if err != nil || c.JSON {
		return s.answer(r, err)
	}
	return s.details("kept", kept(r))
}

// kept is a retention in words.
func kept(r counterfoil.Retention) string {
	text := "for ever"
	if r.EffectiveDays > 0 {
		text = fmt.Sprintf("for %d days", r.EffectiveDays)
	}
	if r.Days == nil {
		text += ", as the instance does by default"
	}
	return text
}
