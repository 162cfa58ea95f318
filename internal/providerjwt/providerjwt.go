// Package providerjwt judges the JWT that a provider signs for each request (RFC 7519, RFC 8725): is it whole, signed by
// the key that it names with that key's one algorithm, for this service, and of this moment. It is pure. It refuses to
// fetch a key, to read one out of the token, and to know whether a jti was seen before: that is for whoever can remember.
package providerjwt

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxSize is the longest token that is looked at, in bytes.
	MaxSize = 4096
	// Lifetime is the longest from iat to exp, Skew how far the clocks may differ, both in seconds.
	Lifetime = 5 * 60
	Skew     = 60

	// LastSecond is the latest time that a claim may name: the end of the year 9999.
	LastSecond = 253402300799

	longestID = 200 // of jti, in characters
)

var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256}

// Is reports whether a presented string has the form of a signed JWT: three parts. No token of this service has.
func Is(presented string) bool { return strings.Count(presented, ".") == 2 }

// Key is what a token is judged by. Issuer and Audience are what its claims have to say.
type Key struct {
	ID               string
	Algorithm        string // EdDSA, ES256 or RS256
	Public           crypto.PublicKey
	Issuer, Audience string
	Revoked          bool
}

// Claims are what an accepted token says. It must be refused when its JTI was accepted before; that need not be
// remembered after Until.
type Claims struct {
	JTI   string
	Until time.Time
}

// Token is a token that was read and not yet believed.
type Token struct {
	KeyID     string
	Algorithm string
	signed    *jose.JSONWebSignature
}

// Unsigned is why a token was refused before its signature was found good. It is for whoever explains tokens to their own
// provider; a caller is told nothing of it.
type Unsigned struct{ Why string }

func (e *Unsigned) Error() string { return e.Why }

func unsigned(format string, args ...any) error { return &Unsigned{fmt.Sprintf(format, args...)} }

// Refused is why a token with a good signature is not accepted: which claims, and how far the clock is off.
type Refused struct{ Faults []string }

func (e *Refused) Error() string { return strings.Join(e.Faults, " ") }

// Parse reads a token's header. An error is an *Unsigned.
func Parse(presented string) (*Token, error) {
	if len(presented) > MaxSize {
		return nil, unsigned("it is longer than %d bytes", MaxSize)
	}
	parts := strings.Split(presented, ".")
	if len(parts) != 3 {
		return nil, unsigned("a JWT has three parts with dots between; this has %d", len(parts))
	}
	if err := headerFault(parts[0]); err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(presented, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, unsigned("it cannot be read as a JWT that is signed with EdDSA, ES256 or RS256")
	}
	h := signed.Signatures[0].Header
	return &Token{KeyID: h.KeyID, Algorithm: h.Algorithm, signed: signed}, nil
}

// headerFault refuses every header member but those that a provider's JWT needs: none that names or carries a key, and none
// that would have to be understood (RFC 7515 section 4.1.11).
func headerFault(part string) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return unsigned("its header is not base64url without padding")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return unsigned("its header is not a JSON object without duplicate members")
	}
	for name, value := range members {
		var text string
		known := name == "alg" || name == "kid" || name == "typ"
		switch {
		case !known && len(name) > 40:
			return unsigned("its header has a member that is not accepted: alg, kid and typ are")
		case !known:
			return unsigned("its header has the member %q, which is not accepted: alg, kid and typ are", name)
		case json.Unmarshal(value, &text) != nil:
			return unsigned("its header member %s is not text", name)
		case name == "typ" && !strings.EqualFold(text, "JWT"):
			return unsigned("its header member typ is not JWT")
		case name == "alg" && !slices.Contains(algorithms, jose.SignatureAlgorithm(text)):
			return unsigned("its header member alg is none of EdDSA, ES256 and RS256")
		}
	}
	if members["alg"] == nil || members["kid"] == nil {
		return unsigned("its header needs alg and kid")
	}
	return nil
}

