package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/web"
)

const (
	day          = 24 * 60 * 60 // seconds
	longestSpan  = 90 * day
	defaultSpan  = 7 * day
	mostUsers    = 500
	longestUser  = 200 // characters
	lastSecond   = 253402300799
	mostPerPage  = 1000
	mostPages    = 1 << 40
	splunkLimit  = 1000
	splunkPaging = 100
)

// queryActivity answers POST /activities/query (N7): a wire shape that clients exist for. What is unknown is passed over,
// what is wrong is 400 and named, and the body may be missing.
func (a *API) queryActivity(w http.ResponseWriter, r *http.Request) {
	c := &call{API: a, w: w, r: r, route: a.route(post, "/activities/query")}
	page, err := c.activity()
	if err != nil {
		c.problem(err)
		return
	}
	body, err := json.Marshal(page)
	if err != nil {
		c.problem(fmt.Errorf("encoding the answer: %w", err))
		return
	}
	writeJSON(w, append(body, '\n'))
}

func (c *call) activity() (page counterfoil.ActivityPage, err error) {
	if err := c.authenticate(); err != nil {
		return page, err
	}
	if c.caller.Kind == counterfoil.KindSystem {
		return page, counterfoil.Refuse(counterfoil.CodeWrongAudience, "This reads the log of the token's own organization, and a system token has none. Use GET /v1/organizations/{org}/events.")
	}
	body, err := web.ReadBody(c.w, c.r, bodyLimit)
	if err != nil {
		return page, err
	}
	if len(body) > 0 {
		if err := web.RequireJSON(c.r); err != nil {
			return page, err
		}
		if err := web.CheckJSON(body); err != nil {
			return page, err
		}
	} else {
		body = []byte("{}")
	}
	q, problems := readActivity(body, c.Registry.Now().Time().Unix(), c.integration == counterfoil.IntegrationSentinel)
	if len(problems) > 0 {
		return page, &counterfoil.Error{Code: counterfoil.CodeInvalidRequest, Detail: problems[0].Pointer[min(1, len(problems[0].Pointer)):] + ": " + problems[0].Detail, Problems: problems}
	}
	return c.Registry.Activity(c.r.Context(), c.caller, q)
}

// activityReader reads the members of a body that are known, and gathers what is wrong with them.
type activityReader struct {
	members  map[string]json.RawMessage
	quoted   bool // a number may come as text: Sentinel's poller fills in a template, and its documents do not say which it sends
	problems []counterfoil.Problem
}

func (a *activityReader) wrong(name, detail string) {
	if name != "" {
		name = "/" + name
	}
	a.problems = append(a.problems, counterfoil.Problem{Pointer: name, Code: counterfoil.CodeInvalidRequest, Detail: detail})
}

// number reads a whole number; absent and null are the standard.
func (a *activityReader) number(name string, standard, least, most int64) int64 {
	raw, given := a.members[name]
	if !given || string(raw) == "null" {
		return standard
	}
	var n int64
	if text, quoted := strings.CutPrefix(string(raw), `"`); quoted && a.quoted {
		raw = json.RawMessage(strings.TrimSuffix(text, `"`))
	}
	if json.Unmarshal(raw, &n) != nil || n < least || n > most {
		a.wrong(name, fmt.Sprintf("give a whole number from %d to %d", least, most))
		return standard
	}
	return n
}

func (a *activityReader) users() (users []string) {
	raw, given := a.members["user_uuids"]
	if !given {
		return nil
	}
	if json.Unmarshal(raw, &users) != nil {
		a.wrong("user_uuids", "give a list of texts")
		return nil
	}
	if len(users) > mostUsers {
		a.wrong("user_uuids", fmt.Sprintf("ask for %d users at most", mostUsers))
		return nil
	}
	for i, u := range users {
		if u == "" || len(u) > longestUser || !plainText(u) {
			a.wrong(fmt.Sprintf("user_uuids/%d", i), "this is no user's UUID")
		}
	}
	return users
}

// readActivity reads a body that CheckJSON has passed. now is in Unix seconds.
func readActivity(body []byte, now int64, quoted bool) (q registry.ActivityWindow, problems []counterfoil.Problem) {
	a := activityReader{quoted: quoted}
	if json.Unmarshal(body, &a.members) != nil || a.members == nil {
		a.wrong("", "the body must be an object")
		return q, a.problems
	}
	const none = -1
	from, to := a.number("timestamp_from", none, 0, lastSecond), a.number("timestamp_to", none, 0, lastSecond)
	q = registry.ActivityWindow{Users: a.users(), Page: a.number("page", 1, 1, mostPages), PerPage: a.number("per_page", 100, 1, mostPerPage), Fixed: to != none}
	if to == none {
		to = now
	}
	if from == none {
		from = max(0, to-to%day-defaultSpan)
	}
	if len(a.problems) == 0 {
		switch {
		case from > to:
			a.wrong("timestamp_from", "this is after timestamp_to, or, where that is left out, in the future")
		case to-from > longestSpan:
			a.wrong("timestamp_from", "this is more than 90 days before timestamp_to, or, where that is left out, before now")
		}
	}
	q.From, q.Until = counterfoil.Instant(from*1e6), counterfoil.Instant((to+1)*1e6)
	return q, a.problems
}

var splunkQuery = []param{
	{name: "limit", doc: "How many events at most.", min: 1, max: splunkLimit, standard: fmt.Sprint(splunkPaging)},
	{name: "after", doc: "next_cursor of the page before; end for what happens from now on."},
}

func (c *call) splunkEvents() (counterfoil.EventPage, error) {
	limit := splunkPaging
	if c.query["limit"] != "" {
		limit = c.limit()
	}
	return c.Registry.SplunkEvents(c.r.Context(), c.caller, c.query["after"], limit)
}

// throttle counts a use of a route whose rate is limited.
func (c *call) throttle() error {
	if wait, ok := c.rate.Take(c.w.Header(), c.caller.TokenID, time.Now()); !ok {
		return web.RetryIn(counterfoil.Refuse(counterfoil.CodeRateLimited, fmt.Sprintf("A token may ask this %d times a minute. Wait as long as Retry-After says.", c.rate.PerMinute)), wait)
	}
	return nil
}
