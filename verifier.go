package counterfoil

import "time"

// Changes is one message of the stream of changes (GET /v1/changes): what a program that judges tokens by itself has to forget,
// in the order of the log, and up to which entry that is all.
type Changes struct {
	Number  int64    `json:"number" doc:"Of the log's entry up to which this is all."`
	Hash    []byte   `json:"hash" doc:"Of that entry, by which another log is known."`
	Changes []Change `json:"changes"`
}

// VerifierReport is how a verifier says how far it has come, and asks for more time.
type VerifierReport struct {
	Applied int64         `json:"applied" minimum:"0" doc:"The log's entry up to which it has forgotten what changed."`
	Hash    []byte        `json:"-"` // of that entry, as a message of changes gave it: it goes in a header, which older servers pass over
	LeaseMS int64         `json:"lease_ms" minimum:"500" maximum:"10000" doc:"For how long it wants to trust what it remembers. The node's lease is the most that it gets."`
	Uses    []VerifierUse `json:"uses,omitempty" maxItems:"1000" doc:"Tokens that it has accepted since its last report."`
}

// VerifierUse is how often a verifier accepted a token from one address.
type VerifierUse struct {
	Token  string    `json:"token" doc:"tok_…"`
	IP     string    `json:"ip,omitempty"`
	Count  int64     `json:"count" minimum:"1" maximum:"1000000000"`
	LastAt time.Time `json:"last_at"`
	// PreviousUntil tells a value before a rotation from the present one.
	PreviousUntil *time.Time `json:"previous_until,omitempty" doc:"Where the value before the last rotation was used: the token's previous_valid_until."`
}

// VerifierLease answers a report: once everything up to Number is applied, what is remembered may be trusted for the lease,
// counted from before the report was sent.
type VerifierLease struct {
	Number  int64 `json:"number" doc:"The log's last entry."`
	LeaseMS int64 `json:"lease_ms"`
}

// FactsQuestion asks for what a token is judged by.
type FactsQuestion struct {
	Token     string `json:"token"`
	Catalogue string `json:"catalogue,omitempty" maxLength:"64" doc:"The version of the catalogue that is known already."`
}

// FactsAnswer is what a token is judged by, or why it is none.
type FactsAnswer struct {
	Code    Code   `json:"code" doc:"ok: it is a token of this service, whatever may be done with it. Else invalid_token or wrong_data_center."`
	Message string `json:"message,omitempty"`
	Facts   *Facts `json:"facts,omitempty"`
}