// Check judges a token by the key that it names. The error is an *Unsigned, or a *Refused where the signature is good.
func (t *Token) Check(k Key, now time.Time) (Claims, error) {
	if t.KeyID != k.ID {
		return Claims{}, unsigned("its header names another key")
	}
	if t.Algorithm != k.Algorithm {
		return Claims{}, unsigned("its header says alg %s, and this key signs with %s alone", t.Algorithm, k.Algorithm)
	}
	payload, err := t.signed.Verify(k.Public)
	if err != nil {
		return Claims{}, unsigned("its signature was not made with the private half of this key")
	}
	c, faults := read(payload)
	if k.Revoked {
		faults = append(faults, "The key has been revoked.")
	}
	if len(faults) == 0 {
		faults = c.faults(k, now)
	}
	if len(faults) > 0 {
		return Claims{}, &Refused{faults}
	}
	return Claims{JTI: *c.JTI, Until: time.Unix(int64(*c.Expires)+Skew+1, 0)}, nil
}

// Faults says what is wrong with the claims of a token, whoever has signed it, and whether at all. It is for whoever explains
// tokens to their own provider.
func Faults(payload []byte, k Key, now time.Time) []string {
	c, faults := read(payload)
	if len(faults) == 0 {
		faults = c.faults(k, now)
	}
	return faults
}

type claims struct {
	Issuer    *string         `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	IssuedAt  *float64        `json:"iat"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
	JTI       *string         `json:"jti"`
	audience  string
}

// read reads the claims, and says what is wrong with their form.
func read(payload []byte) (c claims, faults []string) {
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, []string{"The claims are not a JSON object without duplicate members, whose iss and jti are text and whose iat, exp and nbf are numbers of seconds."}
	}
	need := func(name string, missing bool) {
		if missing {
			faults = append(faults, "The claim "+name+" is missing.")
		}
	}
	need("iss", c.Issuer == nil)
	need("aud", c.Audience == nil)
	need("iat", c.IssuedAt == nil)
	need("exp", c.Expires == nil)
	need("jti", c.JTI == nil)
	if c.Audience != nil {
		var several []string
		switch {
		case json.Unmarshal(c.Audience, &c.audience) == nil:
		case json.Unmarshal(c.Audience, &several) == nil && len(several) == 1:
			c.audience = several[0]
		default:
			faults = append(faults, "The claim aud is not one text.")
		}
	}
	for name, at := range map[string]*float64{"iat": c.IssuedAt, "exp": c.Expires, "nbf": c.NotBefore} {
		if at != nil && (math.IsNaN(*at) || *at < 0 || *at > LastSecond) {
			faults = append(faults, "The claim "+name+" is no time in seconds since 1970.")
		}
	}
	if c.JTI != nil && !goodID(*c.JTI) {
		faults = append(faults, fmt.Sprintf("The claim jti is not 1 to %d plain characters.", longestID))
	}
	slices.Sort(faults)
	return c, faults
}

func goodID(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= longestID && !strings.ContainsFunc(s, unicode.IsControl)
}

// faults says which claims are wrong at a moment.
func (c *claims) faults(k Key, now time.Time) (faults []string) {
	at := float64(now.UnixMilli()) / 1000
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if *c.Issuer != k.Issuer {
		say("The claim iss is not %s, the provider whose key this is.", k.Issuer)
	}
	if c.audience != k.Audience {
		say("The claim aud is not %s.", k.Audience)
	}
	switch life := *c.Expires - *c.IssuedAt; {
	case life <= 0:
		say("The claim exp is not after iat.")
	case life > Lifetime:
		say("The claim exp is %s after iat; at most %d seconds are allowed.", span(life), Lifetime)
	}
	if early := *c.IssuedAt - at; early > Skew {
		say("The claim iat is %s in the future: your clock is ahead of this one, which says %s.", span(early), stamp(now))
	}
	if c.NotBefore != nil && *c.NotBefore-at > Skew {
		say("The claim nbf is %s in the future; the clock here says %s.", span(*c.NotBefore-at), stamp(now))
	}
	if late := at - *c.Expires; late >= Skew {
		say("The claim exp was %s ago, and iat %s ago: make a new JWT for each request, or your clock is behind this one, which says %s.", span(late), span(at-*c.IssuedAt), stamp(now))
	}
	return faults
}

func span(seconds float64) string {
	d := time.Duration(min(seconds, 9e9)) * time.Second
	if d < 2*time.Minute {
		return fmt.Sprintf("%d seconds", int64(d/time.Second))
	}
	return d.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
