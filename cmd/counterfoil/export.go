package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
)

type exportCmd struct {
	Splunk exportSplunkCmd `cmd:"" help:"The push to a Splunk HTTP Event Collector."`
}

type exportSplunkCmd struct {
	Show   exportShowCmd   `cmd:"" help:"Show where the log is pushed to, and how far that has come."`
	Set    exportSetCmd    `cmd:"" help:"Push the log to a collector, or change how."`
	Test   exportTestCmd   `cmd:"" help:"Send a test event and say what is wrong."`
	Remove exportRemoveCmd `cmd:"" help:"End the push and forget the collector's token."`
}

func (s *session) export(e counterfoil.SplunkExport, asJSON bool) error {
	if asJSON {
		return s.json(e)
	}
	from, index, token, fault := "when it was made", e.Index, "none", "none"
	if e.Backfill {
		from = "the log's beginning"
	}
	if index == "" {
		index = "the token's default"
	}
	if e.TokenSet {
		token = "set"
	}
	if e.LastError != nil {
		fault = fmt.Sprintf("%s: %s (%s)", exactly(&e.LastError.At, ""), e.LastError.Detail, e.LastError.Code)
	}
	return s.details("collector", e.URL, "token", token, "index", index, "source", e.Source, "source type", e.Sourcetype, "from", from,
		"status", strings.ReplaceAll(e.Status, "_", " "), "delivered to", fmt.Sprintf("#%d, %d missing", e.DeliveredTo, e.Missing), "last delivery", exactly(e.DeliveredAt, "none"),
		"waiting", count(int(e.LagEvents), "event")+", the oldest for "+count(int(e.LagSeconds), "second"), "last error", fault, "tried again", exactly(e.NextAttemptAt, "as it comes"))
}

type exportShowCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (exportShowCmd) Help() string { return "Example:\n\n\tcounterfoil export splunk show" }

func (c *exportShowCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	e, err := api.SplunkExport(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return s.export(e, c.JSON)
}

type exportSetCmd struct {
	remote             `embed:""`
	inOrganization     `embed:""`
	Collector          *string `member:"url" placeholder:"URL" help:"Where it is reached, such as https://splunk.example.com:8088."`
	CollectorTokenFile string  `member:"token" placeholder:"FILE" help:"A file that holds its token; - for stdin. It is kept encrypted and never shown."`
	Index              *string `placeholder:"INDEX" help:"Empty: the token's default."`
	Source             *string `placeholder:"SOURCE" help:"Default counterfoil."`
	Sourcetype         *string `placeholder:"TYPE" help:"Default counterfoil:activity."`
	Backfill           *bool   `negatable:"" help:"Begin with the log's beginning rather than now."`
}

func (exportSetCmd) Help() string {
	return "What is not named stays as it is, but for the collector's token: with another scheme, host or port of the collector it is forgotten, unless the new one comes with it.\n\nExample:\n\n\tcounterfoil export splunk set --collector https://splunk.example.com:8088 --collector-token-file hec.token --index security --backfill"
}

func (c *exportSetCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	e, err := api.SplunkExport(ctx, s.within(c.Org))
	if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
		if c.Collector == nil {
			return misused("nothing is pushed yet: name a collector with --collector")
		}
	} else if err != nil {
		return err
	}
	draft := counterfoil.SplunkExportDraft{URL: e.URL, Index: e.Index, Source: e.Source, Sourcetype: e.Sourcetype, Backfill: e.Backfill}
	for _, given := range []struct{ from, to *string }{{c.Collector, &draft.URL}, {c.Index, &draft.Index}, {c.Source, &draft.Source}, {c.Sourcetype, &draft.Sourcetype}} {
		if given.from != nil {
			*given.to = *given.from
		}
	}
	if c.Backfill != nil {
		draft.Backfill = *c.Backfill
	}
	if c.CollectorTokenFile != "" {
		text, err := s.read(c.CollectorTokenFile)
		if err != nil {
			return fmt.Errorf("reading the collector's token: %w", err)
		}
		draft.Token = strings.TrimSpace(text)
	}
	if e, err = api.SetSplunkExport(ctx, s.within(c.Org), draft); err != nil {
		return err
	}
	if !e.TokenSet {
		s.say("The collector's token is forgotten, because the collector is another: name the new one with --collector-token-file.")
	}
	return s.export(e, c.JSON)
}

type exportTestCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (exportTestCmd) Help() string { return "Example:\n\n\tcounterfoil export splunk test" }

func (c *exportTestCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	a, err := api.TestSplunkExport(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(a)
	} else {
		_, err = fmt.Fprintln(s.out, printable(a.Detail))
	}
	if err == nil && !a.OK {
		return errRefused
	}
	return err
}

type exportRemoveCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	sure           `embed:""`
}

func (exportRemoveCmd) Help() string { return "Example:\n\n\tcounterfoil export splunk remove" }

func (c *exportRemoveCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	err = c.confirm(s, func() (string, error) {
		e, err := api.SplunkExport(ctx, s.within(c.Org))
		return fmt.Sprintf("End the push to %s? How far it has come is forgotten as well.", printable(e.URL)), err
	})
	if err != nil {
		return err
	}
	if err := api.DeleteSplunkExport(ctx, s.within(c.Org)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, nil, "Nothing is pushed any more.")
}
