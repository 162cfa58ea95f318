package counterfoil

import (
	"encoding/json"
	"time"
)

// ActivityQuery is what POST /activities/query may be asked (N7). Everything may be left out.
type ActivityQuery struct {
	TimestampFrom *int64   `json:"timestamp_from,omitempty" doc:"Received then or later, in Unix seconds. Default: 7 UTC days before the day of timestamp_to."`
	TimestampTo   *int64   `json:"timestamp_to,omitempty" doc:"Received then or earlier, in Unix seconds, at most 90 days after timestamp_from. Default: now. With a fixed one a run of pages neither loses nor doubles an event."`
	UserUUIDs     []string `json:"user_uuids,omitempty" maxItems:"500" doc:"Events of these users only."`
	Page          *int64   `json:"page,omitempty" minimum:"1" doc:"Default 1."`
	PerPage       *int64   `json:"per_page,omitempty" minimum:"1" maximum:"1000" doc:"Default 100."`
}

// ActivityPage is one page of the answer, in the order of the log's numbers. One past the end has no data.
type ActivityPage struct {
	Data     []Activity    `json:"data"`
	Metadata ActivityPages `json:"metadata"`
}

// ActivityPages says where a page is.
type ActivityPages struct {
	Total       int64 `json:"total"`
	PerPage     int64 `json:"per_page"`
	CurrentPage int64 `json:"current_page"`
	TotalPages  int64 `json:"total_pages"`
}

// Activity is an event in the form that POST /activities/query gives.
type Activity struct {
	ID               string          `json:"id" doc:"evt_…"`
	Type             string          `json:"type"`
	Action           string          `json:"action"`
	Timestamp        int64           `json:"timestamp" doc:"The time of receipt in Unix seconds."`
	OccurredAt       *time.Time      `json:"occurred_at,omitempty" doc:"The product's own time, for events that it wrote."`
	OrganizationUUID string          `json:"organization_uuid"`
	User             EventUser       `json:"user"`
	Metadata         json.RawMessage `json:"metadata"`
	Initiator        string          `json:"initiator"`
}

// EventDraft is an event that the product writes (N10). Types are free text beside those of this service.
type EventDraft struct {
	Type      string          `json:"type" minLength:"1" maxLength:"100" example:"devices"`
	Action    string          `json:"action" minLength:"1" maxLength:"100" example:"device_restarted"`
	Time      *time.Time      `json:"time,omitempty" doc:"When it happened; read again as occurred_at. It decides nothing: the log goes by the time of receipt."`
	User      *DraftUser      `json:"user,omitempty" doc:"The person concerned, who need not be a member."`
	Initiator string          `json:"initiator,omitempty" maxLength:"200" doc:"For events without a user: what made them."`
	Metadata  json.RawMessage `json:"metadata,omitempty" doc:"Any JSON."`
	ID        string          `json:"id,omitempty" maxLength:"255" doc:"The product's own id, unique in the organization. A repetition with the same one writes nothing more."`
}

// DraftUser is the person whom an event of the product concerns.
type DraftUser struct {
	UUID  string `json:"uuid,omitempty" maxLength:"200"`
	Email string `json:"email,omitempty" maxLength:"320"`
}

// EventRef names an event that was written.
type EventRef struct {
	ID string `json:"id" doc:"evt_…"`
}

// EventsWritten answers a batch, in its order. One that was written before, by its own id, is named as it was then.
type EventsWritten struct {
	Data []EventRef `json:"data"`
}
