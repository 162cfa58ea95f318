package counterfoil

import "time"

// PreviousValue is the value that a token had before its last rotation, while its grace lasts: who has not changed over yet.
type PreviousValue struct {
	ValidUntil *time.Time `json:"valid_until" doc:"When it ends; null: there is none, or it has ended."`
	// WatchedSince is the rotation.
	WatchedSince *time.Time    `json:"watched_since" doc:"Since when its uses are told apart, which is the rotation; null: an earlier version rotated the token, and nobody knows whether the value is used."`
	LastUsed     *LastUsed     `json:"last_used" doc:"Its most recent accepted check since the rotation, right to a few seconds; null: none."`
	Uses         []PreviousUse `json:"uses" doc:"Since the rotation, the latest first; of the first 100 addresses, and the rest under an empty one."`
}

// PreviousUse is the use of a previous value from one address.
type PreviousUse struct {
	IP      string    `json:"ip" doc:"Empty: none was named, or there were too many."`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	Count   int64     `json:"count"`
}
