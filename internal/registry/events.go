package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// EventQuery narrows a part of the log. Empty fields do not narrow.
type EventQuery struct {
	Type  string // "login", or with the action "login/user_login_failed"
	Actor string // mem_…, usr_…, tok_…, a user's UUID or e-mail address, or "system"
	Token string // tok_…: events of that token's life, and what was done with it
	Text  string // anywhere in the event, case ignored
	Item  string // in the name or id of what it was done to, or in the metadata; case ignored
	// From and To are times of receipt, both included.
	From, To time.Time
	// Cursor is NextCursor of the page before; "end" begins behind the last event. Empty: at the beginning, or, newest
	// first, at the end.
	Cursor string
	Newest bool
	Limit  int
}

// End is a cursor behind the last event.
const End = "end"

// Events reads an organization's log (N11).
func (r *Registry) Events(ctx context.Context, c Caller, org string, q EventQuery) (page counterfoil.EventPage, err error) {
	page.Data = []counterfoil.Event{}
	err = r.view(ctx, c, org, OpReadEvents, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		f, err := w.eventFilter(q)
		if err != nil {
			return err
		}
		page, err = w.events(f)
		return err
	})
	return page, err
}

// mostTypes is how many types of events EventTypes lists.
const mostTypes = 200

// EventTypes lists the types of the events in an organization's log, the product's own among them, by name.
func (r *Registry) EventTypes(ctx context.Context, c Caller, org string) (types []string, err error) {
	err = r.view(ctx, c, org, OpReadEvents, func(w *work) error {
		types, err = w.tx.EventTypes(mostTypes)
		return err
	})
	return types, err
}

// TokenEvents reads the history of a token, newest first. A personal token's is its owner's to see as well.
func (r *Registry) TokenEvents(ctx context.Context, c Caller, org, tokenID, cursor string, limit int) (page counterfoil.EventPage, err error) {
	op := OpReadTokenEvents
	if org == "" {
		op = OpReadSystemTokenEvents
	}
	page.Data = []counterfoil.Event{}
	err = r.view(ctx, c, org, op, func(w *work) error {
		t, found, err := w.tx.Token(tokenID)
		if err != nil {
			return err
		}
		if !found || !w.maySee(t) && !w.has(counterfoil.PermActivityRead) {
			return errNotFound
		}
		if !w.own(t) && !w.has(counterfoil.PermActivityRead) {
			return lacking(counterfoil.PermActivityRead)
		}
		f := store.EventFilter{Token: t.ID, Newest: true, Limit: limit}
		if f.After, err = w.position(cursor, true); err != nil {
			return err
		}
		page, err = w.events(f)
		return err
	})
	return page, err
}

// Watch returns a channel that is closed once a further event of the organization can be read. Ask before reading.
func (r *Registry) Watch(org string) <-chan struct{} { return r.Store.Watch(org) }

func (w *work) events(f store.EventFilter) (page counterfoil.EventPage, err error) {
	list, err := w.tx.FindEvents(f)
	if err != nil {
		return page, err
	}
	page.Data, page.More = append([]counterfoil.Event{}, list.Events...), list.More
	if list.Last == 0 {
		list.Last = f.After
	}
	if list.More || !f.Newest {
		next := EventCursor(list.Last, f.Newest)
		page.NextCursor = &next
	}
	return page, nil
}

// EventCursor is the cursor behind an event, in one of the two directions.
func EventCursor(number int64, newest bool) string {
	if newest {
		return "n" + strconv.FormatInt(number, 36)
	}
	return "o" + strconv.FormatInt(number, 36)
}

// position reads a cursor; 0 is where the list begins.
func (w *work) position(cursor string, newest bool) (int64, error) {
	if cursor == End && !newest {
		return w.tx.LastNumber()
	}
	if cursor == "" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(cursor, EventCursor(0, newest)[:1])
	n, err := strconv.ParseInt(number, 36, 64)
	if !ok || err != nil || n < 0 {
		return 0, counterfoil.Invalid([]counterfoil.Problem{invalid("?after", "the cursor does not belong to this list: pass next_cursor back unchanged, with the same order")})
	}
	return n, nil
}

// kept refuses to go on behind an entry where entries after it were removed: nobody misses them without knowing.
func (w *work) kept(f store.EventFilter) error {
	if f.After == 0 || f.Newest {
		return nil
	}
	through, err := w.tx.RemovedThrough()
	if err != nil || f.After >= through {
		return err
	}
	return counterfoil.Refuse(counterfoil.CodeCursorExpired, "The organization's retention has removed entries that come behind this cursor. Go on with "+
		EventCursor(through, false)+", which is behind the last of them, and know that you miss what lies between.")
}

func (w *work) eventFilter(q EventQuery) (f store.EventFilter, err error) {
	f = store.EventFilter{Token: q.Token, From: counterfoil.At(q.From), Until: counterfoil.At(q.To), Newest: q.Newest, Limit: q.Limit}
	f.Type, f.Action, _ = strings.Cut(q.Type, "/")
	if f.Until != 0 {
		f.Until++
	}
	if f.After, err = w.position(q.Cursor, q.Newest); err != nil {
		return f, err
	}
	if err := w.kept(f); err != nil {
		return f, err
	}
	var parts []string
	if parts, err = w.actor(q.Actor, &f); err != nil {
		return f, err
	}
	if q.Text != "" {
		parts = append(parts, strings.ToLower(inJSON(q.Text)))
	}
	item := strings.ToLower(inJSON(q.Item))
	if len(parts) > 0 || item != "" {
		f.Match = func(body string) bool {
			body = strings.ToLower(body)
			if !concerns(body, item) {
				return false
			}
			for _, p := range parts {
				if !strings.Contains(body, p) {
					return false
				}
			}
			return true
		}
	}
	return f, nil
}

// concerns looks for text in the target and the metadata of a stored event, which stand in this order.
func concerns(body, text string) bool {
	_, rest, _ := strings.Cut(body, `,"target":{`)
	target, rest, _ := strings.Cut(rest, `},"user":{`)
	_, metadata, _ := strings.Cut(rest, `,"metadata":`)
	return strings.Contains(target, text) || strings.Contains(metadata, text)
}

// actor narrows to what somebody did or what was done for them: by the user where that is known, else by what the
// stored event must hold, in lower case.
func (w *work) actor(actor string, f *store.EventFilter) (parts []string, err error) {
	prefix, _, _ := strings.Cut(actor, "_")
	switch {
	case actor == "":
	case prefix == "mem":
		m, found, err := w.tx.Member(actor)
		if err != nil {
			return nil, err
		}
		if !found { // of somebody who has left only the id is known
			return []string{strings.ToLower(`"actor":{"kind":"member","id":"` + inJSON(actor) + `"`)}, nil
		}
		f.Users = []string{store.UUID(m.UserID)}
	case prefix == "usr":
		f.Users = []string{store.UUID(actor)}
	case prefix == "tok":
		return []string{strings.ToLower(`"id":"` + inJSON(actor) + `","token_id":`)}, nil
	case actor == "system":
		return []string{`"actor":{"kind":"system"`}, nil
	case strings.Contains(actor, "@"):
		return []string{strings.ToLower(`"email":"` + inJSON(actor) + `"},"initiator"`)}, nil
	default:
		f.Users = []string{actor}
	}
	return nil, nil
}

// inJSON is text as the stored body of an event holds it.
func inJSON(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.Trim(b.String(), "\"\n")
}
