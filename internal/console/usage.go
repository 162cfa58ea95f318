package console

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/web"
)

func usagePages() []page {
	const read = counterfoil.PermUsageRead
	return []page{
		{method: get, path: "/o/{org}/usage", who: member, provider: true, needs: read, show: (*visit).usage},
		{method: get, path: "/o/{org}/usage/export", who: member, provider: true, needs: read, show: (*visit).exportUsage},
	}
}

const (
	monthForm    = "2006-01"
	usagePerPage = 100
	usageMonths  = 13 // of the trend
	usageMost    = 36 // months at once
)

// usageView is a part of the report and how it was narrowed.
type usageView struct {
	counterfoil.Page[counterfoil.Usage]
	form          *form // from, to, organization
	from, through string
	this, last    string // months
	first         string // of the history
	trend         []registry.UsageTotal
	totals        registry.UsageTotal // of the months asked for
	paged         bool                // not the first page
	organization  string              // id; empty: all
	named         string              // what the person calls it
	choices       choices             // what they may have meant
}

// readUsage reads which months of which organization are asked for; the month that runs when nothing is said.
func (v *visit) readUsage() (*usageView, error) {
	u := &usageView{form: newForm(v.r.Form), paged: v.field("cursor") != ""}
	u.this = v.c.Registry.UsageToday()[:len(monthForm)]
	now, _ := time.Parse(monthForm, u.this)
	u.last, u.first = monthBefore(u.this, 1), monthBefore(u.this, usageMonths-1)
	read := func(name, standard string) time.Time {
		text := u.form.get(name)
		if text == "" {
			text = standard
		}
		at, err := time.Parse(monthForm, text)
		if err != nil {
			u.form.wrong(name, "give a month such as "+u.this)
			at = now
		}
		return at
	}
	to := read("to", u.this)
	from := read("from", to.Format(monthForm))
	switch {
	case u.form.bad():
	case from.After(to):
		u.form.wrong("from", "this is after the last month")
	case !to.Before(from.AddDate(0, usageMost, 0)):
		u.form.wrong("from", fmt.Sprintf("choose at most %d months", usageMost))
	}
	u.from, u.through = from.Format(monthForm), to.Format(monthForm)
	return u, v.resolveManaged(u)
}

// resolveManaged finds which organization is meant: by its id, deleted and moved ones too, or by a part of the name of one that
// is managed now.
func (v *visit) resolveManaged(u *usageView) error {
	said := v.field("organization")
	u.named = said
	if said == "" {
		return nil
	}
	ctx := v.r.Context()
	if strings.HasPrefix(said, "org_") {
		u.organization = said
		o, err := v.c.Registry.ManagedOrganization(ctx, v.caller(), v.org(), said)
		if errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
			return nil
		}
		u.named = o.Name
		return err
	}
	page, err := v.c.Registry.ManagedOrganizations(ctx, v.caller(), v.org(), registry.ManagedQuery{Text: said, Limit: mostChoices})
	if err != nil {
		return err
	}
	found := page.Data
	if named := only(found, func(o *counterfoil.ManagedOrganization) bool { return strings.EqualFold(o.Name, said) }); len(named) > 0 {
		found = named
	}
	switch len(found) {
	case 0:
		u.form.wrong("organization", "no organization that you manage now is called so: give a name, or the id of one that you managed")
		return nil
	case 1:
		u.organization, u.named = found[0].ID, found[0].Name
		u.form.values.Set("organization", u.organization)
		return nil
	}
	u.form.wrong("organization", "several organizations are meant by this: choose one below")
	u.choices.title = "Which organization?"
	for _, o := range found {
		u.choices.list = append(u.choices.list, choice{u.only(v, o.ID), o.Name, o.Slug})
	}
	return nil
}

func (u *usageView) query(cursor string, limit int) registry.UsageQuery {
	return registry.UsageQuery{Monthly: true, From: u.from, Through: u.through, Organization: u.organization, Cursor: cursor, Limit: limit}
}

func (v *visit) usage() error {
	u, err := v.readUsage()
	if err != nil {
		return err
	}
	if u.form.bad() {
		return v.show(422, "Usage", usagePage(v, u))
	}
	if u.Page, err = v.c.Registry.Usage(v.r.Context(), v.caller(), v.org(), u.query(v.field("cursor"), usagePerPage)); err != nil {
		return err
	}
	begin := min(u.from, monthBefore(u.through, usageMonths-1))
	totals, err := v.c.Registry.UsageTotals(v.r.Context(), v.caller(), v.org(), begin, u.through, u.organization)
	if err != nil {
		return err
	}
	u.trend = everyMonth(totals, begin, u.through)
	u.totals.Billable = map[string]int{}
	for _, t := range totals {
		if t.Month >= u.from {
			u.totals.Provisional = u.totals.Provisional || t.Provisional
			for plan, n := range t.Billable {
				u.totals.Billable[plan] += n
			}
		}
	}
	return v.show(200, "Usage", usagePage(v, u))
}

