package registry

import (
	"context"

	"github.com/counterfoil/counterfoil"
)

// UsageTotal is what a provider's organizations, or one of them, come to in a month.
type UsageTotal struct {
	Month         string
	Provisional   bool
	Organizations int
	Consumed      int
	Billable      map[string]int // by plan, adjustments included
}

// AllBillable is the billable seats of every plan.
func (t *UsageTotal) AllBillable() (n int) {
	for _, seats := range t.Billable {
		n += seats
	}
	return n
}

// usageTogether is how many rows are held in memory while they are added up.
const usageTogether = 1000

// UsageTotals adds the months from one to another up, both like 2026-11, the oldest first; months without a row are left out.
// An organization narrows it to that one.
func (r *Registry) UsageTotals(ctx context.Context, c Caller, provider, from, through, organization string) (list []UsageTotal, err error) {
	q := UsageQuery{Monthly: true, From: from, Through: through, Organization: organization, Limit: usageTogether}
	for {
		page, err := r.Usage(ctx, c, provider, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Data {
			list = addUsage(list, &page.Data[i])
		}
		if page.NextCursor == nil {
			return list, nil
		}
		q.Cursor = *page.NextCursor
	}
}

// addUsage adds a row to the months; rows come month by month.
func addUsage(list []UsageTotal, u *counterfoil.Usage) []UsageTotal {
	if len(list) == 0 || list[len(list)-1].Month != u.Month {
		list = append(list, UsageTotal{Month: u.Month, Billable: map[string]int{}})
	}
	t := &list[len(list)-1]
	t.Provisional = t.Provisional || u.Provisional
	if u.Adjusts == nil { // an adjustment is about one that has its own row, or none any more
		t.Organizations++
	}
	t.Consumed += u.Licenses.Consumed
	t.Billable[u.Plan] += u.Licenses.Billable
	return list
}
