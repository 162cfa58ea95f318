package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/web"
)

const (
	longestWait = time.Minute      // of a long poll
	streamBeat  = 15 * time.Second // a stream that is silent shows that it is alive, and that its token still is
	waitBeat    = 5 * time.Second  // whoever waits looks by itself this often
	mostWaiting = 1000             // long polls and streams of one sort at a time
	slowClient  = 30 * time.Second // how long a client may take to take what it is sent
)

var eventFilters = []param{
	{name: "type", doc: "One type, such as login, or one action of it: login/user_login_failed."},
	{name: "actor", doc: "Who did it or is concerned: a member's id (mem_…), a user's (usr_…), UUID or e-mail address, a token's id (tok_…), or system."},
	{name: "token", doc: "A token's id: its life, and what was done with it."},
	{name: "q", doc: "Text anywhere in the event; case does not matter."},
	{name: "from", doc: "Received then or later (RFC 3339)."},
	{name: "to", doc: "Received then or earlier (RFC 3339)."},
}

var eventPaging = []param{
	{name: "limit", doc: "How many events at most.", min: 1, max: 200, standard: strconv.Itoa(defaultLimit)},
	{name: "after", doc: "next_cursor of the page before; end for what happens from now on."},
}

var logQuery = []param{
	{name: "limit", doc: "How many entries at most.", min: 1, max: 1000, standard: strconv.Itoa(defaultLimit)},
	{name: "after", doc: "next_cursor of the page before."},
}

var eventQuery = append(append([]param{
	{name: "order", doc: "Oldest first, or newest first.", enum: []string{"oldest", "newest"}, standard: "oldest"},
	{name: "wait", doc: "Oldest first, with nothing to read: how long to wait for an event, such as 30s, at most 60s."},
}, eventFilters...), eventPaging...)

var streamQuery = append(append([]param{}, eventFilters...),
	param{name: "after", doc: "A cursor to go on from; without it and Last-Event-ID the stream begins with what happens next."})

var rateHeaders = []string{"RateLimit-Policy", "RateLimit"}

// activityRoutes are the log.
func activityRoutes() []route {
	return []route{
		{method: post, path: "/activities/query", op: registry.OpQueryActivity, audience: counterfoil.AudienceActivity, tag: tagActivity, bodyOptional: true, headers: rateHeaders, summary: "Query activity",
			doc: "For integration tokens made for custom clients or Sentinel, and for tokens of the organization. Ascending by the log's numbers, so that a run of pages with a fixed timestamp_to " +
				"never shifts; a page past the end has no data. Unknown members are passed over; wrong values are 400.",
			body: reflect.TypeFor[counterfoil.ActivityQuery](), answer: reflect.TypeFor[counterfoil.ActivityPage](), plain: func(a *API) http.HandlerFunc { return a.queryActivity }},
		ask(route{method: get, path: "/v1/integrations/splunk/events", op: registry.OpSplunkEvents, audience: counterfoil.AudienceSplunk, tag: tagActivity, query: splunkQuery, headers: rateHeaders, summary: "List events for Splunk",
			doc: "Oldest first. The cursor of the last page is good for what comes later."}, (*call).splunkEvents),
		ask(route{method: get, path: org + "/events", op: registry.OpReadEvents, tag: tagActivity, query: eventQuery, summary: "List events",
			doc: "In the order of their numbers, oldest first, each with everything that is known of it. The cursor of the last page is good for what comes later."}, (*call).listEvents),
		send(route{method: post, path: org + "/events", op: registry.OpWriteEvents, tag: tagActivity, status: 201, limit: 1 << 20, summary: "Write events",
			doc: "Up to 1,000 events of the product's own, all of them or none. An event whose id was written before is not written again, and is named in the answer as it was then."}, (*call).writeEvents),
		ask(route{method: get, path: "/v1/system/events", op: registry.OpReadLog, tag: tagActivity, query: logQuery, summary: "Read the instance's log",
			doc: "Every organization's entries as they are stored, with the hashes that chain them."}, (*call).readLog),
		ask(route{method: get, path: "/v1/system/events/checkpoint", op: registry.OpReadLog, tag: tagActivity, summary: "Sign a checkpoint",
			doc: "The log's last entry, signed with a key derived from the instance key."}, (*call).checkpoint),
		ask(route{method: get, path: org + "/retention", op: registry.OpReadRetention, tag: tagActivity, summary: "Show for how long the log is kept"}, (*call).readRetention),
		send(route{method: put, path: org + "/retention", op: registry.OpWriteRetention, tag: tagActivity, summary: "Set for how long the log is kept",
			doc: "What is older is removed once a day, and its hash kept. Of people, owners alone may."}, (*call).writeRetention),
		ask(route{method: del, path: org + "/retention", op: registry.OpWriteRetention, tag: tagActivity, summary: "Keep the log as the instance does"}, (*call).unsetRetention),
		{method: get, path: org + "/events/stream", op: registry.OpReadEvents, tag: tagActivity, query: streamQuery, media: "text/event-stream", summary: "Follow events",
			doc: "Server-sent events. Each one's id is the cursor behind it: send it back as Last-Event-ID, or as ?after=. Where there is nothing to send yet, an id comes alone.", plain: func(a *API) http.HandlerFunc { return a.stream }},
		ask(route{method: get, path: org + "/tokens/{id}/events", op: registry.OpReadTokenEvents, tag: tagActivity, query: eventPaging, summary: "Show a token's history", doc: "Newest first."}, (*call).tokenEvents),
		ask(route{method: get, path: system + "/{id}/events", op: registry.OpReadSystemTokenEvents, tag: tagSystem, query: eventPaging, summary: "Show a system token's history", doc: "Newest first."}, (*call).tokenEvents),
	}
}

