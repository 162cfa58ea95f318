package registry

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// MaxEvents is how many events one batch may hold.
const MaxEvents = 1000

// WriteEvents adds the product's own events to an organization's log (N10), all of them or none. An event whose own id
// was written before is not written again.
func (r *Registry) WriteEvents(ctx context.Context, c Caller, org string, drafts []counterfoil.EventDraft) (written counterfoil.EventsWritten, err error) {
	_, err = r.do(ctx, c, org, OpWriteEvents, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		if w.visitor != nil {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "The product writes its own events, with a token of the organization.")
		}
		if err := counterfoil.Invalid(draftProblems(drafts)); err != nil {
			return err
		}
		if len(c.Faults) > 0 {
			return nil // enough is known: nothing is written
		}
		written, err = w.writeEvents(drafts)
		return err
	})
	return written, err
}

func (w *work) writeEvents(drafts []counterfoil.EventDraft) (written counterfoil.EventsWritten, err error) {
	made := make([]string, len(drafts))
	first := map[string]string{} // event by the product's id
	var claims []store.EventID
	for i, d := range drafts {
		made[i] = store.NewID("evt")
		if d.ID == "" {
			continue
		}
		if earlier, twice := first[d.ID]; twice {
			made[i] = earlier
			continue
		}
		first[d.ID] = made[i]
		claims = append(claims, store.EventID{ID: d.ID, Event: made[i]})
	}
	taken, err := w.tx.ClaimEventIDs(claims)
	if err != nil {
		return written, err
	}
	written.Data = make([]counterfoil.EventRef, 0, len(drafts))
	appended := map[string]bool{}
	for i, d := range drafts {
		id := made[i]
		if earlier, known := taken[d.ID]; known && d.ID != "" {
			id = earlier
		} else if !appended[id] {
			appended[id] = true
			w.tx.AppendAs(id, w.productEvent(d))
		}
		written.Data = append(written.Data, counterfoil.EventRef{ID: id})
	}
	return written, nil
}

// productEvent has no target and no token: it is no part of the history of anything here, and no cache is concerned.
func (w *work) productEvent(d counterfoil.EventDraft) counterfoil.Event {
	e := counterfoil.Event{Type: d.Type, Action: d.Action, Initiator: d.Initiator, Metadata: d.Metadata,
		Actor: counterfoil.Actor{Kind: "product", ID: w.caller.TokenID}}
	if d.User != nil {
		e.User = counterfoil.EventUser(*d.User)
	}
	if d.Time != nil {
		at := d.Time.UTC()
		e.OccurredAt = &at
	}
	if w.caller.Attempt.IP.IsValid() {
		e.Actor.IP = w.caller.Attempt.IP.String()
	}
	return e
}

func draftProblems(drafts []counterfoil.EventDraft) (problems []counterfoil.Problem) {
	if len(drafts) == 0 || len(drafts) > MaxEvents {
		return []counterfoil.Problem{invalid("/events", fmt.Sprintf("send 1 to %d events", MaxEvents))}
	}
	for i, d := range drafts {
		at := fmt.Sprintf("/events/%d", i)
		texts := []struct{ name, text string }{{"/type", d.Type}, {"/action", d.Action}, {"/initiator", d.Initiator}, {"/id", d.ID}}
		if d.User != nil {
			texts = append(texts, struct{ name, text string }{"/user/uuid", d.User.UUID}, struct{ name, text string }{"/user/email", d.User.Email})
		}
		for _, t := range texts {
			if !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, unicode.IsControl) {
				problems = append(problems, invalid(at+t.name, "this holds control characters"))
			}
		}
		for _, t := range texts[:2] {
			if strings.TrimSpace(t.text) == "" || strings.Contains(t.text, "/") {
				problems = append(problems, invalid(at+t.name, "a type or action is text without a slash"))
			}
		}
		if d.Time != nil && (d.Time.Year() < 1 || d.Time.UTC().Year() > 9999 || d.Time.Equal(time.Time{})) {
			problems = append(problems, invalid(at+"/time", "the time is out of range"))
		}
	}
	return problems
}
