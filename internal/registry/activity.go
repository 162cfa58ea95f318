package registry

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ActivityWindow is one page of a span of time (N7).
type ActivityWindow struct {
	From, Until   counterfoil.Instant // of receipt: From is included, Until is not
	Users         []string
	Page, PerPage int64
	// Fixed: the caller has named the end, and asks page after page up to it. A page that reaches the end is answered once
	// nothing can be added before it any more.
	Fixed bool
}

// settleWithin bounds how long an answer waits for the writes that may still fall into its window.
const settleWithin = 5 * time.Second

// Activity reads the log of the caller's own organization in the form of the Activity Logs API.
func (r *Registry) Activity(ctx context.Context, c Caller, q ActivityWindow) (page counterfoil.ActivityPage, err error) {
	for last := false; ; {
		last = last || !q.Fixed || q.Until > r.Store.Now().Plus(1) || r.Store.IsSettled(q.Until)
		if page, err = r.activity(ctx, c, q); err != nil || last || q.Page < page.Metadata.TotalPages {
			return page, err
		}
		wait, cancel := context.WithTimeout(ctx, settleWithin)
		err = r.Store.Settled(wait, q.Until)
		cancel()
		if err != nil {
			return page, err
		}
		last = true
	}
}

func (r *Registry) activity(ctx context.Context, c Caller, q ActivityWindow) (page counterfoil.ActivityPage, err error) {
	err = r.view(ctx, c, c.Organization, OpQueryActivity, func(w *work) error {
		events, total, err := w.tx.ReadWindow(store.Window{From: q.From, Until: q.Until, Users: q.Users, Offset: (q.Page - 1) * q.PerPage, Limit: int(q.PerPage)})
		if err != nil {
			return err
		}
		page.Data = make([]counterfoil.Activity, 0, len(events))
		for _, e := range events {
			page.Data = append(page.Data, counterfoil.Activity{ID: e.ID, Type: e.Type, Action: e.Action, Timestamp: e.Timestamp.Unix(), OccurredAt: e.OccurredAt,
				OrganizationUUID: store.UUID(e.OrganizationID), User: e.User, Metadata: e.Metadata, Initiator: e.Initiator})
		}
		page.Metadata = counterfoil.ActivityPages{Total: total, PerPage: q.PerPage, CurrentPage: q.Page, TotalPages: (total + q.PerPage - 1) / q.PerPage}
		return nil
	})
	return page, err
}

// SplunkEvents reads the log of the organization that a Splunk token belongs to, oldest first.
func (r *Registry) SplunkEvents(ctx context.Context, c Caller, cursor string, limit int) (page counterfoil.EventPage, err error) {
	page.Data = []counterfoil.Event{}
	err = r.view(ctx, c, c.Organization, OpSplunkEvents, func(w *work) error {
		f := store.EventFilter{Limit: limit}
		var err error
		if f.After, err = w.position(cursor, false); err != nil {
			return err
		}
		if err := w.kept(f); err != nil {
			return err
		}
		page, err = w.events(f)
		return err
	})
	return page, err
}

// Now is the time that everything is judged by.
func (r *Registry) Now() counterfoil.Instant { return r.Store.Now() }
