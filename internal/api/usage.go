package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

const mostMonths, mostDays = 36, 400

func usageRoutes() []route {
	query := func(unit, example string) []param {
		return append([]param{
			providerParam,
			{name: unit + "_from", doc: "The first " + unit + ", UTC: " + example + ". Default: that of " + unit + "_to."},
			{name: unit + "_to", doc: "The last " + unit + ". Default: the one that runs."},
			{name: "organization", doc: "An organization's id: its rows only."},
			{name: "format", doc: "csv: every row, without pages.", enum: []string{"json", "csv"}, standard: "json"},
		}, paging...)
	}
	answer := reflect.TypeFor[counterfoil.Page[counterfoil.Usage]]()
	doc := "Every organization that the provider managed in the period has a row, unused ones too. What is not provisional never changes."
	adjusted := doc + " Behind an organization's row are the adjustments that were made in that month: corrections of earlier ones, in adjusts."
	return []route{
		send(route{method: post, path: provider + "/usage/adjustments", op: registry.OpCorrectUsage, tag: tagProvider, status: 201, once: true, query: []param{providerParam}, summary: "Correct a final month",
			doc: "The final figures stay as they are. The difference is in the report of the month that runs."}, (*call).correctUsage),
		{method: get, path: provider + "/usage/daily", op: registry.OpReadUsage, tag: tagProvider, query: query("date", "2026-11-26"), summary: "Read usage by day", doc: doc, answer: answer, plain: func(a *API) http.HandlerFunc { return a.dailyUsage }},
		{method: get, path: provider + "/usage/monthly", op: registry.OpReadUsage, tag: tagProvider, query: query("month", "2026-11"), summary: "Read usage by month", doc: adjusted, answer: answer, plain: func(a *API) http.HandlerFunc { return a.monthlyUsage }},
	}
}

func (a *API) dailyUsage(w http.ResponseWriter, r *http.Request) {
	a.usage(w, r, a.route(get, provider+"/usage/daily"), registry.UsageQuery{})
}

func (a *API) monthlyUsage(w http.ResponseWriter, r *http.Request) {
	a.usage(w, r, a.route(get, provider+"/usage/monthly"), registry.UsageQuery{Monthly: true})
}

func (a *API) usage(w http.ResponseWriter, r *http.Request, rt *route, q registry.UsageQuery) {
	c := &call{API: a, w: w, r: r, route: rt}
	w.Header().Set("Cache-Control", "no-store")
	if err := c.answerUsage(q); err != nil {
		c.problem(err)
	}
}

func (c *call) answerUsage(q registry.UsageQuery) error {
	if err := c.authenticate(); err != nil {
		return err
	}
	c.readQuery()
	if c.query["format"] != "csv" && !acceptsJSON(c.r.Header.Values("Accept")) {
		return counterfoil.Refuse(counterfoil.CodeNotAcceptable, "Answers are application/json, or with ?format=csv text/csv.")
	}
	c.usagePeriod(&q)
	q.Organization, q.Cursor, q.Limit = c.query["organization"], c.query["cursor"], c.limit()
	c.caller.Faults = c.faults
	of, err := c.provider("")
	if err != nil {
		return err
	}
	if c.query["format"] == "csv" {
		return c.csvUsage(of, q)
	}
	page, err := c.Registry.Usage(c.r.Context(), c.caller, of, q)
	if err != nil {
		return err
	}
	body, err := json.Marshal(page)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	writeJSON(c.w, append(body, '\n'))
	return nil
}

// usagePeriod reads which days or months are asked for.
func (c *call) usagePeriod(q *registry.UsageQuery) {
	unit, form, most := "date", time.DateOnly, mostDays
	if q.Monthly {
		unit, form, most = "month", "2006-01", mostMonths
	}
	read := func(name, standard string) (time.Time, string) {
		text := c.query[name]
		if text == "" {
			text = standard
		}
		at, err := time.Parse(form, text)
		if err != nil {
			c.fault("?"+name, "give a "+unit+" such as "+c.Registry.UsageToday()[:len(form)])
		}
		return at, text
	}
	before := len(c.faults)
	to, through := read(unit+"_to", c.Registry.UsageToday()[:len(form)])
	from, first := read(unit+"_from", through)
	if len(c.faults) > before {
		return
	}
	end := from.AddDate(0, 0, most)
	if q.Monthly {
		end = from.AddDate(0, most, 0)
	}
	switch {
	case from.After(to):
		c.fault("?"+unit+"_from", "this is after "+unit+"_to, or, where that is left out, in the future")
	case !to.Before(end):
		c.fault("?"+unit+"_from", fmt.Sprintf("ask for at most %d %ss at once", most, unit))
	}
	q.From, q.Through = first, through
}

func (c *call) correctUsage(correction counterfoil.UsageCorrection) (a counterfoil.UsageAdjustments, err error) {
	of, err := c.provider(correction.Provider)
	if err != nil {
		return a, err
	}
	return c.Registry.CorrectUsage(c.r.Context(), c.caller, of, correction)
}

// csvUsage writes every row, page after page. What fails under way ends the answer short of its length.
func (c *call) csvUsage(of string, q registry.UsageQuery) error {
	q.Limit = 200
	page, err := c.Registry.Usage(c.r.Context(), c.caller, of, q)
	if err != nil {
		return err
	}
	period, name := "date", "usage-daily-"+q.From+".csv"
	if q.Monthly {
		period, name = "month", "usage-monthly-"+q.From+".csv"
	}
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w := csv.NewWriter(c.w)
	_ = w.Write(registry.UsageColumns(period)) // Flush and Error tell
	for {
		for _, u := range page.Data {
			_ = w.Write(registry.UsageRecord(u))
		}
		if w.Flush(); w.Error() != nil || page.NextCursor == nil {
			return nil // a client that has gone is told nothing
		}
		q.Cursor = *page.NextCursor
		if page, err = c.Registry.Usage(c.r.Context(), c.caller, of, q); err != nil {
			panic(http.ErrAbortHandler) // part of the answer is out: it must not look whole
		}
	}
}