// eventsQuery reads what the request narrows the log by.
func (c *call) eventsQuery() registry.EventQuery {
	q := registry.EventQuery{Type: c.query["type"], Actor: c.query["actor"], Token: c.query["token"], Text: c.query["q"],
		Cursor: c.query["after"], Newest: c.query["order"] == "newest", Limit: c.limit()}
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := c.query[name]; text != "" {
			var err error
			if *to, err = time.Parse(time.RFC3339, text); err != nil {
				c.fault("?"+name, "give a time such as 2026-01-31T12:00:00Z")
			}
		}
	}
	return q
}

func (c *call) listEvents() (page counterfoil.EventPage, err error) {
	org, err := c.org()
	if err != nil {
		return page, err
	}
	q, wait := c.eventsQuery(), time.Duration(0)
	if text := c.query["wait"]; text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > longestWait {
			c.fault("?wait", "give a time to wait such as 30s, at most 60s")
		}
	}
	c.caller.Faults = c.faults
	if page, err = c.Registry.Events(c.r.Context(), c.caller, org, q); err != nil || wait == 0 || q.Newest || len(page.Data) > 0 || page.More {
		return page, err
	}
	if !c.waiting.enter() { // too many wait already: this one is told at once that there is nothing
		return page, nil
	}
	defer c.waiting.leave()
	c.allow(wait + slowClient)
	ctx, cancel := context.WithTimeout(c.r.Context(), wait)
	defer cancel()
	for {
		added := c.Registry.Watch(org)
		q.Cursor = *page.NextCursor
		if page, err = c.Registry.Events(c.r.Context(), c.caller, org, q); err != nil || len(page.Data) > 0 || page.More {
			return page, err
		}
		select {
		case <-added:
		case <-time.After(waitBeat):
		case <-ctx.Done():
			return page, nil
		case <-c.draining:
			return page, nil
		}
	}
}

func (c *call) readLog() (counterfoil.LogPage, error) {
	return c.Registry.Log(c.r.Context(), c.caller, c.query["after"], c.limit())
}

func (c *call) checkpoint() (counterfoil.Checkpoint, error) {
	return c.Registry.Checkpoint(c.r.Context(), c.caller)
}

// eventsDraft is a batch of the product's own events.
type eventsDraft struct {
	Events []counterfoil.EventDraft `json:"events" minItems:"1" maxItems:"1000"`
}

func (c *call) writeEvents(b eventsDraft) (written counterfoil.EventsWritten, err error) {
	org, err := c.org()
	if err != nil {
		return written, err
	}
	if len(c.faults) > 0 { // one that is wrong does not hide what is wrong with the others
		var list struct{ Events []json.RawMessage }
		_ = json.Unmarshal(c.body, &list) // where it is no list the schema has said so
		b.Events = make([]counterfoil.EventDraft, len(list.Events))
		for i, raw := range list.Events {
			loosely(raw, &b.Events[i])
		}
	}
	return c.Registry.WriteEvents(c.r.Context(), c.caller, org, b.Events)
}

