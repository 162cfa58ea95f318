package counterfoil

import "time"

// Usage is what one organization used of a provider's licences in one day or month (M4).
type Usage struct {
	Date           string            `json:"date,omitempty" doc:"Of a day: 2026-11-26, UTC."`
	Month          string            `json:"month,omitempty" doc:"Of a month: 2026-11, UTC."`
	Provisional    bool              `json:"provisional" doc:"The period is still running; what is not provisional never changes."`
	Organization   UsageOrganization `json:"organization"`
	Plan           string            `json:"plan" doc:"The highest that was in force in the period."`
	License        License           `json:"license" enum:"standard,trial,nfr" doc:"At the period's end."`
	Trial          bool              `json:"trial"`
	TrialEndsOn    *string           `json:"trial_ends_on" doc:"The day on which the trial ends, or ended within the period."`
	NFR            bool              `json:"nfr"`
	Licenses       UsageLicenses     `json:"licenses"`
	BillableReason string            `json:"billable_reason" doc:"How billable comes about, in words."`
	Adjusts        *UsageAdjustment  `json:"adjusts" doc:"Of an adjustment: what it corrects. Its billable is a difference, perhaps below zero, at its plan; no seats stand behind it. null: the row is the organization's figures."`
}

// UsageAdjustment is the correction of a final month. Final figures never change: what was wrong with them is in the report of
// the month in which it was found.
type UsageAdjustment struct {
	ID     string    `json:"id" doc:"adj_…"`
	Month  string    `json:"month" doc:"The final month that is corrected."`
	Reason string    `json:"reason"`
	MadeAt time.Time `json:"made_at"`
}

// UsageCorrection says what should have been billed of an organization for a final month: a number of seats, or what follows
// from a licence.
type UsageCorrection struct {
	Organization string  `json:"organization" doc:"org_…, perhaps deleted or moved since."`
	Month        string  `json:"month" pattern:"^[0-9]{4}-[0-9]{2}$" patternDescription:"a month such as 2026-11" doc:"One that is final."`
	Billable     *int    `json:"billable,omitempty" minimum:"0" maximum:"10000000" doc:"The seats that should have been billed."`
	License      License `json:"license,omitempty" enum:"standard,trial,nfr" doc:"In place of billable: the licence that it should have had for the whole month. standard bills what was consumed; trial and nfr nothing."`
	Plan         string  `json:"plan,omitempty" doc:"At which plan. Default: the one that was billed."`
	Reason       string  `json:"reason" minLength:"1" maxLength:"500" doc:"For whoever reads the report."`
	Provider     string  `json:"provider,omitempty" doc:"The provider, by id or slug."`
}

// UsageAdjustments are the rows that a correction has added to the report of the month that runs: one for each plan whose
// billed seats differ.
type UsageAdjustments struct {
	Data []Usage `json:"data"`
}

// UsageOrganization is the organization of a row. Status is at the period's end.
type UsageOrganization struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status" enum:"active,suspended,deleted,moved" doc:"moved: to another provider, or to none."`
}

// UsageLicenses counts seats. The first four are by what a seat was at the period's end, and add up to every seat that there
// was in it.
type UsageLicenses struct {
	Active    int `json:"active"`
	Pending   int `json:"pending"`
	Suspended int `json:"suspended"`
	Deleted   int `json:"deleted" doc:"Deleted in the period."`
	Consumed  int `json:"consumed" doc:"Active at any time of the period, or pending at its end."`
	Billable  int `json:"billable" doc:"Of these, what is charged: nothing on trial or NFR."`
}
