package counterfoil

// Retention is for how long an organization's log is kept. What is older is removed once a day; the hashes stay, so that
// the log can still be proved.
type Retention struct {
	Days           *int64  `json:"days" doc:"What the organization has set, 0: for ever; null: nothing, so the instance's default holds."`
	EffectiveDays  int64   `json:"effective_days" doc:"What holds; 0: for ever."`
	RemovedThrough *string `json:"removed_through" doc:"The cursor behind the last entry that was removed; null: none was."`
}

// RetentionEdit sets the retention (PUT …/retention).
type RetentionEdit struct {
	Days int64 `json:"days" minimum:"0" maximum:"36500" doc:"At least 30; 0: for ever."`
}

// LeastRetentionDays is the shortest retention: every window that a SIEM asks for by itself lies within it.
const LeastRetentionDays = 30
