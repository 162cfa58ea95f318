package counterfoil

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

// LogEntry is an entry of the instance's log as it is stored. Hash is SHA-256(hash of the entry before ‖ Number as 8
// bytes, big endian ‖ SHA-256(Body)); before the first entry there is nothing. Body is the event as JSON, to the byte,
// without its number and hash. Of an entry that the retention has removed, Body is empty, and Digest and OrganizationID are
// there.
type LogEntry struct {
	Number int64  `json:"number"`
	Hash   []byte `json:"hash" doc:"SHA-256 of the hash before, the number as 8 bytes (big endian), and the SHA-256 of the body."`
	Body   string `json:"body" doc:"The event as JSON, to the byte; empty where the retention has removed it."`

	Digest         []byte `json:"digest,omitempty" doc:"The SHA-256 of a body that was removed."`
	OrganizationID string `json:"organization_id,omitempty" doc:"Whose entry was removed."`
}

// LogPage is one part of the instance's log. NextCursor is always there.
type LogPage struct {
	Data       []LogEntry `json:"data"`
	NextCursor string     `json:"next_cursor" doc:"Pass as ?after= to go on, now or later."`
	More       bool       `json:"more" doc:"Whether there is more to read now."`
}

// Checkpoint says, signed, which entry was the log's last at a time. Whoever keeps it can prove later that nothing before
// it was changed or cut off.
type Checkpoint struct {
	Number    int64     `json:"number"`
	Hash      []byte    `json:"hash" doc:"Of that entry; empty before the first."`
	Time      time.Time `json:"time"`
	KeyID     int       `json:"key_id" doc:"The instance key that the signing key is derived from."`
	PublicKey []byte    `json:"public_key" doc:"Ed25519."`
	Signature []byte    `json:"signature" doc:"Ed25519 of the lines \"counterfoil checkpoint\", number, hash in hexadecimal, time; each ends in a newline."`
}

// Message is what is signed.
func (c *Checkpoint) Message() []byte {
	return fmt.Appendf(nil, "counterfoil checkpoint\n%d\n%x\n%s\n", c.Number, c.Hash, c.Time.UTC().Format(time.RFC3339Nano))
}

// SignedBy reports whether the signature is that of a key.
func (c *Checkpoint) SignedBy(key ed25519.PublicKey) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, c.Message(), c.Signature)
}
