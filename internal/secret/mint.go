package secret

import (
	"crypto/rand"
	"hash/crc32"
	"time"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// digits are the values of the alphabet's characters; noDigit, a bit that no value has, marks every other byte.
var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = noDigit
	}
	for i := range len(alphabet) {
		d[alphabet[i]] = byte(i)
	}
	return d
}()

const noDigit = 0x40

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
func Mint(prefix, kind string) Value { return Remint(prefix, kind, newID(time.Now())) }

// newID makes an id: clockLen characters that follow the clock in steps of 10 ms and begin again after 41 hours, and
// random ones. Rows and index entries of tokens that are made together so lie together, and a commit of many touches few
// pages; an id that is random throughout would touch one for each.
func newID(now time.Time) string {
	id := make([]byte, clockLen, idLen)
	ticks := now.UnixMilli() / 10
	for i := clockLen - 1; i >= 0; i-- {
		id[i] = alphabet[ticks%int64(len(alphabet))]
		ticks /= int64(len(alphabet))
	}
	return string(append(id, random(idLen-clockLen)...))
}

const clockLen = 4

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

// checksum returns the CRC-32 (IEEE) of s in base62.
func checksum(s string) [checksumLen]byte {
	crc := crc(s)
	var out [checksumLen]byte
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = alphabet[crc%uint32(len(alphabet))]
		crc /= uint32(len(alphabet))
	}
	return out
}

// crc returns the CRC-32 (IEEE) of s, four bytes at a time. It is here because [crc32.Update] lets its argument escape,
// which would cost Parse an allocation.
func crc(s string) uint32 {
	crc := ^uint32(0)
	for ; len(s) >= 4; s = s[4:] {
		crc ^= uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		crc = crcTables[3][byte(crc)] ^ crcTables[2][byte(crc>>8)] ^ crcTables[1][byte(crc>>16)] ^ crcTables[0][crc>>24]
	}
	for i := range len(s) {
		crc = crcTables[0][byte(crc)^s[i]] ^ crc>>8
	}
	return ^crc
}

// crcTables[n] holds what a byte does to the checksum with n bytes after it.
var crcTables = func() (t [4][256]uint32) {
	t[0] = *crc32.IEEETable
	for n := 1; n < len(t); n++ {
		for i, crc := range t[n-1] {
			t[n][i] = t[0][byte(crc)] ^ crc>>8
		}
	}
	return t
}()
