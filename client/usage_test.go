package client_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// billed is a provider with two organizations.
func (w *world) billed(t *testing.T) (provider string, organizations []string) {
	p := w.NewProvider(t, "Provider")
	for _, name := range []string{"One", "Two"} {
		organizations = append(organizations, must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: name, Provider: p.ID}))(t).ID)
	}
	return p.ID, organizations
}

var usageRows = []row{
	{"ListDailyUsage", "GET /v1/provider/usage/daily", func(t *testing.T, w *world) {
		p, orgs := w.billed(t)
		today := time.Now().UTC().Format(time.DateOnly)
		q := client.UsageQuery{Provider: p, From: today, To: today, Limit: 1}
		first := must(w.system.ListDailyUsage(t.Context(), q))(t)
		q.Cursor = *first.NextCursor
		next := must(w.system.ListDailyUsage(t.Context(), q))(t)
		one := must(w.system.ListDailyUsage(t.Context(), client.UsageQuery{Provider: p, Organization: orgs[1]}))(t)
		if first.Data[0].Organization.ID != orgs[0] || next.Data[0].Organization.ID != orgs[1] || len(one.Data) != 1 || one.Data[0].Organization.ID != orgs[1] {
			t.Errorf("got %+v, %+v, %+v", first, next, one)
		}
	}},
	{"ListMonthlyUsage", "GET /v1/provider/usage/monthly", func(t *testing.T, w *world) {
		p, orgs := w.billed(t)
		month := time.Now().UTC().Format("2006-01")
		got := must(w.system.ListMonthlyUsage(t.Context(), client.UsageQuery{Provider: p, From: month, To: month, Organization: orgs[0]}))(t)
		if len(got.Data) != 1 || got.Data[0].Month != month || !got.Data[0].Provisional {
			t.Errorf("got %+v", got)
		}
	}},
	{"MonthlyUsage", "GET /v1/provider/usage/monthly", func(t *testing.T, w *world) {
		p, _ := w.billed(t)
		n := 0
		for _, err := range w.system.MonthlyUsage(t.Context(), client.UsageQuery{Provider: p, Limit: 1}) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if n != 2 {
			t.Errorf("saw %d", n)
		}
	}},
	{"CorrectUsage", "POST /v1/provider/usage/adjustments", func(t *testing.T, w *world) {
		var ahead atomic.Int64 // a month has to end
		later := &world{Server: counterfoiltest.Start(t, counterfoiltest.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))}
		p, orgs := later.billed(t)
		month := time.Now().UTC().Format("2006-01")
		system := must(later.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "later", Permissions: []string{counterfoil.PermOrganizationsWrite}}))(t)
		ahead.Store(int64(40 * 24 * time.Hour))
		seats := 3
		api := client.New(later.URL, system.Secret, client.WithHTTPClient(&http.Client{Transport: w.seen}))
		c := counterfoil.UsageCorrection{Organization: orgs[0], Month: month, Billable: &seats, Plan: "business", Reason: "miscounted", Provider: p}
		if got := must(api.CorrectUsage(t.Context(), c, client.IdempotencyKey("a-correction")))(t); len(got.Data) != 1 || got.Data[0].Licenses.Billable != 3 || got.Data[0].Adjusts.Month != month {
			t.Errorf("got %+v", got)
		}
		c.Billable, c.License, c.Plan = nil, counterfoil.LicenseNFR, ""
		if got := must(api.CorrectUsage(t.Context(), c))(t); len(got.Data) != 1 || got.Data[0].Licenses.Billable != -3 {
			t.Errorf("got %+v", got)
		}
	}},
	{"DailyUsageCSV", "GET /v1/provider/usage/daily", func(t *testing.T, w *world) {
		p, _ := w.billed(t)
		if got := string(must(w.system.DailyUsageCSV(t.Context(), client.UsageQuery{Provider: p}))(t)); strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "date,provisional,organization_id,") {
			t.Errorf("got %s", got)
		}
	}},
	{"MonthlyUsageCSV", "GET /v1/provider/usage/monthly", func(t *testing.T, w *world) {
		p, _ := w.billed(t)
		if got := string(must(w.system.MonthlyUsageCSV(t.Context(), client.UsageQuery{Provider: p}))(t)); strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "month,provisional,organization_id,") {
			t.Errorf("got %s", got)
		}
	}},
}
