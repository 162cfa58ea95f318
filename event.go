package counterfoil

import (
	"encoding/json"
	"time"
)

// Event is one entry of the log. Number has no holes within an instance and never changes; Hash chains each entry to the
// one before it.
type Event struct {
	Number         int64           `json:"number"`
	ID             string          `json:"id" doc:"evt_…"`
	OrganizationID string          `json:"organization_id"` // empty for an event of the instance
	Type           string          `json:"type"`
	Action         string          `json:"action"`
	Timestamp      time.Time       `json:"timestamp" doc:"The time of receipt."`
	OccurredAt     *time.Time      `json:"occurred_at" doc:"The product's own time, for events that it wrote."`
	Actor          Actor           `json:"actor"`
	Target         Target          `json:"target"`
	User           EventUser       `json:"user" doc:"The person concerned; empty for system-made events."`
	Initiator      string          `json:"initiator" doc:"For events without a user: what made them."`
	Metadata       json.RawMessage `json:"metadata"`
	Hash           []byte          `json:"hash"`
}

// Actor is who did it: a member, a token or the system itself.
type Actor struct {
	Kind      string `json:"kind" enum:"member,token,system,provider,product" doc:"product: the product itself wrote the event, with the token that id names."`
	ID        string `json:"id" doc:"mem_… or tok_…"`
	TokenID   string `json:"token_id" doc:"The credential that was used, if any."`
	IP        string `json:"ip"`
	UserAgent string `json:"user_agent"`
}

// Target is what it was done to.
type Target struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// EventUser is the person concerned.
type EventUser struct {
	UUID  string `json:"uuid"`
	Email string `json:"email"`
}

// Page is one part of a list. NextCursor is nil at the end.
type Page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor" doc:"Pass as ?cursor= for the next page; null at the end."`
}

// EventPage is one part of the log. Oldest first, NextCursor is always there: it is where to go on, now or when more has
// happened. Newest first, it is nil at the end.
type EventPage struct {
	Data       []Event `json:"data"`
	NextCursor *string `json:"next_cursor" doc:"Pass as ?after= to go on. Oldest first it is always there, also at the end: what happens later comes behind it."`
	More       bool    `json:"more" doc:"Whether there is more to read now. A page may hold few events, or none, and yet be followed by more."`
}
