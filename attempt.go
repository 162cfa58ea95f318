package counterfoil

import "net/netip"

// Audience says what a token is being used for. A token is good for its own audiences only (N6); the zero Audience is
// nobody's.
type Audience string

const (
	AudienceProduct  Audience = "product"  // the product's API, asked by its gateway
	AudienceAPI      Audience = "api"      // this service's own API
	AudienceActivity Audience = "activity" // POST /activities/query
	AudienceSplunk   Audience = "splunk"   // GET /v1/integrations/splunk/events
	AudienceSelf     Audience = "self"     // the token about itself, GET and DELETE /v1/tokens/current: every kind
)

// Match says how the presented value compares with the stored one. The zero Match is no match.
type Match uint8

const (
	NoMatch       Match = iota
	MatchCurrent        // the value in force
	MatchPrevious       // the value before the last rotation, good until its grace ends (H4)
)

// Attempt is one use of a token, as far as it matters to the judgement. The zero Attempt is refused.
type Attempt struct {
	Value    Match
	Audience Audience

	// Permissions must be held, every one. Empty: none asked.
	Permissions []string

	// Method and Path name an endpoint to look up in the catalogue; the token needs any one of the permissions that open
	// it. With an empty Path none is asked.
	Method, Path string

	// IP is the end client's address. The zero Addr is an unknown address, which every IP filter refuses.
	IP netip.Addr
}