// everyMonth fills in the months in which there was nothing; those before the first are left out.
func everyMonth(totals []registry.UsageTotal, from, through string) (all []registry.UsageTotal) {
	at, _ := time.Parse(monthForm, from)
	for month := from; month <= through; month = at.Format(monthForm) {
		switch {
		case len(totals) > 0 && totals[0].Month == month:
			all, totals = append(all, totals[0]), totals[1:]
		case len(all) > 0:
			all = append(all, registry.UsageTotal{Month: month})
		}
		at = at.AddDate(0, 1, 0)
	}
	return all
}

func (u *usageView) at(v *visit, path string, more ...string) string {
	return u.form.address(v.path("%s", path), []string{"from", "to", "organization"}, more...)
}

func (u *usageView) next(v *visit) string {
	if u.NextCursor == nil {
		return ""
	}
	return u.at(v, "/usage", "cursor", *u.NextCursor)
}

// months is an address of the page for other months and the same organization.
func (u *usageView) months(v *visit, from, to string) string {
	return u.form.address(v.path("/usage"), []string{"organization"}, "from", from, "to", to)
}

func (u *usageView) shows(from, to string) string {
	return currentIf(u.from == from && u.through == to)
}

// title names the months that are shown.
func (u *usageView) title() string {
	if u.from == u.through {
		return monthWords(u.from)
	}
	return monthWords(u.from) + " to " + monthWords(u.through)
}

// exportUsage sends the rows that the page shows as CSV, in the API's columns. One that breaks off is cut, so that it does not
// look whole.
func (v *visit) exportUsage() error {
	u, err := v.readUsage()
	if err != nil {
		return err
	}
	if u.form.bad() {
		return v.show(422, "Usage", usagePage(v, u))
	}
	if !v.c.exports.begin(v.org()) {
		return web.RetryIn(counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many downloads are running. Try again in a moment."), exportsRetry)
	}
	defer v.c.exports.end(v.org())
	page, err := v.c.Registry.Usage(v.r.Context(), v.caller(), v.org(), u.query("", 1000))
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	v.w.Header().Set("Content-Disposition", `attachment; filename="usage-`+v.here.Organization.Slug+"-"+u.from+"-"+u.through+`.csv"`)
	out := csv.NewWriter(v.w)
	_ = out.Write(registry.UsageColumns("month")) // Error tells
	control := http.NewResponseController(v.w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(exportPace)) // a writer that has no deadlines has none to keep
		for _, row := range page.Data {
			_ = out.Write(registry.UsageRecord(row))
		}
		out.Flush()
		if out.Error() != nil || page.NextCursor == nil {
			return nil // a browser that has gone is told nothing
		}
		if page, err = v.c.Registry.Usage(v.r.Context(), v.caller(), v.org(), u.query(*page.NextCursor, 1000)); err != nil {
			v.c.Logger.Warn("a download of the usage broke off", "request_id", web.RequestID(v.w), "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// monthBefore is so many months before one.
func monthBefore(month string, n int) string {
	at, err := time.Parse(monthForm, month)
	if err != nil {
		return month
	}
	return at.AddDate(0, -n, 0).Format(monthForm)
}

// monthWords is a month for people: November 2026.
func monthWords(month string) string {
	at, err := time.Parse(monthForm, month)
	if err != nil {
		return month
	}
	return at.Format("January 2006")
}

// shortMonth is a month below its column.
func shortMonth(month string) string {
	at, err := time.Parse(monthForm, month)
	if err != nil {
		return month
	}
	return at.Format("Jan")
}

// billableWords are seats by plan, in the plans' order.
func (v *visit) billableWords(t *registry.UsageTotal) string {
	var words []string
	for _, plan := range v.plans() {
		if n := t.Billable[plan]; n != 0 {
			words = append(words, thousands(int64(n))+" "+planWords(plan))
		}
	}
	for plan, n := range t.Billable {
		if n != 0 && !strings.Contains(" "+strings.Join(v.plans(), " ")+" ", " "+plan+" ") {
			words = append(words, thousands(int64(n))+" "+planWords(plan)) // a plan that is configured no more
		}
	}
	if len(words) == 0 {
		return "Nothing"
	}
	return list(words)
}

func usageStatus(status string) (tone, word string) {
	switch status {
	case "suspended":
		return "warn", "Suspended"
	case "deleted":
		return "", "Deleted"
	case "moved":
		return "", "Moved away"
	}
	return "good", "Active"
}
