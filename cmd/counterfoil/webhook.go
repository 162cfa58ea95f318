package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type webhookCmd struct {
	Create     webhookCreateCmd     `cmd:"" help:"Have events sent to an address."`
	List       webhookListCmd       `cmd:"" help:"List webhooks."`
	Show       webhookShowCmd       `cmd:"" help:"Show a webhook."`
	Edit       webhookEditCmd       `cmd:"" help:"Change, disable or enable a webhook."`
	Rotate     webhookRotateCmd     `cmd:"" help:"Give a webhook another secret."`
	Test       webhookTestCmd       `cmd:"" help:"Send a webhook an event, and say what came of it."`
	Deliveries webhookDeliveriesCmd `cmd:"" help:"List what was sent to a webhook, and what waits for it."`
	Replay     webhookReplayCmd     `cmd:"" help:"Send a delivery again."`
	Delete     webhookDeleteCmd     `cmd:"" help:"Delete a webhook, with what waits for it."`
}

// webhookID finds the id of a webhook that was named by its id or name.
func webhookID(ctx context.Context, api *client.Client, org, name string) (string, error) {
	if strings.HasPrefix(name, "whk_") {
		return name, nil
	}
	hooks, err := api.Webhooks(ctx, org)
	if err != nil {
		return "", err
	}
	found := ""
	for _, h := range hooks {
		if h.Name == name && found != "" {
			return "", fmt.Errorf("two webhooks are called %q: name it by its id", name)
		} else if h.Name == name {
			found = h.ID
		}
	}
	if found == "" {
		return "", fmt.Errorf("there is no webhook %q here", name)
	}
	return found, nil
}

func webhookState(h counterfoil.Webhook) string {
	switch {
	case !h.Enabled:
		return "disabled: " + strings.ReplaceAll(string(h.DisabledReason), "_", " ")
	case h.FailingSince != nil:
		return "failing since " + exact(*h.FailingSince)
	}
	return "enabled"
}

func (s *session) webhook(h counterfoil.Webhook, asJSON bool) error {
	if asJSON {
		return s.json(h)
	}
	types := "every event"
	if len(h.Types) > 0 {
		types = strings.Join(h.Types, "\n")
	}
	return s.details("id", h.ID, "name", h.Name, "url", h.URL, "events", types, "state", webhookState(h), "created", exactly(&h.CreatedAt, ""))
}

func (s *session) webhookSecret(c counterfoil.WebhookCreated, asJSON bool, done string) error {
	if err := s.reveal(c.Webhook.ID, c.Secret, c, asJSON); err != nil || asJSON {
		return err
	}
	s.say("%s webhook %s (%s).", done, printable(c.Webhook.Name), c.Webhook.ID)
	s.say("The secret is shown this once: the receiver checks signatures with it.")
	return nil
}

type webhookCreateCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Name           string   `required:"" placeholder:"NAME" help:"What people will know it by."`
	To             string   `required:"" member:"url" placeholder:"URL" help:"Where events are sent."`
	Types          []string `name:"type" placeholder:"TYPE" help:"What is sent: a type such as tokens, or one action such as tokens/token_revoked; repeat it, or separate by commas. Default: every event."`
	once           `embed:""`
	outFile        `embed:""`
}

func (webhookCreateCmd) Help() string {
	return "The secret alone goes to stdout, everything else to stderr.\n\nExample:\n\n\tcounterfoil webhook create --name siem --to https://hooks.example.com/counterfoil --type tokens,login > siem.secret"
}

func (c *webhookCreateCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error {
		api, err := c.dial(s)
		if err != nil {
			return err
		}
		made, err := api.CreateWebhook(ctx, s.within(c.Org), counterfoil.WebhookDraft{Name: c.Name, URL: c.To, Types: c.Types}, c.options()...)
		if err != nil {
			return err
		}
		return s.webhookSecret(made, c.JSON, "Created")
	})
}

type webhookListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (webhookListCmd) Help() string { return "Example:\n\n\tcounterfoil webhook list" }

func (c *webhookListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	hooks, err := api.Webhooks(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return list(s, c.JSON, hooks, "No webhooks.", []string{"ID", "NAME", "URL", "STATE", "CREATED"}, func(h counterfoil.Webhook) []string {
		return []string{h.ID, h.Name, h.URL, webhookState(h), relative(h.CreatedAt, time.Now())}
	})
}

// onWebhook is what every verb on one webhook takes.
type onWebhook struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Webhook        string `arg:"" help:"The webhook's name or id."`
}

// find dials, and finds the webhook's id.
func (c *onWebhook) find(ctx context.Context, s *session) (api *client.Client, org, id string, err error) {
	if api, err = c.dial(s); err != nil {
		return nil, "", "", err
	}
	org = s.within(c.Org)
	id, err = webhookID(ctx, api, org, c.Webhook)
	return api, org, id, err
}

type webhookShowCmd struct {
	onWebhook `embed:""`
}

func (webhookShowCmd) Help() string { return "Example:\n\n\tcounterfoil webhook show siem" }

func (c *webhookShowCmd) Run(ctx context.Context, s *session) error {
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	h, err := api.Webhook(ctx, org, id)
	if err != nil {
		return err
	}
	return s.webhook(h, c.JSON)
}

