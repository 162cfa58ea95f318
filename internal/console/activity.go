package console

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func activityPages() []page {
	needs := counterfoil.PermActivityRead
	return []page{
		{method: get, path: "/o/{org}/activity", who: member, needs: needs, show: (*visit).activity},
		{method: get, path: "/o/{org}/activity/new", who: member, needs: needs, show: (*visit).newActivity},
		{method: get, path: "/o/{org}/activity/export", who: member, needs: needs, show: (*visit).exportActivity},
		{method: get, path: "/o/{org}/activity/{number}", who: member, needs: needs, show: (*visit).event},
	}
}

const (
	eventsPerPage = 50
	longestSpan   = 90 // days that a list or download covers
	mostLooks     = 10 // at the log for one page: of a rare thing a page may come back empty
	dayForm       = "2006-01-02"
)

// activityList is the log as a page shows it.
type activityList struct {
	form     *form
	path     string
	query    registry.EventQuery
	page     counterfoil.EventPage
	paged    bool   // not the first page
	tail     string // cursor of what happens from now on; empty: the list does not reach to now
	offers   offers
	token    *counterfoil.Token // the one that the list is narrowed to; nil: none, or one that is gone
	choices  choices            // where what somebody asked for is several
	from, to time.Time          // days, both included
}

var activityFields = []string{"from", "to", "member", "type", "token", "item"}

// readActivity reads what the address asks for: days in UTC, the last 90 where none are named; a member and a token by
// what people call them.
func (v *visit) readActivity() (*activityList, error) {
	l := &activityList{form: newForm(v.r.Form), path: v.path("/activity")}
	today := v.now().UTC().Truncate(24 * time.Hour)
	day := func(name string, standard time.Time) time.Time {
		text := v.field(name)
		if text == "" {
			return standard
		}
		at, err := time.Parse(dayForm, text)
		if err != nil {
			l.form.wrong(name, "give a day such as "+today.Format(dayForm))
			return standard
		}
		return at
	}
	l.to = day("to", today)
	l.from = day("from", l.to.AddDate(0, 0, 1-longestSpan))
	switch days := int(l.to.Sub(l.from)/(24*time.Hour)) + 1; {
	case days < 1:
		l.form.wrong("from", "this is after the last day")
	case days > longestSpan:
		l.form.wrong("from", "choose at most 90 days; these are "+thousands(int64(days)))
	}
	l.query = registry.EventQuery{Type: v.field("type"), Actor: v.field("member"), Token: v.field("token"), Item: v.field("item"),
		From: l.from, To: l.to.AddDate(0, 0, 1).Add(-time.Microsecond), Newest: true, Cursor: v.field("cursor"), Limit: eventsPerPage}
	l.paged = l.query.Cursor != ""
	if err := v.resolveMember(l); err != nil {
		return nil, err
	}
	var err error
	var which choices
	if l.token, which, err = v.resolveToken(l.form, func(more ...string) string { return l.address(l.path, more...) }); err != nil {
		return nil, err
	}
	if l.token != nil {
		l.query.Token = l.token.ID
	}
	if len(which.list) > 0 {
		l.choices = which
	}
	return l, nil
}

func (v *visit) activity() error {
	l, err := v.readActivity()
	if err != nil {
		return err
	}
	if l.offers, err = v.activityOffers(); err != nil {
		return err
	}
	if l.form.bad() {
		return v.show(422, "Activity log", activityPage(v, l))
	}
	if !l.paged && !l.query.To.Before(v.now()) {
		if l.tail, err = v.activityEnd(); err != nil {
			return err
		}
	}
	if l.page, err = v.readEvents(l.query); err != nil {
		return err
	}
	if l.tail != "" && len(l.page.Data) > 0 {
		l.tail = registry.EventCursor(l.page.Data[0].Number, false)
	}
	return v.show(200, "Activity log", activityPage(v, l))
}

// readEvents reads a page, looking on where a look has found nothing.
func (v *visit) readEvents(q registry.EventQuery) (page counterfoil.EventPage, err error) {
	for range mostLooks {
		if page, err = v.c.Registry.Events(v.r.Context(), v.caller(), v.org(), q); err != nil || len(page.Data) > 0 || !page.More {
			return page, err
		}
		q.Cursor = *page.NextCursor
	}
	return page, nil
}

// activityEnd is a cursor behind the last event there is.
func (v *visit) activityEnd() (string, error) {
	page, err := v.c.Registry.Events(v.r.Context(), v.caller(), v.org(), registry.EventQuery{Cursor: registry.End, Limit: 1})
	if err != nil {
		return "", err
	}
	return *page.NextCursor, nil
}

// newActivity is the rows that came behind a cursor, for the script of the list: newest first, as they stand there.
func (v *visit) newActivity() error {
	l, err := v.readActivity()
	if err != nil {
		return err
	}
	if l.form.bad() || l.query.Cursor == "" {
		return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "This address is for the activity log's own script.")
	}
	l.query.Newest = false
	page, err := v.readEvents(l.query)
	if err != nil {
		return err
	}
	l.page, l.tail = page, *page.NextCursor
	slices.Reverse(l.page.Data)
	v.r.Header.Set("X-Fragment", "1") // never a page of its own
	return v.show(200, "Activity log", activityRows(v, l))
}

// address is a page of the list with the same filters, and more: name, value, …
func (l *activityList) address(path string, more ...string) string {
	return l.form.address(path, activityFields, more...)
}

func (l *activityList) first() string {
	if l.paged {
		return l.address(l.path)
	}
	return ""
}

func (l *activityList) next() string {
	if l.page.NextCursor == nil {
		return ""
	}
	return l.address(l.path, "cursor", *l.page.NextCursor)
}

// narrowed reports whether somebody asked for less than everything of the last 90 days.
func (l *activityList) narrowed() bool {
	return l.paged || slices.ContainsFunc(activityFields, func(name string) bool { return l.form.get(name) != "" })
}

func (v *visit) eventPath(e *counterfoil.Event) string { return v.path("/activity/%d", e.Number) }

// query is text within an address.
func query(text string) string { return url.QueryEscape(text) }

// event shows one entry of the log, found by its number.
func (v *visit) event() error {
	missing := counterfoil.Refuse(counterfoil.CodeNotFound, "There is no such event, or it is not yours to see.")
	number, err := strconv.ParseInt(v.r.PathValue("number"), 10, 64)
	if err != nil || number < 1 {
		return missing
	}
	page, err := v.c.Registry.Events(v.r.Context(), v.caller(), v.org(), registry.EventQuery{Cursor: registry.EventCursor(number-1, false), Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Data) == 0 || page.Data[0].Number != number {
		return missing
	}
	e := &page.Data[0]
	return v.show(200, eventAction(e), eventPage(v, e))
}
