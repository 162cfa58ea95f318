package counterfoil

import "time"

// ConsoleSessionDraft asks for an address that signs a member in to the token pages.
type ConsoleSessionDraft struct {
	Member    string `json:"member" doc:"mem_…: an active member of the organization."`
	ReturnURL string `json:"return_url,omitempty" maxLength:"2000" doc:"Where the pages offer to go back to: https, or http on the machine itself."`
}

// ConsoleSession is an address that is good once, for 60 seconds. Send the member's browser there at once.
type ConsoleSession struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}
