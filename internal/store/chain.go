package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/counterfoil/counterfoil"
)

// ChainHash is the hash of entry number with the stored body, chained to the hash before it: see ChainLink.
func ChainHash(previous []byte, number int64, body string) []byte {
	return ChainLink(previous, number, digestOf(body))
}

// digestOf is what is kept of a body that is removed.
func digestOf(body string) []byte {
	digest := sha256.Sum256([]byte(body))
	return digest[:]
}

// ChainLink is the hash of entry number whose body has the given SHA-256, chained to the hash before it:
// SHA-256(previous ‖ number as 8 bytes, big endian ‖ SHA-256(body)). The first entry's previous is empty. So the chain can
// be checked through an entry of which nothing but that digest is left.
func ChainLink(previous []byte, number int64, digest []byte) []byte {
	var b [72]byte
	in := binary.BigEndian.AppendUint64(append(b[:0], previous...), uint64(number))
	sum := sha256.Sum256(append(in, digest...))
	return sum[:]
}

// Chain checks a log entry by entry. The zero value wants entry 1.
type Chain struct {
	Number  int64 // of the last good entry
	Hash    []byte
	Removed int64 // entries without a body

	removed   map[string]removal // what was met, by organization
	announced map[string]removal // what the log says was removed: its latest word
}

// removal is how much of an organization's log has no body any more, and the number of the last such entry.
type removal struct {
	Total   int64 `json:"total"`
	Through int64 `json:"through"`
}

// Anchor takes e as good, whatever lies before it. What was removed before it is not known.
func (c *Chain) Anchor(e counterfoil.LogEntry) { c.take(e) }

// Add checks the next entry; false: it, or one before it, is not what was written.
func (c *Chain) Add(e counterfoil.LogEntry) bool {
	digest := e.Digest
	if e.Body != "" {
		digest = digestOf(e.Body)
	}
	if e.Number != c.Number+1 || len(digest) != sha256.Size || !bytes.Equal(e.Hash, ChainLink(c.Hash, e.Number, digest)) {
		return false
	}
	c.take(e)
	return true
}

func (c *Chain) take(e counterfoil.LogEntry) {
	if c.removed == nil {
		c.removed, c.announced = map[string]removal{}, map[string]removal{}
	}
	c.Number, c.Hash = e.Number, e.Hash
	if e.Body == "" {
		c.Removed++
		c.removed[e.OrganizationID] = removal{c.removed[e.OrganizationID].Total + 1, e.Number}
		return
	}
	if !bytes.Contains([]byte(e.Body), []byte(`"`+removedAction+`"`)) {
		return
	}
	var in counterfoil.Event
	var said removal
	if json.Unmarshal([]byte(e.Body), &in) == nil && in.Type == removedType && in.Action == removedAction && in.Actor.Kind == "system" && json.Unmarshal(in.Metadata, &said) == nil {
		c.announced[in.OrganizationID] = said
	}
}

// Unaccounted returns the number of an entry whose body is gone although no entry of the log says that it was removed; 0
// when there is none. Ask at the end.
func (c *Chain) Unaccounted() int64 {
	var bad int64
	for org, met := range c.removed {
		said := c.announced[org]
		if (met.Through > said.Through || met.Total > said.Total) && (bad == 0 || met.Through < bad) {
			bad = met.Through
		}
	}
	return bad
}

// VerifyChain checks the hashes of the whole log in order, that what queries go by is what was hashed, and that the log
// says what was removed of it. It returns the chain that is good and the number of the first bad entry, 0 when there is
// none. It cannot know of entries that were cut off at the end. It crosses organizations: the chain is one.
func (s *Store) VerifyChain(ctx context.Context) (entries, bad int64, err error) {
	c, bad, err := s.verifyChain(ctx, nil)
	return c.Number, bad, err
}

func (s *Store) verifyChain(ctx context.Context, see func(number int64, hash []byte)) (c Chain, bad int64, err error) {
	const page = 1000
	for {
		var part []entry
		err := s.engine.view(ctx, func(q querier) (err error) {
			part, err = entriesAfter(q, c.Number, page)
			return err
		})
		if err != nil {
			return c, 0, err
		}
		if len(part) == 0 {
			return c, c.Unaccounted(), nil
		}
		for _, e := range part {
			if e.Body != "" && !e.consistent() || !c.Add(e.LogEntry) {
				return c, c.Number + 1, nil
			}
			if see != nil {
				see(e.Number, e.Hash)
			}
		}
	}
}

// entry is an entry as it is stored, with the copies that queries go by; one without a body has none.
type entry struct {
	counterfoil.LogEntry
	id, organization, typ, action string
	at                            counterfoil.Instant
	user, token                   string
}

// entriesAfter reads up to limit entries after number, whole ones and those of which the digest is left, in order.
func entriesAfter(q querier, number int64, limit int) ([]entry, error) {
	whole, err := collect(q, func(r scanner) (e entry, err error) {
		return e, r.Scan(&e.Number, &e.Hash, &e.Body, &e.id, &e.organization, &e.typ, &e.action, &e.at, &e.user, &e.token)
	}, "SELECT seq, hash, body, id, organization, type, action, at, user_uuid, token FROM events WHERE seq > $1 ORDER BY seq LIMIT $2", number, limit)
	if err != nil {
		return nil, err
	}
	removed, err := collect(q, func(r scanner) (e entry, err error) {
		return e, r.Scan(&e.Number, &e.Hash, &e.Digest, &e.OrganizationID)
	}, "SELECT seq, hash, digest, organization FROM removed_events WHERE seq > $1 ORDER BY seq LIMIT $2", number, limit)
	if err != nil || len(removed) == 0 {
		return whole, err
	}
	all := append(whole, removed...)
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.Number, b.Number) })
	return all[:min(len(all), limit)], nil
}

// consistent reports whether the columns that queries go by say what the hashed body says.
func (e *entry) consistent() bool {
	var in counterfoil.Event
	if json.Unmarshal([]byte(e.Body), &in) != nil {
		return false
	}
	return in.ID == e.id && in.OrganizationID == e.organization && in.Type == e.typ && in.Action == e.action &&
		counterfoil.At(in.Timestamp) == e.at && in.User.UUID == e.user && eventToken(&in) == e.token
}
