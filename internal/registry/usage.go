package registry

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/usage"
)

// closing is how far usage was closed by this process.
type closing struct {
	mu  sync.Mutex
	day int64 // every day before this one
}

// closeTogether is how many organizations a transaction closes: it bounds the memory and the length of a write.
const closeTogether = 100

// CloseUsage makes final what has ended: each day at the first moment of the next, each month likewise (M5). The server calls
// it about once a second, and a report does before it reads. What is final is kept as it was reckoned; closing again changes
// nothing.
func (r *Registry) CloseUsage(ctx context.Context) error {
	today := usage.Day(r.Store.Now())
	r.closing.mu.Lock()
	defer r.closing.mu.Unlock()
	if r.closing.day >= today {
		return nil
	}
	if err := r.Store.Settled(ctx, usage.Start(today)); err != nil {
		return err
	}
	for after := ""; ; {
		var due []string
		err := r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
			due, err = tx.UsageDue(today, after, closeTogether)
			return err
		})
		if err == nil && len(due) > 0 {
			err = r.closeThese(ctx, due, today)
		}
		if err != nil {
			return err
		}
		if len(due) < closeTogether {
			r.closing.day = today
			return nil
		}
		after = due[len(due)-1]
	}
}

// closed is what closing an organization's days gave.
type closed struct {
	org   string
	state store.UsageState
	rows  []store.UsageRow
}

func (r *Registry) closeThese(ctx context.Context, orgs []string, today int64) error {
	var all []closed
	err := r.Store.View(ctx, "", func(tx *store.Tx) error {
		for _, org := range orgs {
			err := tx.In(org, func(tx *store.Tx) error {
				c, err := r.reckonTo(tx, today)
				all = append(all, c)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		for _, c := range all {
			err := tx.In(c.org, func(tx *store.Tx) error {
				for _, row := range c.rows {
					if err := tx.SaveUsageRow(row); err != nil {
						return err
					}
				}
				return tx.SaveUsageState(c.state)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// reckonTo closes the days of the transaction's organization before today.
func (r *Registry) reckonTo(tx *store.Tx, today int64) (closed, error) {
	c := closed{org: tx.Organization()}
	state, seq, events, err := r.usageState(tx)
	if err != nil {
		return c, err
	}
	state.Closed = func(provider string, row counterfoil.Usage) {
		period := "d" + row.Date
		if row.Month != "" {
			period = "m" + row.Month
		}
		raw, _ := json.Marshal(row) // texts and numbers
		c.rows = append(c.rows, store.UsageRow{Provider: provider, Period: period, Figures: string(raw)})
	}
	var ahead []int64 // of yesterday, behind one of today: two clocks of one moment
	var later bool
	for i := range events {
		if events[i].Target.Kind == store.DamagedKind {
			r.Logger.Error("an entry of the log cannot be read: the usage of its organization may lack what it says", "entry", events[i].Number, "organization", c.org)
		}
		today := usage.Day(counterfoil.At(events[i].Timestamp)) >= today
		if later = later || today; !today {
			state.Apply(&events[i])
		}
		switch {
		case !later:
			seq = events[i].Number
		case !today:
			ahead = append(ahead, events[i].Number)
		}
	}
	state.Advance(usage.Start(today))
	state.Ahead = ahead
	c.state = store.UsageState{Day: today, Seq: seq}
	c.state.State, err = state.Encode()
	return c, err
}

// usageState is how the transaction's organization was at the beginning of the day that is not closed, and the events since,
// after the one with the number seq.
func (r *Registry) usageState(tx *store.Tx) (state *usage.State, seq int64, events []counterfoil.Event, err error) {
	kept, found, err := tx.UsageState()
	if err != nil {
		return nil, 0, nil, err
	}
	state = &usage.State{Plans: r.Plans}
	if found {
		if state, err = usage.Decode(kept.State, r.Plans); err != nil {
			return nil, 0, nil, err
		}
	}
	events, err = tx.UsageEvents(kept.Seq, usage.Types)
	slices.SortFunc(events, func(a, b counterfoil.Event) int { return int(a.Number - b.Number) })
	return state, kept.Seq, events, err
}

// UsageQuery selects rows of usage. From and Through are periods: days as 2026-11-26, months as 2026-11.
type UsageQuery struct {
	Monthly       bool
	From, Through string
	Organization  string // an id; empty: all
	Cursor        string
	Limit         int
}

// Usage reads what a provider's organizations used, by period and organization: final figures as they were closed, those of
// the period that runs as of now.
func (r *Registry) Usage(ctx context.Context, c Caller, provider string, q UsageQuery) (page counterfoil.Page[counterfoil.Usage], err error) {
	page.Data = []counterfoil.Usage{}
	if err := r.CloseUsage(ctx); err != nil {
		return page, err
	}
	err = r.view(ctx, c, provider, OpReadUsage, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		u := usageReader{w: w, q: q}
		if !u.cursor() {
			return counterfoil.Invalid([]counterfoil.Problem{invalid("?cursor", "this is no cursor of this list")})
		}
		for _, gather := range []func() error{u.adjusted, u.final, u.running} {
			if err := gather(); err != nil {
				return err
			}
		}
		u.rest()
		page.Data, page.NextCursor = append(page.Data, u.rows...), u.next()
		return nil
	})
	return page, err
}

// UsageToday is the UTC day that runs, as a period.
func (r *Registry) UsageToday() string {
	return usage.Start(usage.Day(r.Store.Now())).Time().UTC().Format(time.DateOnly)
}
