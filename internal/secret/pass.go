package secret

import "crypto/sha256"

// passLen is how many base62 characters hold 256 bits.
const passLen = 43

// MintPass makes the value of a session or of a one-time link: 256 random bits in base62. Only its digest is stored.
func MintPass() string { return string(random(passLen)) }

// PassDigest returns what is stored of a pass: its SHA-256. False: the string has not the form of one, and costs no
// look-up.
func PassDigest(pass string) ([]byte, bool) {
	if len(pass) != passLen || !base62(pass) {
		return nil, false
	}
	d := sha256.Sum256([]byte(pass))
	return d[:], true
}
