package acceptance

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// M4, M5 over the API: what runs is provisional and up to date, what has ended is final, and stays.
func TestUsage(t *testing.T) {
	for name, database := range map[string]string{"PostgreSQL": postgrestest.NewDatabase(t), "SQLite": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			usageOverTime(t, newWorld(t, database))
		})
	}
}

// What the retention removes was reckoned before, also of an organization that no provider managed then.
func TestUsageAfterRetention(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		system := w.systemToken(t, allPermissions()...).secret
		org := must(t, "create", w.ask(t, system, "POST /v1/organizations", `{"name":"Kept"}`), "201").at("id")
		for i := range 2 {
			member := must(t, "invite", w.ask(t, system, "POST /v1/organizations/"+org+"/members", fmt.Sprintf(`{"email":"m%d@kept.example","name":"M","roles":[]}`, i)), "201").at("id")
			must(t, "activate", w.ask(t, system, "PATCH /v1/organizations/"+org+"/members/"+member, `{"status":"active"}`), "200")
		}
		must(t, "retention", w.ask(t, system, "PUT /v1/organizations/"+org+"/retention", `{"days":30}`), "200")
		p := w.provider(t)
		key := p.newKey(t, "EdDSA")
		w.advance(35 * 24 * time.Hour)
		eventually(t, "the members' events are removed", func() bool {
			return w.ask(t, system, "GET /v1/organizations/"+org+"/events?type=invites", "").count("data") == 0
		})
		must(t, "manage", w.ask(t, system, "PATCH /v1/organizations/"+org, fmt.Sprintf(`{"managed_by":%q}`, p.id)), "200")
		month := must(t, "monthly", w.ask(t, key.jwt(t), "GET /v1/provider/usage/monthly?organization="+org, ""), "200")
		expectAt(t, "of a managed organization", month, "data.0.licenses.active", "2")
	})
}

