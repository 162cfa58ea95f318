package registry

import (
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestUsageTotals: adjustments count in what a month of theirs comes to, and are no organizations.
func TestUsageTotals(t *testing.T) {
	h := newHouse(t)
	for org, emails := range map[string][]string{h.alpha.ID: {"a@x.example", "b@x.example"}, h.beta.ID: {"c@x.example"}} {
		for _, email := range emails {
			if _, err := h.AddMember(t.Context(), Operator(), org, counterfoil.MemberDraft{Email: email, Name: "A"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.now = h.now.AddDate(0, 1, 0)
	seats := 1
	made, err := h.CorrectUsage(t.Context(), Operator(), h.provider.ID, counterfoil.UsageCorrection{Organization: h.alpha.ID, Month: "2026-03", Billable: &seats, Plan: "business", Reason: "miscounted"})
	if err != nil || len(made.Data) != 2 {
		t.Fatalf("the correction gives %+v, %v", made, err)
	}
	totals, err := h.UsageTotals(t.Context(), Operator(), h.provider.ID, "2026-03", "2026-04", "")
	if err != nil || len(totals) != 2 {
		t.Fatalf("the totals are %+v, %v", totals, err)
	}
	for i, want := range []UsageTotal{
		{Organizations: 2, Consumed: 3, Billable: map[string]int{"teams": 3}},
		{Organizations: 2, Consumed: 3, Billable: map[string]int{"teams": 1, "business": 1}, Provisional: true},
	} {
		got := totals[i]
		if got.Organizations != want.Organizations || got.Consumed != want.Consumed || got.Provisional != want.Provisional ||
			got.Billable["teams"] != want.Billable["teams"] || got.Billable["business"] != want.Billable["business"] {
			t.Errorf("%s comes to %+v, want %+v", got.Month, got, want)
		}
	}
}
