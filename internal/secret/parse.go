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
	body := s[len(s)-bodyLen:]
	if s[n] != '_' || s[n+1+kindLen] != '_' || !ValidPrefix(p.Prefix) || !knownKind(p.Kind) || !base62(body) {
		return Parsed{}, false
	}
	sum := checksum(s[:len(s)-checksumLen])
	if string(sum[:]) != s[len(s)-checksumLen:] {
		return Parsed{}, false
	}
	copy(p.ID[:], body)
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

func base62(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
