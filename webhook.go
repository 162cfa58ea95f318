package counterfoil

import "time"

// Webhook is an address that an organization has its events sent to, in the format of Standard Webhooks.
type Webhook struct {
	ID    string   `json:"id" doc:"whk_…"`
	Name  string   `json:"name"`
	URL   string   `json:"url"`
	Types []string `json:"types" doc:"What is sent: login, or one action of it: login/user_login_failed. Empty: every event."`

	Enabled        bool          `json:"enabled"`
	DisabledReason WebhookReason `json:"disabled_reason" enum:",switched_off,gone,failing,behind" doc:"switched_off: by somebody; gone: it answered 410; failing: it took nothing for three days; behind: too much waits for it."`
	FailingSince   *time.Time    `json:"failing_since" doc:"Since when nothing was delivered; null while it works."`

	PreviousSecretUntil *time.Time `json:"previous_secret_until" doc:"Until when the secret before the last rotation signs as well."`
	CreatedAt           time.Time  `json:"created_at"`
	CreatedBy           string     `json:"created_by" doc:"mem_… or tok_…"`
}

// WebhookReason says why a webhook is disabled; empty while it is not.
type WebhookReason string

const (
	WebhookSwitchedOff WebhookReason = "switched_off"
	WebhookGone        WebhookReason = "gone"
	WebhookFailing     WebhookReason = "failing"
	WebhookBehind      WebhookReason = "behind"
)

// WebhookDraft is what a webhook is made from.
type WebhookDraft struct {
	Name  string   `json:"name" maxLength:"100"`
	URL   string   `json:"url" maxLength:"2000" example:"https://example.com/hooks/counterfoil"`
	Types []string `json:"types,omitempty" maxItems:"50"`
}

// WebhookEdit changes what is not nil.
type WebhookEdit struct {
	Name    *string   `json:"name,omitempty" maxLength:"100"`
	URL     *string   `json:"url,omitempty" maxLength:"2000"`
	Types   *[]string `json:"types,omitempty" maxItems:"50"`
	Enabled *bool     `json:"enabled,omitempty" doc:"One that is enabled again goes on with what comes now, and with what waited."`
}

// WebhookCreated is a webhook with the secret that signs what it is sent. It is shown this once.
type WebhookCreated struct {
	Webhook Webhook `json:"webhook"`
	Secret  string  `json:"secret" doc:"whsec_…"`
}

// WebhookRotation asks for another secret.
type WebhookRotation struct {
	GraceSeconds int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the present secret signs as well."`
}

// Delivery is one event on its way to a webhook.
type Delivery struct {
	ID            string           `json:"id" doc:"whd_…"`
	EventID       string           `json:"event_id" doc:"The webhook-id header: the same at every attempt."`
	Type          string           `json:"type" example:"tokens/token_created"`
	Status        DeliveryStatus   `json:"status" enum:"pending,delivered,failed"`
	Attempts      int64            `json:"attempts"`
	CreatedAt     time.Time        `json:"created_at"`
	NextAttemptAt *time.Time       `json:"next_attempt_at"`
	LastAttempt   *DeliveryAttempt `json:"last_attempt"`
}

// DeliveryStatus is what became of a delivery.
type DeliveryStatus string

const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed"
)

// DeliveryAttempt is what came of one attempt.
type DeliveryAttempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status" doc:"The HTTP status of the answer; 0: there was none."`
	Error  string    `json:"error" doc:"In words; empty where it was delivered."`
	TookMS float64   `json:"took_ms"`
}
