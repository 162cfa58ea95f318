package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// A tally says how many of a block's entries concern each user, so that a window of many users is counted without walking
// through it. It is a row of pairs, by hash: the first 8 bytes of the SHA-256 of the user's UUID, and a count of 2 bytes, both
// big endian. Users without an entry are not in it. Like the blocks, tallies are derived and decide nothing: a block without
// one is counted one by one.
const pairSize = 8 + 2

type talliedBlock struct {
	block
	tally []byte
}

func hashOfUser(uuid string) uint64 {
	sum := sha256.Sum256([]byte(uuid))
	return binary.BigEndian.Uint64(sum[:])
}

// wanted is the users that somebody asks for.
type wanted map[uint64]string

func wantedUsers(uuids []string) wanted {
	w := make(wanted, len(uuids))
	for _, u := range uuids {
		w[hashOfUser(u)] = u
	}
	return w
}

// count returns how many entries the wanted users have by a tally.
func (w wanted) count(tally []byte) (n int64) {
	for ; len(tally) >= pairSize; tally = tally[pairSize:] {
		if _, ok := w[binary.BigEndian.Uint64(tally)]; ok {
			n += int64(binary.BigEndian.Uint16(tally[8:]))
		}
	}
	return n
}

// among returns which of the wanted users have entries by a tally.
func (w wanted) among(tally []byte) (users []string) {
	for ; len(tally) >= pairSize; tally = tally[pairSize:] {
		if uuid, ok := w[binary.BigEndian.Uint64(tally)]; ok {
			users = append(users, uuid)
		}
	}
	return users
}

// tally counts the users of a run of numbers no longer than a block.
func (tx *Tx) tally(first, last int64) ([]byte, error) {
	pairs, err := collect(tx.q, func(r scanner) (pair []byte, err error) {
		var uuid string
		var n uint16
		if err = r.Scan(&uuid, &n); err != nil {
			return nil, err
		}
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(nil, hashOfUser(uuid)), n), nil
	}, "SELECT user_uuid, COUNT(*) FROM events"+tx.q.by("events_by_number")+" WHERE organization = $1 AND seq >= $2 AND seq <= $3 AND user_uuid <> '' GROUP BY user_uuid",
		tx.org, first, last)
	slices.SortFunc(pairs, bytes.Compare)
	return append([]byte{}, bytes.Join(pairs, nil)...), err
}

func (tx *Tx) insertTally(b talliedBlock) error {
	_, err := tx.q.exec("INSERT INTO event_block_users (organization, first_seq, last_seq, tally) VALUES ($1,$2,$3,$4) ON CONFLICT (organization, first_seq, last_seq) DO NOTHING",
		tx.org, b.first, b.last, b.tally)
	return err
}

// tallyOldBlocks gives some of the blocks that have none their tally, and reports whether every block has one: those of a
// version that wrote none, and those that were cut since. Once nothing is left to do it removes the tallies of blocks that are
// gone. It crosses organizations: it looks for blocks anywhere.
func (s *Store) tallyOldBlocks(ctx context.Context) (whole bool, err error) {
	const together = 64
	type place struct {
		org         string
		first, last int64
	}
	var bare []place
	err = s.engine.view(ctx, func(q querier) (err error) {
		bare, err = collect(q, func(r scanner) (p place, err error) { return p, r.Scan(&p.org, &p.first, &p.last) },
			`SELECT b.organization, b.first_seq, b.last_seq FROM event_blocks b
			LEFT JOIN event_block_users u ON u.organization = b.organization AND u.first_seq = b.first_seq AND u.last_seq = b.last_seq
			WHERE u.first_seq IS NULL LIMIT $1`, together)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, p := range bare {
		b := talliedBlock{block: block{first: p.first, last: p.last}}
		if err := s.View(ctx, p.org, func(tx *Tx) (err error) { b.tally, err = tx.tally(b.first, b.last); return err }); err != nil {
			return false, err
		}
		if err := s.Update(ctx, p.org, ForTokens, func(tx *Tx) error { return tx.insertTally(b) }); err != nil {
			return false, err
		}
	}
	if len(bare) > 0 {
		return false, nil
	}
	return true, s.Update(ctx, "", ForTokens, func(tx *Tx) error { return tx.dropStrayTallies() })
}

// dropStrayTallies crosses organizations: see tallyOldBlocks.
func (tx *Tx) dropStrayTallies() error {
	_, err := tx.q.exec(`DELETE FROM event_block_users WHERE NOT EXISTS (SELECT 1 FROM event_blocks b
		WHERE b.organization = event_block_users.organization AND b.first_seq = event_block_users.first_seq AND b.last_seq = event_block_users.last_seq)`)
	return err
}
