package registry

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/usage"
)

// usageReader gathers one page of usage inside a transaction.
type usageReader struct {
	w    *work
	q    UsageQuery
	rows []counterfoil.Usage
	more bool // there are further rows

	adjustments []counterfoil.Usage // of months, in their order, that are not yet in rows

	afterPeriod, afterOrganization, afterAdjustment string
}

// cursor reads where the page before ended; false: it is no cursor.
func (u *usageReader) cursor() (ok bool) {
	if u.q.Cursor == "" {
		return true
	}
	u.afterPeriod, u.afterOrganization, ok = strings.Cut(u.q.Cursor, " ")
	u.afterOrganization, u.afterAdjustment, _ = strings.Cut(u.afterOrganization, " ")
	return ok && len(u.afterPeriod) == len(u.q.From) && strings.HasPrefix(u.afterOrganization, "org_") &&
		(u.afterAdjustment == "" || u.q.Monthly && strings.HasPrefix(u.afterAdjustment, "adj_"))
}

// next is the cursor behind the last row.
func (u *usageReader) next() *string {
	if !u.more {
		return nil
	}
	last := u.rows[len(u.rows)-1]
	cursor := last.Date + last.Month + " " + last.Organization.ID
	if last.Adjusts != nil {
		cursor += " " + last.Adjusts.ID
	}
	return &cursor
}

// adjusted reads the adjustments that may come on this page. Months have them, days do not.
func (u *usageReader) adjusted() error {
	if !u.q.Monthly {
		return nil
	}
	after := store.UsageAdjustment{Organization: u.afterOrganization, ID: u.afterAdjustment}
	if u.afterPeriod != "" {
		after.Period = "m" + u.afterPeriod
	}
	list, err := u.w.tx.Adjustments("m"+u.q.From, "m"+u.q.Through, after, u.q.Organization, u.q.Limit+1)
	if err == nil {
		u.adjustments, err = adjustmentsOf(list)
	}
	return err
}

func (u *usageReader) kind() string {
	if u.q.Monthly {
		return "m"
	}
	return "d"
}

// final reads the figures that are closed.
func (u *usageReader) final() error {
	after := ""
	if u.afterPeriod != "" {
		after = u.kind() + u.afterPeriod
	}
	list, err := u.w.tx.UsageRows(u.kind()+u.q.From, u.kind()+u.q.Through, after, u.afterOrganization, u.q.Organization, u.q.Limit+1)
	for _, stored := range list {
		var row counterfoil.Usage
		if err := json.Unmarshal([]byte(stored.Figures), &row); err != nil {
			return err
		}
		u.add(row)
	}
	return err
}

// add adds a row behind the adjustments that come before it: an organization's own row is the first of its month.
func (u *usageReader) add(row counterfoil.Usage) {
	for len(u.adjustments) > 0 {
		a := u.adjustments[0]
		if a.Month > row.Month || a.Month == row.Month && a.Organization.ID >= row.Organization.ID {
			break
		}
		u.addOne(a)
		u.adjustments = u.adjustments[1:]
	}
	u.addOne(row)
}

// rest adds the adjustments behind the last row.
func (u *usageReader) rest() {
	for _, a := range u.adjustments {
		u.addOne(a)
	}
}

// addOne adds a row, or notes that there are more than asked for.
func (u *usageReader) addOne(row counterfoil.Usage) {
	if len(u.rows) >= u.q.Limit {
		u.more = true
		return
	}
	u.rows = append(u.rows, row)
}

// running reckons the figures of the period that runs, if it is asked for and there is room.
func (u *usageReader) running() error {
	today := usage.Start(usage.Day(u.w.tx.Now())).Time().UTC().Format(time.DateOnly)
	period := today[:len(u.q.From)]
	if u.more || period < u.q.From || period > u.q.Through || u.afterPeriod > period {
		return nil
	}
	after := ""
	if u.afterPeriod == period {
		after = u.afterOrganization
	}
	for !u.more {
		orgs, err := u.w.tx.EverManaged(after, closeTogether)
		if err != nil {
			return err
		}
		for _, org := range orgs {
			if u.q.Organization == "" || org == u.q.Organization {
				if err := u.reckon(org); err != nil {
					return err
				}
			}
			if u.more {
				return nil
			}
			after = org
		}
		if len(orgs) < closeTogether {
			return nil
		}
	}
	return nil
}

// reckon adds the running figures of one organization, if the provider has managed it in the period.
func (u *usageReader) reckon(org string) error {
	return u.w.tx.In(org, func(tx *store.Tx) error {
		state, _, events, err := u.w.r.usageState(tx)
		if err != nil {
			return err
		}
		for i := range events {
			state.Apply(&events[i])
		}
		state.Advance(max(tx.Now(), state.At))
		if row, managed := state.Running(u.w.rules.Org.ID, u.q.Monthly); managed {
			u.add(row)
		}
		return nil
	})
}
