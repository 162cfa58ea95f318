package counterfoil

import "time"

// SplunkExport is the push of an organization's log to a Splunk HTTP Event Collector, and how far it has come. The
// collector's token is never in it.
type SplunkExport struct {
	URL        string    `json:"url"`
	TokenSet   bool      `json:"token_set" doc:"Whether a token is kept. It is never answered, and forgotten when scheme, host or port of the url change."`
	Index      string    `json:"index" doc:"Empty: the token's default."`
	Source     string    `json:"source"`
	Sourcetype string    `json:"sourcetype"`
	Backfill   bool      `json:"backfill" doc:"True: from the log's beginning. False: from when the export was made."`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`

	Status        string       `json:"status" enum:"up_to_date,delivering,retrying,paused" doc:"retrying: what is wrong may pass. paused: it takes a change, here or at the collector; it is tried again now and then all the same."`
	DeliveredTo   int64        `json:"delivered_to" doc:"The number of the last event that the collector has; 0: none yet."`
	DeliveredAt   *time.Time   `json:"delivered_at"`
	LagEvents     int64        `json:"lag_events" doc:"How many events it does not have yet."`
	LagSeconds    int64        `json:"lag_seconds" doc:"How long the oldest of them has waited."`
	Missing       int64        `json:"missing" doc:"How many events the collector has refused as invalid. It has a note with each one's id in its place, where it took that."`
	LastMissing   int64        `json:"last_missing" doc:"The number of the last of them; 0: none."`
	LastError     *ExportError `json:"last_error"`
	NextAttemptAt *time.Time   `json:"next_attempt_at" doc:"When it is tried again; null where nothing is wrong."`
}

// ExportError is what was last wrong, also when it has passed.
type ExportError struct {
	At     time.Time `json:"at"`
	Code   string    `json:"code"`
	Detail string    `json:"detail"`
}

// What an export does.
const (
	ExportUpToDate   = "up_to_date"
	ExportDelivering = "delivering"
	ExportRetrying   = "retrying"
	ExportPaused     = "paused"
)

// SplunkExportDraft is the whole of an export's settings. What is left out is as if it had never been set, but for the token.
type SplunkExportDraft struct {
	URL        string `json:"url" doc:"Where the collector is reached, such as https://splunk.example.com:8088."`
	Token      string `json:"token,omitempty" writeOnly:"true" doc:"The collector's token. Left out, the one that is kept stays, unless scheme, host or port of the url change."`
	Index      string `json:"index,omitempty" doc:"Left out: the token's default."`
	Source     string `json:"source,omitempty" doc:"Left out: counterfoil."`
	Sourcetype string `json:"sourcetype,omitempty" doc:"Left out: counterfoil:activity."`
	Backfill   bool   `json:"backfill,omitempty" doc:"True: deliver from the log's beginning. False: from now on; an export that is there already goes on where it is. Changed from false to true it begins anew."`
}

// ExportTest is what became of a test event.
type ExportTest struct {
	OK     bool    `json:"ok"`
	Code   string  `json:"code" doc:"ok, or a stable name of what is wrong."`
	Detail string  `json:"detail" doc:"In words, with what to do."`
	TookMS float64 `json:"took_ms"`
}
