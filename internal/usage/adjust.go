package usage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Adjust gives the adjustments that bring what was billed for a final month, made ones counted in, to what should have been:
// one for each plan whose seats differ, in the order of plans; none where it was billed so already. Of each it fills in what
// is known here: the caller adds when it is made, and for which organization.
func Adjust(final counterfoil.Usage, made []counterfoil.Usage, c counterfoil.UsageCorrection, plans []string) (rows []counterfoil.Usage) {
	billed := billed(final, made)
	plan := c.Plan
	if plan == "" {
		plan = final.Plan
		for billedAt := range billed {
			plan = billedAt // corrections leave one at most
		}
	}
	seats, why := should(final, c)
	difference := maps.Clone(billed)
	for billedAt := range difference {
		difference[billedAt] *= -1
	}
	difference[plan] += seats
	for _, at := range slices.SortedFunc(maps.Keys(difference), func(a, b string) int {
		return cmp.Or(slices.Index(plans, a)-slices.Index(plans, b), strings.Compare(a, b))
	}) {
		n := difference[at]
		if n == 0 {
			continue
		}
		license := final.License
		if c.License != "" {
			license = c.License
		}
		rows = append(rows, counterfoil.Usage{Plan: at, License: license, Trial: license == counterfoil.LicenseTrial, NFR: license == counterfoil.LicenseNFR,
			Licenses:       counterfoil.UsageLicenses{Billable: n},
			BillableReason: fmt.Sprintf("adjusts %s by %+d: billed was %s, and should have been %d %s%s; %s", final.Month, n, inWords(billed), seats, plan, why, c.Reason),
			Adjusts:        &counterfoil.UsageAdjustment{Month: final.Month, Reason: c.Reason}})
	}
	return rows
}

// billed is what was charged for a month in the end: seats by plan, without zeros.
func billed(final counterfoil.Usage, made []counterfoil.Usage) map[string]int {
	sum := map[string]int{final.Plan: final.Licenses.Billable}
	for _, a := range made {
		sum[a.Plan] += a.Licenses.Billable
	}
	maps.DeleteFunc(sum, func(_ string, n int) bool { return n == 0 })
	return sum
}

// should is how many seats a correction says, and why if that follows from a licence.
func should(final counterfoil.Usage, c counterfoil.UsageCorrection) (seats int, why string) {
	switch {
	case c.Billable != nil:
		return *c.Billable, ""
	case c.License == counterfoil.LicenseStandard:
		return final.Licenses.Consumed, " (a standard licence bills what was consumed)"
	}
	return 0, fmt.Sprintf(" (%s is free)", map[counterfoil.License]string{counterfoil.LicenseNFR: "NFR", counterfoil.LicenseTrial: "a trial"}[c.License])
}

func inWords(billed map[string]int) string {
	var parts []string
	for _, plan := range slices.Sorted(maps.Keys(billed)) {
		parts = append(parts, fmt.Sprintf("%d %s", billed[plan], plan))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, " + ")
}
