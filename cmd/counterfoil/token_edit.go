package main

import (
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// tokenChange is the flags that change a token of any kind.
type tokenChange struct {
	ID            string   `arg:"" name:"token" help:"The token's id, or its name."`
	Name          *string  `placeholder:"NAME" help:"A new name."`
	Permissions   []string `name:"permission" short:"p" placeholder:"PERMISSION" help:"What it may do from now on, all of it; repeat it, or separate by commas."`
	NoPermissions bool     `help:"It may do nothing from now on."`
	Expires       expiry   `placeholder:"WHEN" help:"90d from now, 12h, 30m, a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z, or never."`
}

func (c tokenChange) edit() (e counterfoil.Edit, err error) {
	e.Name = c.Name
	switch {
	case c.NoPermissions && c.Permissions != nil:
		return e, misused("--permission and --no-permissions are both given: which one?")
	case c.NoPermissions:
		e.Permissions = &[]string{}
	case c.Permissions != nil:
		e.Permissions = &c.Permissions
	}
	if c.Expires.given {
		at := c.Expires.time(time.Now())
		e.ExpiresAt = &at
	}
	return e, nil
}

type tokenEditCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	tokenChange    `embed:""`
	IPFilter       *string `name:"ip-filter" placeholder:"FILTER" help:"An IP filter of its own, by id or name."`
	NoIPFilter     bool    `name:"no-ip-filter" help:"It has no IP filter of its own from now on."`
}

func (tokenEditCmd) Help() string {
	return "What is not named stays as it is.\n\nExample:\n\n\tcounterfoil token edit tok_4fZr81bQx0Lm --permission devices:read,sites:read --expires 30d"
}

func (c *tokenEditCmd) Run(ctx context.Context, s *session) error {
	e, err := c.edit()
	if err != nil {
		return err
	}
	if e.IPFilter, err = filterOrNone("ip-filter", c.IPFilter, c.NoIPFilter); err != nil {
		return err
	}
	return c.change(ctx, s, c.inOrganization, c.ID, e)
}

// filterOrNone is the filter of a flag, nil where it was not given, and empty where its opposite was. A name that is
// empty by mistake, such as that of an unset variable, takes no filter away.
func filterOrNone(flag string, name *string, none bool) (*string, error) {
	switch {
	case none && name != nil:
		return nil, misused("--%s and --no-%[1]s are both given: which one?", flag)
	case none:
		return new(""), nil
	case name != nil && *name == "":
		return nil, misused("--%s is empty: name a filter, or say --no-%[1]s", flag)
	}
	return name, nil
}

type systemTokenEditCmd struct {
	remote      `embed:""`
	tokenChange `embed:""`
}

func (systemTokenEditCmd) Help() string {
	return "What is not named stays as it is.\n\nExample:\n\n\tcounterfoil system-token edit gateway --expires 365d"
}

func (c *systemTokenEditCmd) Run(ctx context.Context, s *session) error {
	e, err := c.edit()
	if err != nil {
		return err
	}
	return c.change(ctx, s, inInstance{}, c.ID, e)
}

