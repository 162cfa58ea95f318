package secret

import (
	"crypto/rand"
	"hash/crc32"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// ValidPrefix reports whether s can be an instance's prefix: 2 to 8 lower-case letters or digits.
func ValidPrefix(s string) bool {
	if len(s) < minPrefix || len(s) > maxPrefix {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// Mint makes a token string with a new id and a new secret. A prefix that is not a ValidPrefix and an unknown kind are
// programming errors: it panics.
func Mint(prefix, kind string) Value { return Remint(prefix, kind, string(random(idLen))) }

// Remint makes a token string with a new secret under an id that exists, which is how a token is rotated. It panics like
// Mint, and when id is not 12 base62 characters.
func Remint(prefix, kind, id string) Value {
	switch {
	case !ValidPrefix(prefix):
		panic("secret: a prefix is 2 to 8 lower-case letters or digits")
	case !knownKind(kind):
		panic("secret: unknown kind of token")
	case len(id) != idLen || !base62(id):
		panic("secret: an id is 12 base62 characters")
	}
	s := prefix + "_" + kind + "_" + id + string(random(secretLen))
	sum := checksum(s)
	return newValue(s + string(sum[:]))
}

// random returns n base62 characters, each equally likely: bytes past the largest multiple of 62 are drawn again.
func random(n int) []byte {
	const fair = 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var buf [64]byte
	for {
		_, _ = rand.Read(buf[:]) // never fails: it crashes the program instead
		for _, b := range buf {
			if int(b) >= fair {
				continue
			}
			if out = append(out, alphabet[int(b)%len(alphabet)]); len(out) == n {
				return out
			}
		}
	}
}

// checksum returns the CRC-32 (IEEE) of s in base62. The loop is here because [crc32.Update] lets its argument escape,
// which would cost Parse an allocation.
func checksum(s string) [checksumLen]byte {
	crc := ^uint32(0)
	for i := range len(s) {
		crc = crc32.IEEETable[byte(crc)^s[i]] ^ crc>>8
	}
	crc = ^crc
	var out [checksumLen]byte
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = alphabet[crc%uint32(len(alphabet))]
		crc /= uint32(len(alphabet))
	}
	return out
}
