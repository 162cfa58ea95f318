package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type eventsCmd struct {
	List       eventsListCmd       `cmd:"" help:"List an organization's events, newest first."`
	Tail       eventsTailCmd       `cmd:"" help:"Follow an organization's events until stopped."`
	Export     eventsExportCmd     `cmd:"" help:"Write the log as JSON lines: an organization's events, or the instance's entries."`
	Checkpoint eventsCheckpointCmd `cmd:"" help:"Sign what the log's last entry is."`
	Verify     eventsVerifyCmd     `cmd:"" help:"Check the chain of the log, in the database or in an export."`
}

// eventFilter is the flags that narrow a log.
type eventFilter struct {
	Type   string `placeholder:"TYPE" help:"One type, such as login, or one action of it: login/user_login_failed."`
	Actor  string `placeholder:"WHO" help:"Who did it or is concerned: a member's id or e-mail address, a token's id, or system."`
	Token  string `placeholder:"ID" help:"A token's id: its life, and what was done with it."`
	Search string `short:"q" placeholder:"TEXT" help:"Text anywhere in the event."`
}

func (f eventFilter) query() client.EventQuery {
	return client.EventQuery{Type: f.Type, Actor: f.Actor, Token: f.Token, Text: f.Search}
}

// eventRow is an event for people.
func eventRow(e counterfoil.Event) []string {
	return []string{fmt.Sprint(e.Number), e.Timestamp.Local().Format("2006-01-02 15:04:05"), e.Type + "/" + e.Action,
		cmp.Or(e.User.Email, e.Initiator, e.Actor.ID, e.Actor.Kind), cmp.Or(e.Target.Name, e.Target.ID), e.Actor.IP}
}

var eventHeading = []string{"NUMBER", "TIME", "ACTION", "WHO", "WHAT", "FROM"}

type eventsListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	eventFilter    `embed:""`
	From           moment `placeholder:"WHEN" help:"Received then or later: 24h or 7d ago, 2027-01-31 (at 00:00 UTC) or 2027-01-31T09:00:00Z."`
	To             moment `placeholder:"WHEN" help:"Received then or earlier."`
	Limit          int    `default:"50" placeholder:"N" help:"How many at most. Default 50."`
}

func (eventsListCmd) Help() string {
	return "Example:\n\n\tcounterfoil events list --type tokens --limit 10"
}

func (c *eventsListCmd) Run(ctx context.Context, s *session) error {
	if c.Limit < 1 {
		return misused("--limit: give a number from 1 on")
	}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	q := c.query()
	now := time.Now()
	q.Newest, q.Limit, q.From, q.To = true, min(c.Limit, 200), c.From.time(now), c.To.time(now)
	var events []counterfoil.Event
	for e, err := range api.Events(ctx, s.within(c.Org), q) {
		if err != nil {
			return err
		}
		if events = append(events, e); len(events) >= c.Limit {
			break
		}
	}
	return list(s, c.JSON, events, "No events.", eventHeading, eventRow)
}

type eventsTailCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	eventFilter    `embed:""`
	After          string `placeholder:"CURSOR" help:"Go on behind this cursor; from the first event on with o0. Default: what happens from now on."`
}

func (eventsTailCmd) Help() string {
	return "It goes on where a lost connection ended.\n\nExample:\n\n\tcounterfoil events tail --type login"
}

func (c *eventsTailCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	q := c.query()
	q.After = c.After
	// The stream is tried again for a minute. What is wrong from the start, such as the address, is said at once.
	if _, err := api.ListEvents(ctx, s.within(c.Org), client.EventQuery{Limit: 1}); err != nil {
		return err
	}
	for e, err := range api.StreamEvents(ctx, s.within(c.Org), q) {
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return err
		case c.JSON:
			err = s.json(e)
		default:
			row := eventRow(e)
			_, err = fmt.Fprintln(s.out, printable(fmt.Sprintf("%s  %s  %s  %s  %s", row[1], row[2], row[3], row[4], row[5])))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type eventsExportCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	outFile        `embed:""`
	Instance       bool `help:"The whole instance's entries, with what \"events verify --file\" needs. It takes a system token."`
}

func (eventsExportCmd) Help() string {
	return "Oldest first. The chain of hashes runs through all organizations, so only an export of the whole instance can be verified.\n\nExample:\n\n\tcounterfoil events export --instance --out log.jsonl"
}

func (c *eventsExportCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	return c.into(s, func() error {
		if c.Instance {
			return jsonLines(s, api.Log(ctx, ""))
		}
		return jsonLines(s, api.Events(ctx, s.within(c.Org), client.EventQuery{Limit: 200}))
	})
}

// jsonLines prints a list, one entry a line.
func jsonLines[T any](s *session, entries iter.Seq2[T, error]) error {
	w := bufio.NewWriter(s.out)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for e, err := range entries {
		if err == nil {
			err = out.Encode(e)
		}
		if err != nil {
			return errors.Join(err, w.Flush())
		}
	}
	return w.Flush()
}

type eventsCheckpointCmd struct {
	remote  `embed:""`
	outFile `embed:""`
}

func (eventsCheckpointCmd) Help() string {
	return "Keep it where those who can write to the database cannot: \"events verify --checkpoint\" then proves that nothing before it was changed or cut off. It takes a system token.\n\nExample:\n\n\tcounterfoil events checkpoint --json --out checkpoint.json"
}

func (c *eventsCheckpointCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	return c.into(s, func() error {
		p, err := api.Checkpoint(ctx)
		if err != nil || c.JSON {
			return s.answer(p, err)
		}
		return s.details("number", fmt.Sprint(p.Number), "hash", fmt.Sprintf("%x", p.Hash), "time", exact(p.Time), "public key", fmt.Sprintf("%x", p.PublicKey), "signature", fmt.Sprintf("%x", p.Signature))
	})
}
