package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

// EventQuery selects events. The zero EventQuery selects them all, oldest first.
type EventQuery struct {
	Type  string // "login", or one action of it: "login/user_login_failed"
	Actor string // mem_…, usr_…, tok_…, a user's UUID or e-mail address, or "system"
	Token string // a token's id: its life, and what was done with it
	Text  string // anywhere in the event
	// From and To are times of receipt, both included.
	From, To time.Time
	After    string        // NextCursor of the page before, or [EndOfLog]
	Newest   bool          // first
	Wait     time.Duration // with nothing to read: how long to wait for an event, at most a minute
	Limit    int           // events a page, at most 200; 0: 50
}

// EndOfLog is the cursor behind the last event.
const EndOfLog = "end"

func (q *EventQuery) params() []string {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return []string{"type", q.Type, "actor", q.Actor, "token", q.Token, "q", q.Text, "from", stamp(q.From), "to", stamp(q.To), "after", q.After}
}

// ListEvents reads one page of an organization's log. With Wait, give the client more time than that: see [WithTimeout].
func (c *Client) ListEvents(ctx context.Context, org string, q EventQuery, options ...CallOption) (counterfoil.EventPage, error) {
	pairs := append(q.params(), "limit", number(q.Limit))
	if q.Newest {
		pairs = append(pairs, "order", "newest")
	}
	if q.Wait > 0 {
		pairs = append(pairs, "wait", q.Wait.String())
	}
	return call[counterfoil.EventPage](ctx, c, request{doing: "listing events", method: http.MethodGet, path: within(org, "events"), query: params(pairs...)}, options)
}

// Events yields every event that q selects, up to the end of the log, reading page after page. It ends with the first
// error.
func (c *Client) Events(ctx context.Context, org string, q EventQuery) iter.Seq2[counterfoil.Event, error] {
	return followEvents(q.After, func(after string) (counterfoil.EventPage, error) {
		q := q
		q.After, q.Wait = after, 0
		return c.ListEvents(ctx, org, q)
	})
}

func followEvents(after string, read func(after string) (counterfoil.EventPage, error)) iter.Seq2[counterfoil.Event, error] {
	return func(yield func(counterfoil.Event, error) bool) {
		for after := after; ; {
			page, err := read(after)
			if err == nil && page.More && (page.NextCursor == nil || *page.NextCursor == after) {
				err = errors.New("the server's log does not move on")
			}
			if err != nil {
				yield(counterfoil.Event{}, err)
				return
			}
			for _, e := range page.Data {
				if !yield(e, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			after = *page.NextCursor
		}
	}
}

// TokenEvents reads one page of a token's history, newest first. After is NextCursor of the page before; limit 0 is 50.
func (c *Client) TokenEvents(ctx context.Context, org, id, after string, limit int, options ...CallOption) (counterfoil.EventPage, error) {
	return call[counterfoil.EventPage](ctx, c, request{doing: "reading a token's history", method: http.MethodGet, path: tokens(org, id, "events"), query: params("after", after, "limit", number(limit))}, options)
}

// StreamEvents yields events as they happen: those behind q.After, or, where that is empty, from now on. It takes up a
// connection that broke where it ended. It ends with ctx, or with a refusal; q's Newest, Wait and Limit have no meaning.
func (c *Client) StreamEvents(ctx context.Context, org string, q EventQuery) iter.Seq2[counterfoil.Event, error] {
	return func(yield func(counterfoil.Event, error) bool) {
		for failures := 0; ; {
			again, err := c.streamOnce(ctx, org, &q, func() { failures = 0 }, func(e counterfoil.Event) bool { return yield(e, nil) })
			if err == nil {
				return
			}
			if failures++; !again || ctx.Err() != nil || failures > 10 {
				yield(counterfoil.Event{}, fmt.Errorf("following events: %w", err))
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(max(firstWait<<min(failures, 5), askedWait(err))):
			}
		}
	}
}

// askedWait is what the server asked to wait; 0: nothing.
func askedWait(err error) time.Duration {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.RetryAfter
	}
	return 0
}

// streamOnce follows one connection and moves q.After on. It calls alive once the server has said more than that it begins.
// No error means that nobody wants to hear more; again, that another try makes sense.
func (c *Client) streamOnce(ctx context.Context, org string, q *EventQuery, alive func(), yield func(counterfoil.Event) bool) (again bool, err error) {
	if c.err != nil {
		return false, c.err
	}
	target, _, err := c.encode(&request{path: within(org, "events", "stream"), query: params(q.params()...)}, false)
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return false, errors.New("the request can't be made: the server's base URL is wrong")
	}
	r.Header.Set("Accept", "text/event-stream, application/problem+json")
	r.Header.Set("User-Agent", c.agent)
	c.authorize(r)
	endless := *c.http
	endless.Timeout = 0
	a, err := endless.Do(r)
	if err != nil {
		return true, c.unreached(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(a.Body, longestAnswer)) // what is missing of a refusal is not told
		return a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests, refusal(a, body)
	}
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		return false, unexpected(a)
	}
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, 4<<20)
	id, kind, frames := "", "", 0
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
			if lines.Text() != "" {
				continue
			}
			q.After = cmp.Or(id, q.After) // an id that comes alone is where to go on as well
			if id, kind = "", ""; frames > 0 {
				alive()
			}
			frames++
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			if kind != "" {
				return false, problemIn(value)
			}
			var e counterfoil.Event
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return false, errors.New("the server sends an event that can't be read")
			}
			if !yield(e) {
				return false, nil
			}
			q.After = id
			alive()
		}
	}
	if err = lines.Err(); err == nil {
		err = io.ErrUnexpectedEOF
	}
	return true, c.unreached(err)
}

// problemIn is the refusal that a stream ends with.
func problemIn(data string) error {
	var p struct {
		Code   counterfoil.Code `json:"code"`
		Detail string           `json:"detail"`
	}
	if json.Unmarshal([]byte(data), &p) != nil || p.Code == "" {
		return errors.New("the server ended the stream")
	}
	return counterfoil.Refuse(p.Code, p.Detail)
}

// Log yields the instance's whole log as it is stored, after a cursor or from the first entry on, for a system token.
func (c *Client) Log(ctx context.Context, after string) iter.Seq2[counterfoil.LogEntry, error] {
	return func(yield func(counterfoil.LogEntry, error) bool) {
		for {
			page, err := c.ListLog(ctx, after, 1000)
			if err == nil && page.More && page.NextCursor == after {
				err = errors.New("the server's log does not move on")
			}
			if err != nil {
				yield(counterfoil.LogEntry{}, err)
				return
			}
			for _, e := range page.Data {
				if !yield(e, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			after = page.NextCursor
		}
	}
}

// ListLog reads one page of the instance's log. After is NextCursor of the page before; limit is at most 1000, and 0 is 50.
func (c *Client) ListLog(ctx context.Context, after string, limit int, options ...CallOption) (counterfoil.LogPage, error) {
	return call[counterfoil.LogPage](ctx, c, request{doing: "reading the log", method: http.MethodGet, path: path{"v1", "system", "events"}, query: params("after", after, "limit", number(limit))}, options)
}

// Checkpoint asks for a signed statement of what the log's last entry is, with a system token.
func (c *Client) Checkpoint(ctx context.Context, options ...CallOption) (counterfoil.Checkpoint, error) {
	return call[counterfoil.Checkpoint](ctx, c, request{doing: "asking for a checkpoint", method: http.MethodGet, path: path{"v1", "system", "events", "checkpoint"}}, options)
}
