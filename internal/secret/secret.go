// Package secret is a credential's string: it mints, parses and digests it, and says what may be shown of it. It holds
// the instance keys under which digests are made. It refuses to know what a credential is good for, and stores nothing
// but the key file.
//
// A token string is
//
//	<prefix>_<kind>_<id><secret><checksum>
//
// prefix: the instance's, 2 to 8 lower-case letters or digits. kind: pat, org, int or sys. id: 12 base62 characters,
// public, the first 4 by the clock. secret: 30 base62 characters (178 bits). checksum: CRC-32 (IEEE) of everything before it as 6 base62 digits,
// most significant first, zero-padded, so that a mistyped or cut string costs no look-up. base62 is 0-9A-Za-z.
package secret

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// The kinds of a token string.
const (
	Personal     = "pat"
	Organization = "org"
	Integration  = "int"
	System       = "sys"
)

const (
	idLen       = 12
	secretLen   = 30
	checksumLen = 6
	bodyLen     = idLen + secretLen + checksumLen
	kindLen     = 3
	minPrefix   = 2
	maxPrefix   = 8
	tailLen     = len("_") + kindLen + len("_") + bodyLen // everything after the prefix
)

// Value is a token string in the open. Every way of printing, logging or encoding it gives its hint; Reveal alone gives
// the string. The zero Value is no token: its hint is "". Values cannot be compared with ==; compare digests.
type Value struct {
	// A function, not a string: fmt calls no methods on a Value in another struct's unexported field but prints what
	// it finds by reflection, and through a function it finds nothing.
	reveal func() string
}

func newValue(s string) Value { return Value{reveal: func() string { return s }} }

// Reveal returns the token string. Only the one answer that shows a secret calls it, and whoever makes its digest.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// ID returns the 12 characters that name the token in public; "" for the zero Value.
func (v Value) ID() string {
	s := v.Reveal()
	if s == "" {
		return ""
	}
	return s[len(s)-bodyLen:][:idLen]
}

// Prefix returns the instance's prefix; "" for the zero Value.
func (v Value) Prefix() string {
	s := v.Reveal()
	return s[:max(len(s)-tailLen, 0)]
}

// Kind returns one of Personal, Organization, Integration, System; "" for the zero Value.
func (v Value) Kind() string {
	s := v.Reveal()
	if s == "" {
		return ""
	}
	return s[len(s)-tailLen+1:][:kindLen]
}

// Hint returns what may be shown: the prefix, the kind, 8 characters of the id and the last 4 of the checksum.
func (v Value) Hint() string { return Hint(v.Reveal()) }

// String gives the hint.
func (v Value) String() string { return v.Hint() }

// GoString gives the hint.
func (v Value) GoString() string { return v.Hint() }

// Format writes the hint whatever the verb, so that no verb reaches the string.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.Hint()) }

// LogValue gives the hint.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.Hint()) }

// MarshalText gives the hint.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.Hint()), nil }

// MarshalJSON gives the hint.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.Hint()) }
