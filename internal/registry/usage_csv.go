package registry

import (
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// UsageColumns are the columns of usage as CSV; period is date or month. Further ones may come behind them.
func UsageColumns(period string) []string {
	return []string{period, "provisional", "organization_id", "organization_name", "organization_status", "plan", "license", "trial", "trial_ends_on", "nfr",
		"active", "pending", "suspended", "deleted", "consumed", "billable", "billable_reason", "adjusts_month", "adjustment_id"}
}

// UsageRecord is a row of usage in those columns.
func UsageRecord(u counterfoil.Usage) []string {
	ends := ""
	if u.TrialEndsOn != nil {
		ends = *u.TrialEndsOn
	}
	l, adjusts := u.Licenses, counterfoil.UsageAdjustment{}
	if u.Adjusts != nil {
		adjusts = *u.Adjusts
	}
	return []string{u.Date + u.Month, strconv.FormatBool(u.Provisional), u.Organization.ID, noFormula(u.Organization.Name), u.Organization.Status, noFormula(u.Plan), string(u.License), strconv.FormatBool(u.Trial), ends, strconv.FormatBool(u.NFR),
		strconv.Itoa(l.Active), strconv.Itoa(l.Pending), strconv.Itoa(l.Suspended), strconv.Itoa(l.Deleted), strconv.Itoa(l.Consumed), strconv.Itoa(l.Billable), noFormula(u.BillableReason), adjusts.Month, adjusts.ID}
}

// noFormula keeps a spreadsheet from running a text that somebody chose.
func noFormula(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
