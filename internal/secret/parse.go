package secret

// Parsed is what a well-formed token string says of itself. Nothing in it is proved: whoever knows the format can make
// such a string.
type Parsed struct {
	Prefix, Kind string // parts of the parsed string
	ID           [idLen]byte
}

// Parse reads a token string of any instance. False means that no instance can have minted s: its form, length,
// alphabet or checksum is wrong. It allocates nothing.
func Parse(s string) (Parsed, bool) {
	n := len(s) - tailLen
	if n < minPrefix || n > maxPrefix {
		return Parsed{}, false
	}
	p := Parsed{Prefix: s[:n], Kind: s[n+1:][:kindLen]}
	if s[n] != '_' || s[n+1+kindLen] != '_' || !ValidPrefix(p.Prefix) || !knownKind(p.Kind) || !sound(s) {
		return Parsed{}, false
	}
	copy(p.ID[:], s[len(s)-bodyLen:])
	return p, true
}

// Hint returns what may be shown of a token string, and "" for a text that Parse refuses: that may be anybody's secret.
func Hint(s string) string {
	if _, ok := Parse(s); !ok {
		return ""
	}
	return s[:len(s)-bodyLen+8] + "…" + s[len(s)-4:]
}

func knownKind(s string) bool {
	return s == Personal || s == Organization || s == Integration || s == System
}

// sound reports whether the body of s, its last characters, is base62 and ends in the checksum of everything before. Every
// check pays for this: it looks each character up and has no branch that depends on one.
func sound(s string) bool {
	at := len(s) - checksumLen
	valid, sum := base62(s[len(s)-bodyLen:at]), uint64(0)
	for i := range checksumLen {
		digit := digits[s[at+i]]
		valid = valid && digit != noDigit
		sum = sum*uint64(len(alphabet)) + uint64(digit)
	}
	return valid && sum == uint64(crc(s[:at]))
}

func base62(s string) bool {
	var or byte
	for i := range len(s) {
		or |= digits[s[i]]
	}
	return or < noDigit
}