func (c *call) tokenEvents() (page counterfoil.EventPage, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return page, err
	}
	return c.Registry.TokenEvents(c.r.Context(), c.caller, org, c.r.PathValue("id"), c.query["after"], c.limit())
}

// places are those of one sort of long polls and streams: mostWaiting of them.
type places struct{ taken atomic.Int64 }

// enter takes a place among those who wait; leave gives it back.
func (p *places) enter() bool {
	if p.taken.Add(1) > mostWaiting {
		p.taken.Add(-1)
		return false
	}
	return true
}

func (p *places) leave() { p.taken.Add(-1) }

// allow gives the connection this long from now on, in both directions: the server's own limits are for short requests.
func (c *call) allow(d time.Duration) {
	control, until := http.NewResponseController(c.w), time.Now().Add(d)
	_ = control.SetReadDeadline(until) // a writer that has no deadlines has none to keep
	_ = control.SetWriteDeadline(until)
}

// stream sends the log as server-sent events (the WHATWG's HTML standard, section 9.2): each event's id is the cursor
// behind it.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	c := &call{API: a, w: w, r: r, route: a.route(get, org+"/events/stream")}
	w.Header().Set("Cache-Control", "no-store")
	if err := c.beginStream(); err != nil {
		c.problem(err)
	}
}

func (c *call) beginStream() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	c.readQuery()
	org, err := c.org()
	if err != nil {
		return err
	}
	q := c.eventsQuery()
	q.Limit = 200
	if last := c.r.Header.Get("Last-Event-ID"); last != "" {
		q.Cursor = last
	}
	if q.Cursor == "" {
		q.Cursor = registry.End
	}
	c.caller.Faults = c.faults
	if !c.waiting.enter() {
		return web.RetryIn(counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many streams are open. Try again later, or ask with ?wait=30s."), streamBeat)
	}
	defer c.waiting.leave()
	added := c.Registry.Watch(org)
	page, err := c.Registry.Events(c.r.Context(), c.caller, org, q)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold it back

	begin := ": the log, from here on\n"
	if len(page.Data) == 0 { // else each of them says where it stands
		begin += "id: " + *page.NextCursor + "\n"
	}
	c.send([]byte(begin + "\n"))
	for {
		if !c.send(frames(page)) {
			return nil
		}
		quiet, on := c.pause(page.More, added, streamBeat)
		if !on || quiet && !c.send([]byte(": still here\nid: "+*page.NextCursor+"\n\n")) {
			return nil
		}
		q.Cursor, added = *page.NextCursor, c.Registry.Watch(org)
		if page, err = c.Registry.Events(c.r.Context(), c.caller, org, q); err != nil {
			c.sendLast(err)
			return nil
		}
	}
}

// pause waits until a stream has more to send: at once, when added is closed, or after quiet time. Then on is true, else the
// stream is to end.
func (c *call) pause(more bool, added <-chan struct{}, beat time.Duration) (quiet, on bool) {
	select {
	case <-c.r.Context().Done():
		return false, false
	case <-c.draining:
		return false, false
	default:
	}
	if more {
		return false, true
	}
	select {
	case <-added:
		return false, true
	case <-time.After(beat):
		return true, true
	case <-c.r.Context().Done():
	case <-c.draining:
	}
	return false, false
}

// send reports whether the client still takes what it is sent.
func (c *call) send(b []byte) bool {
	c.allow(streamBeat + slowClient)
	if _, err := c.w.Write(b); err != nil {
		return false
	}
	return http.NewResponseController(c.w).Flush() == nil
}

func frames(page counterfoil.EventPage) (b []byte) {
	for i := range page.Data {
		raw, err := json.Marshal(&page.Data[i])
		if err != nil {
			continue // a time past the year 9999, which no event of ours has
		}
		b = append(b, "id: "+registry.EventCursor(page.Data[i].Number, false)+"\ndata: "...)
		b = append(append(b, raw...), "\n\n"...)
	}
	return b
}

// sendLast says why a stream ends: its token is not good any more, or the system failed.
func (c *call) sendLast(err error) {
	p := web.Describe(c.w, c.r, err)
	raw, _ := json.Marshal(map[string]any{"code": p.Code, "detail": p.Detail}) // strings alone
	c.send(append(append([]byte("event: problem\ndata: "), raw...), "\n\n"...))
}