func usageOverTime(t *testing.T, w *world) {
	// From now on to the second of a month at 12:00, so that days and months end where the test wants.
	now := w.now().UTC()
	start := time.Date(now.Year(), now.Month()+1, 2, 12, 0, 0, 0, time.UTC)
	system := w.systemToken(t, allPermissions()...).secret
	p := w.provider(t)
	key := p.newKey(t, "EdDSA")
	w.advance(start.Sub(now))
	ask := func(line, body string) answer { t.Helper(); return w.ask(t, key.jwt(t), line, body) }
	monthly := func(query string) answer {
		t.Helper()
		return must(t, "monthly", ask("GET /v1/provider/usage/monthly"+query, ""), "200")
	}
	one := must(t, "create", ask("POST /v1/provider/organizations", `{"name":"=One","plan":"teams"}`), "201").at("id")
	two := must(t, "create", ask("POST /v1/provider/organizations", `{"name":"Two","license":"nfr"}`), "201").at("id")
	var members []string
	for i := range 3 {
		members = append(members, must(t, "invite", ask("POST /v1/organizations/"+one+"/members", fmt.Sprintf(`{"email":"m%d@one.example","name":"M","roles":[]}`, i)), "201").at("id"))
	}
	for _, m := range members[:2] {
		must(t, "activate", ask("PATCH /v1/organizations/"+one+"/members/"+m, `{"status":"active"}`), "200")
	}
	month := start.Format("2006-01")
	a := monthly("")
	for member, want := range map[string]string{"data.0.month": month, "data.0.provisional": "true", "data.0.organization.id": one, "data.0.licenses.active": "2", "data.0.licenses.pending": "1",
		"data.0.licenses.consumed": "3", "data.0.licenses.billable": "3", "data.0.billable_reason": "3 = 2 active + 1 pending on the last day",
		"data.1.organization.id": two, "data.1.nfr": "true", "data.1.licenses.billable": "0", "next_cursor": "null"} {
		expectAt(t, "the month that runs", a, member, want)
	}
	must(t, "suspend", ask("PATCH /v1/organizations/"+one+"/members/"+members[0], `{"status":"suspended"}`), "200")
	if a = monthly("?organization=" + one); a.at("data.0.licenses.suspended") != "1" || a.at("data.0.licenses.billable") != "3" {
		t.Errorf("right after a change: %s", a.text())
	}
	w.advance(24 * time.Hour)
	must(t, "raise", ask("PATCH /v1/organizations/"+one, `{"plan":"enterprise"}`), "200")
	must(t, "remove", ask("DELETE /v1/organizations/"+one+"/members/"+members[1], ""), "204")
	day := must(t, "daily", ask("GET /v1/provider/usage/daily?date_from="+start.Format(time.DateOnly)+"&organization="+one, ""), "200")
	for member, want := range map[string]string{"data.0.date": start.Format(time.DateOnly), "data.0.provisional": "false", "data.0.plan": "teams", "data.0.licenses.billable": "3",
		"data.1.provisional": "true", "data.1.plan": "enterprise", "data.1.licenses.deleted": "1", "data.1.licenses.suspended": "1", "data.1.licenses.billable": "2", "data.2": "absent"} {
		expectAt(t, "two days", day, member, want)
	}

	next := time.Date(start.Year(), start.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	w.advance(next.Sub(w.now()))
	must(t, "after the end", ask("POST /v1/organizations/"+one+"/members", `{"email":"late@one.example","name":"M","roles":[]}`), "201")
	query := "?month_from=" + month + "&month_to=" + month
	final := monthly(query)
	for member, want := range map[string]string{"data.0.provisional": "false", "data.0.plan": "enterprise", "data.0.licenses.active": "0", "data.0.licenses.suspended": "1", "data.0.licenses.deleted": "1",
		"data.0.licenses.pending": "1", "data.0.licenses.billable": "3", "data.1.provisional": "false", "data.1.licenses.billable": "0"} {
		expectAt(t, "the month that has ended", final, member, want)
	}
	expectAt(t, "why", final, "data.0.billable_reason", "3 = 1 suspended after being active + 1 deleted after being active + 1 pending on the last day; enterprise because the plan was raised on "+start.AddDate(0, 0, 1).Format(time.DateOnly))
	must(t, "rename", ask("PATCH /v1/organizations/"+one, `{"name":"Renamed","plan":"teams"}`), "200")
	must(t, "delete", ask("DELETE /v1/organizations/"+one, ""), "204")
	w.advance(36 * time.Hour)
	if again := monthly(query); again.text() != final.text() {
		t.Errorf("a final month has changed:\n%s\nwas\n%s", again.text(), final.text())
	}
	running := monthly("?month_from=" + month)
	for member, want := range map[string]string{"data.2.month": next.Format("2006-01"), "data.2.organization.status": "deleted", "data.2.organization.name": "Renamed", "data.3.organization.id": two, "data.4": "absent"} {
		expectAt(t, "with the month that runs", running, member, want)
	}
	pages := monthly("?month_from=" + month + "&limit=3")
	rest := monthly("?month_from=" + month + "&limit=3&cursor=" + strings.ReplaceAll(pages.at("next_cursor"), " ", "%20"))
	if pages.count("data") != 3 || rest.count("data") != 1 || rest.at("data.0.organization.id") != two {
		t.Errorf("in pages: %s\n%s", pages.text(), rest.text())
	}
	sheet := ask("GET /v1/provider/usage/monthly?format=csv&month_from="+month, "")
	rows, err := csv.NewReader(strings.NewReader(sheet.text())).ReadAll()
	if err != nil || len(rows) != 5 || rows[0][0] != "month" || rows[1][3] != "'=One" || rows[1][15] != "3" || !strings.HasPrefix(sheet.header.Get("Content-Type"), "text/csv") {
		t.Errorf("the sheet is %v (%v)", rows, err)
	}
	for name, test := range map[string][2]string{
		"a month that is none": {"monthly?month_from=2026-13", "422 validation_failed ?month_from"},
		"backwards":            {"monthly?month_from=2026-03&month_to=2026-01", "422 validation_failed ?month_from"},
		"too many":             {"daily?date_from=2020-01-01&date_to=2026-01-01", "422 validation_failed ?date_from"},
		"a cursor of nothing":  {"monthly?cursor=x", "422 validation_failed ?cursor"},
		"another member":       {"monthly?months=2", "422 validation_failed ?months"},
	} {
		expect(t, name, ask("GET /v1/provider/usage/"+test[0], ""), test[1])
	}
	correctedUsage(t, p, system, key, month, one, two)
	expect(t, "no provider named", w.ask(t, system, "GET /v1/provider/usage/monthly", ""), "422 validation_failed ?provider")
	expect(t, "named", w.ask(t, system, "GET /v1/provider/usage/monthly?provider="+p.id, ""), "200")
}

// correctedUsage: a final month is corrected in the report of the one that runs, and stays. One was deleted since and billed 3
// at enterprise; two is NFR and was not billed.
func correctedUsage(t *testing.T, p *tenant, system string, key *signer, month, one, two string) {
	t.Helper()
	runs := p.now().UTC().Format("2006-01")
	read := func(query string) answer {
		t.Helper()
		return must(t, "monthly", p.world.ask(t, key.jwt(t), "GET /v1/provider/usage/monthly"+query, ""), "200")
	}
	before := read("?month_from=" + month + "&month_to=" + month)
	correct := func(name, token, body, want string) answer {
		t.Helper()
		a := p.world.ask(t, token, "POST /v1/provider/usage/adjustments?provider="+p.id, body)
		expect(t, name, a, want)
		return a
	}
	about := func(org, rest string) string {
		return fmt.Sprintf(`{"organization":%q,"month":%q,"reason":"miscounted"%s}`, org, month, rest)
	}
	expect(t, "by the provider's key", p.world.ask(t, key.jwt(t), "POST /v1/provider/usage/adjustments", about(one, `,"billable":1`)), "403 missing_permission")
	correct("by its owner", p.token, about(one, `,"billable":1`), "403 missing_permission")
	correct("both", system, about(one, `,"billable":1,"license":"nfr"`), "422 validation_failed /billable")
	correct("neither", system, about(one, ""), "422 validation_failed /billable")
	correct("no such plan", system, about(one, `,"billable":1,"plan":"gold"`), "422 validation_failed /plan")
	correct("of nobody", system, about(p.id, `,"billable":1`), "422 validation_failed /organization")
	correct("as it was", system, about(one, `,"billable":3`), "422 validation_failed /month")
	correct("no reason", system, strings.Replace(about(one, `,"billable":1`), "miscounted", " ", 1), "422 validation_failed /reason")
	correct("the month that runs", system, strings.Replace(about(two, `,"billable":1`), month, runs, 1), "422 validation_failed /month")
	correct("a month that is none", system, strings.Replace(about(two, `,"billable":1`), month, "2026-13", 1), "422 validation_failed /month")

	moved := correct("another plan", system, about(one, `,"billable":3,"plan":"teams"`), "201")
	for member, want := range map[string]string{"data.0.month": runs, "data.0.plan": "teams", "data.0.licenses.billable": "3", "data.0.adjusts.month": month, "data.0.adjusts.reason": "miscounted",
		"data.0.organization.status": "deleted", "data.0.provisional": "false", "data.1.plan": "enterprise", "data.1.licenses.billable": "-3", "data.2": "absent"} {
		expectAt(t, "another plan", moved, member, want)
	}
	free := correct("not NFR", system, about(two, `,"license":"standard"`), "422 validation_failed /month") // it had no seats
	if !strings.Contains(free.text(), "was billed so already") {
		t.Errorf("a correction to the same says %s", free.text())
	}
	correct("not NFR, by hand", system, about(two, `,"billable":4`), "201")

	if again := read("?month_from=" + month + "&month_to=" + month); again.text() != before.text() {
		t.Errorf("a correction has changed a final month:\n%s\nwas\n%s", again.text(), before.text())
	}
	var whole []string
	line := func(a answer, i int) string {
		at := func(name string) string { return a.at(fmt.Sprintf("data.%d.%s", i, name)) }
		return at("month") + " " + at("organization.id") + " " + at("plan") + " " + at("licenses.billable") + " " + at("adjusts.month")
	}
	all := read("?month_from=" + month)
	for i := range all.count("data") {
		whole = append(whole, line(all, i))
	}
	want := []string{
		month + " " + one + " enterprise 3 absent", month + " " + two + " teams 0 absent",
		runs + " " + one + " enterprise 0 absent", runs + " " + one + " teams 3 " + month, runs + " " + one + " enterprise -3 " + month,
		runs + " " + two + " teams 0 absent", runs + " " + two + " teams 4 " + month,
	}
	if !slices.Equal(whole, want) {
		t.Errorf("the report is\n%s\nwant\n%s", strings.Join(whole, "\n"), strings.Join(want, "\n"))
	}
	var paged []string
	for cursor := ""; cursor != "null"; {
		a := read("?month_from=" + month + "&limit=1" + cursor)
		paged = append(paged, line(a, 0))
		if cursor = a.at("next_cursor"); cursor != "null" {
			cursor = "&cursor=" + strings.ReplaceAll(cursor, " ", "%20")
		}
		if len(paged) > len(whole) {
			break
		}
	}
	if !slices.Equal(paged, whole) {
		t.Errorf("one by one the report is\n%s", strings.Join(paged, "\n"))
	}
	if of := read("?organization=" + two + "&month_from=" + month); of.count("data") != 3 {
		t.Errorf("of one organization: %s", of.text())
	}
	sheet := p.world.ask(t, key.jwt(t), "GET /v1/provider/usage/monthly?format=csv&month_from="+month, "")
	rows, err := csv.NewReader(strings.NewReader(sheet.text())).ReadAll()
	if err != nil || len(rows) != 8 || strings.Join(rows[0][15:], " ") != "billable billable_reason adjusts_month adjustment_id" || rows[1][17]+rows[1][18] != "" ||
		rows[4][17] != month || rows[5][15] != "-3" || !strings.HasPrefix(rows[5][16], "adjusts "+month+" by -3: billed was 3 enterprise") {
		t.Errorf("the sheet is %v (%v)", rows, err)
	}
	for of, want := range map[string]int{two: 1, p.id: 3} {
		if log := p.world.ask(t, system, "GET /v1/organizations/"+of+"/events?type=provider&limit=200", "").text(); strings.Count(log, `"usage_adjusted"`) != want || !strings.Contains(log, "miscounted") {
			t.Errorf("the log of %s says %s", of, log)
		}
	}
}
