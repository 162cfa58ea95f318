package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

type tokenOldCmd[P place] struct {
	remote `embed:""`
	In     P      `embed:""`
	ID     string `arg:"" name:"token" help:"The token's id, or its name."`
}

func (c tokenOldCmd[P]) Help() string {
	return "Example:\n\n\tcounterfoil " + c.In.noun() + " old tok_4fZr81bQx0Lm"
}

func (c *tokenOldCmd[P]) Run(ctx context.Context, s *session) error {
	api, id, err := c.find(ctx, s, c.In, c.ID)
	if err != nil {
		return err
	}
	old, err := api.PreviousValue(ctx, c.In.place(), id)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(old)
	}
	if old.ValidUntil == nil {
		s.say("There is no old value that is accepted.")
		return nil
	}
	s.say("%s It is accepted until %s.", oldValueText(&old, time.Now()), exact(*old.ValidUntil))
	if len(old.Uses) == 0 {
		return nil
	}
	rows := make([][]string, len(old.Uses))
	for i, u := range old.Uses {
		rows[i] = []string{u.IP, relative(u.FirstAt, time.Now()), relative(u.LastAt, time.Now()), strconv.FormatInt(u.Count, 10)}
	}
	return s.table([]string{"FROM", "FIRST", "LAST", "ACCEPTED"}, rows)
}

// oldValueText says whether an old value is still used.
func oldValueText(old *counterfoil.PreviousValue, now time.Time) string {
	switch {
	case old.WatchedSince == nil:
		return "An earlier version rotated this token: whether the old value is still used is not known."
	case old.LastUsed == nil:
		return fmt.Sprintf("Nobody has used the old value since the rotation %s.", relative(*old.WatchedSince, now))
	case old.LastUsed.IP == "":
		return fmt.Sprintf("The old value was last used %s.", relative(old.LastUsed.At, now))
	}
	return fmt.Sprintf("The old value was last used %s from %s.", relative(old.LastUsed.At, now), printable(old.LastUsed.IP))
}

type tokenFinishCmd[P place] struct {
	remote `embed:""`
	In     P `embed:""`
	sure   `embed:""`
	ID     string  `arg:"" name:"token" help:"The token's id, or its name."`
	Quiet  seconds `placeholder:"TIME" help:"Only if nobody has used the old value for so long: 10m, 24h, at most 7d."`
}

func (c tokenFinishCmd[P]) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil " + c.In.noun() + " finish tok_4fZr81bQx0Lm"
}

func (c *tokenFinishCmd[P]) Run(ctx context.Context, s *session) error {
	api, id, err := c.find(ctx, s, c.In, c.ID)
	if err != nil {
		return err
	}
	err = c.confirm(s, func() (string, error) {
		old, err := api.PreviousValue(ctx, c.In.place(), id)
		if err != nil || old.ValidUntil == nil {
			return "", err
		}
		return oldValueText(&old, time.Now()) + " End it? What uses it is refused at once.", nil
	})
	if err != nil {
		return err
	}
	ended, err := api.EndPreviousValue(ctx, c.In.place(), id, time.Duration(c.Quiet)*time.Second)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(ended)
	}
	text := "There is nothing to end: no old value of " + id + " is accepted. A rotation with --grace leaves one, for so long."
	if ended.Receipt != nil {
		text = receiptText("Ended", *ended.Receipt)
	}
	_, err = fmt.Fprintln(s.out, text)
	return err
}
