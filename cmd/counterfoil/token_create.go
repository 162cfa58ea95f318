package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// newToken is the flags that every new token has.
type newToken struct {
	Name        string   `required:"" placeholder:"NAME" help:"What people will know it by."`
	Permissions []string `name:"permission" short:"p" placeholder:"PERMISSION" help:"What it may do; repeat it, or separate by commas."`
	once        `embed:""`
}

// once makes the repetition of a creation harmless.
type once struct {
	IdempotencyKey string `placeholder:"KEY" help:"The same key creates once in 24 hours."`
}

func (o once) options() (options []client.CallOption) {
	if o.IdempotencyKey != "" {
		options = append(options, client.IdempotencyKey(o.IdempotencyKey))
	}
	return options
}

func (n newToken) draft(kind counterfoil.Kind, e expiry) counterfoil.Draft {
	d := counterfoil.Draft{Kind: kind, Name: n.Name, Permissions: n.Permissions}
	e.of(&d)
	return d
}

type tokenCreateCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	newToken       `embed:""`
	outFile        `embed:""`
	Expires        expiry  `placeholder:"WHEN" help:"90d, 12h, 30m, or a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z. Default: as the policy says."`
	Kind           string  `enum:"personal,organization,integration" default:"personal" placeholder:"KIND" help:"personal, organization or integration. Default personal."`
	IPFilter       *string `name:"ip-filter" placeholder:"FILTER" help:"An IP filter of its own, by id or name."`
	Integration    string  `enum:",custom,splunk,sentinel" default:"" placeholder:"READER" help:"For kind integration: custom, splunk or sentinel."`
	Owner          string  `placeholder:"MEMBER" help:"With a system token: whom a personal token is for, by id or e-mail address."`
}

func (tokenCreateCmd) Help() string {
	return `The value alone goes to stdout, everything else to stderr.

Example:

	TOKEN=$(counterfoil token create --name ci --permission devices:read --expires 90d)`
}

func (c *tokenCreateCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *tokenCreateCmd) run(ctx context.Context, s *session) error {
	if c.Expires.never {
		return misused("a new token expires as the policy says: leave --expires out; where the policy allows it, \"counterfoil token edit --expires never\" takes the expiry away")
	}
	if c.IPFilter != nil && *c.IPFilter == "" {
		return misused("--ip-filter is empty: name a filter, or leave it out")
	}
	d := c.draft(counterfoil.Kind(c.Kind), c.Expires)
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	if d.Kind == counterfoil.KindPersonal && c.Owner == "" && s.system {
		return misused("a system token has to say whom a personal token is for: --owner MEMBER, by id or e-mail address")
	}
	d.Integration = counterfoil.Integration(c.Integration)
	if c.IPFilter != nil {
		d.IPFilter = *c.IPFilter
	}
	if c.Owner != "" {
		if d.Owner, err = memberID(ctx, api, s.within(c.Org), c.Owner); err != nil {
			return err
		}
	}
	created, err := api.CreateToken(ctx, s.within(c.Org), d, c.options()...)
	if err != nil {
		return err
	}
	return s.created(created, c.JSON)
}

type systemTokenCreateCmd struct {
	remote   `embed:""`
	newToken `embed:""`
	outFile  `embed:""`
	Expires  expiry `placeholder:"WHEN" help:"90d, 12h, 30m, a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z, or never. Default never."`
}

func (systemTokenCreateCmd) Help() string {
	return `The value alone goes to stdout, everything else to stderr.

Example, for a gateway:

	counterfoil system-token create --name gateway --permission counterfoil.tokens:verify > gateway.token`
}

func (c *systemTokenCreateCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error { return c.run(ctx, s) })
}

func (c *systemTokenCreateCmd) run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	created, err := api.CreateToken(ctx, client.System, c.draft(counterfoil.KindSystem, c.Expires), c.options()...)
	if err != nil {
		return err
	}
	return s.created(created, c.JSON)
}

// created prints a new token: its value alone on stdout.
func (s *session) created(a counterfoil.Created, asJSON bool) error {
	if err := s.reveal(a.Token.ID, a.Secret, a, asJSON); err != nil || asJSON {
		return err
	}
	t := a.Token
	s.say("Created %s token %s (%s), expires %s.", t.Kind, printable(t.Name), t.ID, exactly(t.EffectiveExpiresAt, "never"))
	if a.ActivityURL != "" {
		s.say("Activity Logs URL: %s", printable(a.ActivityURL))
	}
	if a.DataCenter != "" {
		s.say("Data centre: %s", printable(a.DataCenter))
	}
	s.say("The value is shown this once: keep it where nobody else can read it.")
	return nil
}

// reveal prints the value of what has an id, which is shown this once: alone, or the answer as JSON.
func (s *session) reveal(id, value string, answer any, asJSON bool) (err error) {
	if asJSON {
		err = s.json(answer)
	} else {
		_, err = fmt.Fprintln(s.out, printable(value))
	}
	if err != nil {
		return fmt.Errorf("%s has a new value, which could not be written and is lost: %w; rotate it for another", printable(id), err)
	}
	return nil
}
