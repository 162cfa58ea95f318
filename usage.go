package counterfoil

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