// change edits a token and prints it as it is then.
func (r *remote) change(ctx context.Context, s *session, in place, name string, e counterfoil.Edit) error {
	if e == (counterfoil.Edit{}) {
		return misused("name what to change")
	}
	api, id, err := r.find(ctx, s, in, name)
	if err != nil {
		return err
	}
	var answer client.Response
	t, err := api.EditToken(ctx, in.place(), id, e, client.Into(&answer))
	if err != nil {
		return err
	}
	if r.JSON {
		return s.changed(ctx, t, answer.Receipt)
	}
	if err := s.token(ctx, api, in.place(), t, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

type tokenPauseCmd[P place] struct {
	remote `embed:""`
	In     P      `embed:""`
	ID     string `arg:"" name:"token" help:"The token's id, or its name."`
}

func (c tokenPauseCmd[P]) Help() string {
	return "Example:\n\n\tcounterfoil " + c.In.noun() + " pause tok_4fZr81bQx0Lm"
}

func (c *tokenPauseCmd[P]) Run(ctx context.Context, s *session) error {
	return c.change(ctx, s, c.In, c.ID, counterfoil.Edit{Paused: new(true)})
}

type tokenResumeCmd[P place] struct {
	remote `embed:""`
	In     P      `embed:""`
	ID     string `arg:"" name:"token" help:"The token's id, or its name."`
}

func (c tokenResumeCmd[P]) Help() string {
	return "Example:\n\n\tcounterfoil " + c.In.noun() + " resume tok_4fZr81bQx0Lm"
}

func (c *tokenResumeCmd[P]) Run(ctx context.Context, s *session) error {
	return c.change(ctx, s, c.In, c.ID, counterfoil.Edit{Paused: new(false)})
}

type tokenRotateCmd[P place] struct {
	remote  `embed:""`
	outFile `embed:""`
	In      P       `embed:""`
	ID      string  `arg:"" name:"token" help:"The token's id, or its name."`
	Grace   seconds `placeholder:"TIME" help:"How long the old value is still accepted: 30m, 12h, at most 7d. Default: it ends at once."`
}

func (c tokenRotateCmd[P]) Help() string {
	return "The new value alone goes to stdout, everything else to stderr.\n\nExample:\n\n\tTOKEN=$(counterfoil " + c.In.noun() + " rotate tok_4fZr81bQx0Lm --grace 1h)"
}

func (c *tokenRotateCmd[P]) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *tokenRotateCmd[P]) run(ctx context.Context, s *session) error {
	api, id, err := c.find(ctx, s, c.In, c.ID)
	if err != nil {
		return err
	}
	rotated, err := api.RotateToken(ctx, c.In.place(), id, time.Duration(c.Grace)*time.Second)
	if err != nil {
		return err
	}
	if err := s.reveal(id, rotated.Secret, rotated, c.JSON); err != nil || c.JSON {
		return err
	}
	if until := rotated.Token.PreviousValidUntil; until != nil {
		s.say("%s The old value is accepted until %s.", receiptText("Rotated", rotated.Receipt), exact(*until))
	} else {
		s.say("%s The old value is refused.", receiptText("Rotated", rotated.Receipt))
	}
	s.say("The new value is shown this once: keep it where nobody else can read it.")
	return nil
}

type tokenRevokeCmd[P place] struct {
	remote `embed:""`
	In     P `embed:""`
	sure   `embed:""`
	ID     string `arg:"" name:"token" help:"The token's id, or its name, or current: the one that asks."`
	Reason string `placeholder:"TEXT" help:"Kept with the token and in the log."`
}

func (c tokenRevokeCmd[P]) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil " + c.In.noun() + ` revoke tok_4fZr81bQx0Lm --reason "laptop lost"`
}

func (c *tokenRevokeCmd[P]) Run(ctx context.Context, s *session) error {
	api, id, err := c.find(ctx, s, c.In, c.ID)
	if err != nil {
		return err
	}
	err = c.confirm(s, func() (string, error) {
		t, err := c.shown(ctx, api, id)
		lastUsed := "never used"
		if t.LastUsed != nil {
			lastUsed = "last used " + relative(t.LastUsed.At, time.Now())
		}
		return fmt.Sprintf("Revoke %s (%s, %s)? Whatever uses it is refused at once, and it cannot be undone.", printable(t.Name), printable(t.Hint), lastUsed), err
	})
	if err != nil {
		return err
	}
	var revoked counterfoil.Revoked
	if c.ID == current {
		revoked, err = api.RevokeCurrentToken(ctx, c.Reason)
	} else {
		revoked, err = api.RevokeToken(ctx, c.In.place(), id, c.Reason)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(revoked)
	}
	if _, err := fmt.Fprintln(s.out, receiptText("Revoked", revoked.Receipt)); err != nil {
		return err
	}
	s.say("Receipt %s.", printable(revoked.Receipt.ID))
	return nil
}

func (c *tokenRevokeCmd[P]) shown(ctx context.Context, api *client.Client, id string) (counterfoil.Token, error) {
	if c.ID == current {
		return api.CurrentToken(ctx)
	}
	return api.Token(ctx, c.In.place(), id)
}
