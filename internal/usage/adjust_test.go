package usage_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/usage"
)

func seats(n int) *int { return &n }

// final is a row of September as it was closed.
func final(plan string, license counterfoil.License, consumed, billable int) counterfoil.Usage {
	return counterfoil.Usage{Month: "2026-09", Plan: plan, License: license, Licenses: counterfoil.UsageLicenses{Consumed: consumed, Billable: billable}}
}

// The answers were worked out by hand: what was billed so far, against what should have been.
func TestAdjust(t *testing.T) {
	standard, trial, nfr := counterfoil.LicenseStandard, counterfoil.LicenseTrial, counterfoil.LicenseNFR
	for _, test := range []struct {
		name  string
		final counterfoil.Usage
		then  []counterfoil.UsageCorrection // one after the other
		want  [][]string                    // plan, difference and reason, of each
	}{
		{"NFR by mistake", final("teams", nfr, 3, 0), []counterfoil.UsageCorrection{{License: standard, Reason: "was NFR by mistake"}}, [][]string{
			{"teams +3 standard: adjusts 2026-09 by +3: billed was nothing, and should have been 3 teams (a standard licence bills what was consumed); was NFR by mistake"}}},
		{"a credit", final("business", standard, 12, 12), []counterfoil.UsageCorrection{{Billable: seats(10), Reason: "two were ours"}}, [][]string{
			{"business -2 standard: adjusts 2026-09 by -2: billed was 12 business, and should have been 10 business; two were ours"}}},
		{"the wrong plan: two lines, in the order of plans", final("enterprise", standard, 12, 12), []counterfoil.UsageCorrection{{Billable: seats(12), Plan: "teams", Reason: "never upgraded"}}, [][]string{{
			"teams +12 standard: adjusts 2026-09 by +12: billed was 12 enterprise, and should have been 12 teams; never upgraded",
			"enterprise -12 standard: adjusts 2026-09 by -12: billed was 12 enterprise, and should have been 12 teams; never upgraded"}}},
		{"corrected again: from what was billed by then", final("teams", standard, 5, 5), []counterfoil.UsageCorrection{
			{Billable: seats(7), Plan: "business", Reason: "a"}, {Billable: seats(6), Reason: "b"}, {License: trial, Reason: "c"}, {Billable: seats(0), Reason: "d"}},
			[][]string{
				{"teams -5 standard: adjusts 2026-09 by -5: billed was 5 teams, and should have been 7 business; a", "business +7 standard: adjusts 2026-09 by +7: billed was 5 teams, and should have been 7 business; a"},
				{"business -1 standard: adjusts 2026-09 by -1: billed was 7 business, and should have been 6 business; b"},
				{"business -6 trial: adjusts 2026-09 by -6: billed was 6 business, and should have been 0 business (a trial is free); c"},
				nil}},
		{"as it was", final("teams", standard, 5, 4), []counterfoil.UsageCorrection{{Billable: seats(4)}, {License: standard, Reason: "e"}}, [][]string{nil,
			{"teams +1 standard: adjusts 2026-09 by +1: billed was 4 teams, and should have been 5 teams (a standard licence bills what was consumed); e"}}},
		{"nothing at another plan is still nothing", final("teams", nfr, 5, 0), []counterfoil.UsageCorrection{{License: nfr, Plan: "business"}}, [][]string{nil}},
	} {
		var made []counterfoil.Usage
		for i, c := range test.then {
			rows := usage.Adjust(test.final, made, c, plans)
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s %+d %s: %s", r.Plan, r.Licenses.Billable, r.License, r.BillableReason))
				if r.Adjusts == nil || r.Adjusts.Month != "2026-09" || r.Adjusts.Reason != c.Reason || r.NFR != (r.License == nfr) || r.Trial != (r.License == trial) || r.Provisional {
					t.Errorf("%s: %+v", test.name, r)
				}
			}
			if !slices.Equal(got, test.want[i]) {
				t.Errorf("%s, correction %d:\n got %q\nwant %q", test.name, i+1, got, test.want[i])
			}
			made = append(made, rows...)
		}
	}
}

// Whatever was corrected before, the model is a bill of one line: what the last correction says. Final figures and adjustments
// must add up to it, plan by plan; and the corrections in the log change no figure.
func TestAdjustAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := draw(t)
		var plain, corrected log
		plain.write(steps)
		end := steps[len(steps)-1].when.AddDate(0, 2, 0)
		closed, _ := reckon(plain.events, end)
		for i, e := range plain.events {
			corrected.events = append(corrected.events, e)
			if rapid.Bool().Draw(t, "corrected") {
				corrected.add(e.Timestamp, "provider", "usage_adjusted", counterfoil.Target{Kind: "organization", ID: org},
					map[string]any{"plan": "enterprise", "billable": i, "after": map[string]any{"plan": "enterprise", "license": "nfr", "managed_by": other}})
			}
		}
		for i := range corrected.events {
			corrected.events[i].Number = int64(i + 1)
		}
		with, _ := reckon(corrected.events, end)
		for key, u := range closed {
			if with[key].BillableReason != u.BillableReason || short(with[key]) != short(u) || len(with) != len(closed) {
				t.Fatalf("%s: with corrections in the log it is %s, without %s", key, short(with[key]), short(u))
			}
			if u.Month != "" {
				correctAgain(t, u)
			}
		}
	})
}

func correctAgain(t *rapid.T, u counterfoil.Usage) {
	var made []counterfoil.Usage
	before := u
	for range rapid.IntRange(1, 4).Draw(t, "corrections") {
		c := counterfoil.UsageCorrection{Reason: "x", Plan: rapid.SampledFrom(plans).Draw(t, "plan")}
		want := map[string]int{}
		if rapid.Bool().Draw(t, "by licence") {
			c.License = rapid.SampledFrom([]counterfoil.License{"standard", "trial", "nfr"}).Draw(t, "license")
			if c.License == counterfoil.LicenseStandard {
				want[c.Plan] = u.Licenses.Consumed
			}
		} else {
			c.Billable = seats(rapid.IntRange(0, 5).Draw(t, "seats"))
			want[c.Plan] = *c.Billable
		}
		made = append(made, usage.Adjust(u, made, c, plans)...)
		sum := map[string]int{u.Plan: u.Licenses.Billable}
		for _, a := range made {
			if a.Licenses.Billable == 0 {
				t.Fatalf("an adjustment of nothing: %+v", a)
			}
			sum[a.Plan] += a.Licenses.Billable
		}
		for _, plan := range plans {
			if sum[plan] != want[plan] {
				t.Fatalf("%s: in the end %d are billed at %s, and should be %d: %+v", u.Month, sum[plan], plan, want[plan], made)
			}
		}
	}
	if short(u) != short(before) {
		t.Fatal("the final figures have changed")
	}
}