type webhookEditCmd struct {
	onWebhook `embed:""`
	Name      *string   `placeholder:"NAME" help:"Another name."`
	To        *string   `member:"url" placeholder:"URL" help:"Another address."`
	Types     *[]string `name:"type" placeholder:"TYPE" help:"What is sent from now on, all of it; an empty one: every event."`
	Enable    bool      `xor:"state" help:"Go on sending, with what comes now and what waits."`
	Disable   bool      `xor:"state" help:"Send nothing until it is enabled."`
}

func (webhookEditCmd) Help() string {
	return "What is not named stays as it is.\n\nExample:\n\n\tcounterfoil webhook edit siem --disable"
}

func (c *webhookEditCmd) Run(ctx context.Context, s *session) error {
	e := counterfoil.WebhookEdit{Name: c.Name, URL: c.To, Types: c.Types}
	if c.Types != nil && len(*c.Types) == 1 && (*c.Types)[0] == "" {
		e.Types = &[]string{}
	}
	if c.Enable || c.Disable {
		e.Enabled = &c.Enable
	}
	if e == (counterfoil.WebhookEdit{}) {
		return misused("name what to change")
	}
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	h, err := api.EditWebhook(ctx, org, id, e)
	if err != nil {
		return err
	}
	return s.webhook(h, c.JSON)
}

type webhookRotateCmd struct {
	onWebhook `embed:""`
	Grace     seconds `placeholder:"TIME" help:"How long the present secret signs as well, such as 24h or 7d; 7 days at most. Default: not at all."`
	outFile   `embed:""`
}

func (webhookRotateCmd) Help() string {
	return "The secret alone goes to stdout, everything else to stderr.\n\nExample:\n\n\tcounterfoil webhook rotate siem --grace 24h --out new.secret"
}

func (c *webhookRotateCmd) Run(ctx context.Context, s *session) error {
	return c.into(s, func() error {
		api, org, id, err := c.find(ctx, s)
		if err != nil {
			return err
		}
		made, err := api.RotateWebhook(ctx, org, id, time.Duration(c.Grace)*time.Second)
		if err != nil {
			return err
		}
		return s.webhookSecret(made, c.JSON, "Rotated the secret of")
	})
}

type webhookTestCmd struct {
	onWebhook `embed:""`
}

func (webhookTestCmd) Help() string {
	return "It exits with 1 where the event was not taken.\n\nExample:\n\n\tcounterfoil webhook test siem"
}

func (c *webhookTestCmd) Run(ctx context.Context, s *session) error {
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	a, err := api.TestWebhook(ctx, org, id)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(a)
	} else if a.Error == "" {
		err = s.details("taken", fmt.Sprintf("with %d, in %.0f ms", a.Status, a.TookMS))
	}
	if err == nil && a.Error != "" {
		return errors.New("the event was not taken: " + printable(a.Error))
	}
	return err
}

type webhookDeliveriesCmd struct {
	onWebhook `embed:""`
	Status    string `enum:",pending,delivered,failed" default:"" placeholder:"STATUS" help:"pending, delivered or failed only."`
	Limit     int    `default:"50" placeholder:"N" help:"The latest N only. Default 50."`
}

func (webhookDeliveriesCmd) Help() string {
	return "Latest first.\n\nExample:\n\n\tcounterfoil webhook deliveries siem --limit 20"
}

func (c *webhookDeliveriesCmd) Run(ctx context.Context, s *session) error {
	if c.Limit < 1 {
		return misused("--limit: give a number from 1 on")
	}
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	var all []counterfoil.Delivery
	for d, err := range api.Deliveries(ctx, org, id, client.DeliveryQuery{Status: counterfoil.DeliveryStatus(c.Status), Limit: min(c.Limit, 200)}) {
		if err != nil {
			return err
		}
		if all = append(all, d); len(all) == c.Limit {
			break
		}
	}
	return list(s, c.JSON, all, "No deliveries.", []string{"ID", "TYPE", "STATUS", "ATTEMPTS", "LAST", "NEXT"}, func(d counterfoil.Delivery) []string {
		last := "-"
		if a := d.LastAttempt; a != nil && a.Error != "" {
			last = a.Error
		} else if a != nil {
			last = strconv.Itoa(a.Status)
		}
		return []string{d.ID, d.Type, string(d.Status), strconv.FormatInt(d.Attempts, 10), last, exactly(d.NextAttemptAt, "")}
	})
}

type webhookReplayCmd struct {
	onWebhook `embed:""`
	Delivery  string `arg:"" help:"The delivery's id."`
}

func (webhookReplayCmd) Help() string {
	return "The event is sent under the same webhook-id.\n\nExample:\n\n\tcounterfoil webhook replay siem whd_01a208b9d5527372b9b2b475653c640d"
}

func (c *webhookReplayCmd) Run(ctx context.Context, s *session) error {
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	d, err := api.ReplayDelivery(ctx, org, id, c.Delivery)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(d)
	}
	s.say("It is sent again now.")
	return nil
}

type webhookDeleteCmd struct {
	onWebhook `embed:""`
	sure      `embed:""`
}

func (webhookDeleteCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil webhook delete siem"
}

func (c *webhookDeleteCmd) Run(ctx context.Context, s *session) error {
	api, org, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	if err := c.confirm(s, ask("Delete webhook %s? What waits for it is never sent.", c.Webhook)); err != nil {
		return err
	}
	if err := api.DeleteWebhook(ctx, org, id); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, nil, "Deleted webhook %s.", c.Webhook)
}
