package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// BenchmarkUsage measures 2,000 organizations with 100 members each over 13 months: closing one day of all, and the report of
// the month that runs and of all thirteen.
func BenchmarkUsage(b *testing.B) {
	const organizations, members = 2000, 100
	now := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	s, err := store.Open(b.Context(), store.Config{Dir: b.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := registry.New(registry.Config{Store: s, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {},
		Plans: []string{"teams", "business", "enterprise"}, DataCenter: "local"})
	operator := registry.Operator()
	p, err := r.CreateOrganization(b.Context(), operator, counterfoil.OrganizationDraft{Name: "Provider", Provider: true})
	if err != nil {
		b.Fatal(err)
	}
	for i := range organizations {
		o, err := r.CreateManaged(b.Context(), operator, p.ID, counterfoil.ManagedDraft{Name: fmt.Sprintf("Customer %d", i)})
		if err != nil {
			b.Fatal(err)
		}
		err = s.Update(b.Context(), o.ID, store.ForRules, func(tx *store.Tx) error {
			for n := range members {
				tx.Append(counterfoil.Event{Type: "invites", Action: "user_invited", Target: counterfoil.Target{Kind: "member", ID: fmt.Sprintf("mem_%032x", i*members+n)}, Metadata: []byte(`{"status":"active"}`)})
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	now = now.AddDate(1, 0, 0)
	began := time.Now()
	if err := r.CloseUsage(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("the first closing, of 365 days: %v", time.Since(began))
	b.Run("close a day", func(b *testing.B) {
		for b.Loop() {
			now = now.AddDate(0, 0, 1)
			if err := r.CloseUsage(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	now = now.Add(time.Hour)
	month := now.Format("2006-01")
	report := func(b *testing.B, from string) {
		rows := 0
		for b.Loop() {
			rows = 0
			q := registry.UsageQuery{Monthly: true, From: from, Through: month, Limit: 200}
			for more := true; more; {
				page, err := r.Usage(b.Context(), operator, p.ID, q)
				if err != nil {
					b.Fatal(err)
				}
				rows += len(page.Data)
				if more = page.NextCursor != nil; more {
					q.Cursor = strings.Clone(*page.NextCursor)
				}
			}
		}
		b.ReportMetric(float64(rows), "rows")
	}
	b.Run("the month that runs", func(b *testing.B) { report(b, month) })
	b.Run("totals of thirteen months", func(b *testing.B) { // what the page of the usage reads
		for b.Loop() {
			if _, err := r.UsageTotals(b.Context(), operator, p.ID, now.AddDate(-1, 0, 0).Format("2006-01"), month, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("thirteen months", func(b *testing.B) { report(b, now.AddDate(-1, 0, 0).Format("2006-01")) })
}
