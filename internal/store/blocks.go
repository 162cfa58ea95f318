package store

import (
	"context"
	"strconv"
	"sync"
)

// blocks is how far the log was looked through for full blocks.
type blocks struct {
	mu    sync.Mutex // held by the one who counts
	known bool       // seen was read from the database
	whole bool       // every block has its tally of users
	seen  int64
	saved int64
	grown map[string]int64 // entries that may be in no block yet; an organization that is not here is counted first
}

const (
	blocksSetting = "event_blocks"
	blockLook     = 20_000  // entries looked at in one query
	blockRound    = 200_000 // entries looked at in one call
	blockSave     = 100_000
)

// CountBlocks brings the blocks up to the log, or a good part of the way. It crosses organizations: it reads the whole
// log. The server calls it about once a second.
func (s *Store) CountBlocks(ctx context.Context) error {
	b := &s.blocks
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		text, found, err := s.Setting(ctx, blocksSetting)
		if err != nil {
			return err
		}
		if found {
			b.seen, _ = strconv.ParseInt(text, 10, 64) // what cannot be read is looked through again
		}
		b.known, b.saved, b.grown = true, b.seen, map[string]int64{}
	}
	for range blockRound / blockLook {
		more, err := s.countSome(ctx, b)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if b.whole {
		return nil
	}
	var err error
	b.whole, err = s.tallyOldBlocks(ctx)
	return err
}

func (s *Store) countSome(ctx context.Context, b *blocks) (more bool, err error) {
	type growth struct {
		org string
		n   int64
	}
	var found []growth
	var last int64
	err = s.engine.view(ctx, func(q querier) error {
		h, err := lastEntry(q)
		if err != nil {
			return err
		}
		last = min(h.number, b.seen+blockLook)
		more = last < h.number
		found, err = collect(q, func(r scanner) (g growth, err error) { return g, r.Scan(&g.org, &g.n) },
			"SELECT organization, COUNT(*) FROM events WHERE seq > $1 AND seq <= $2 GROUP BY organization", b.seen, last)
		return err
	})
	if err != nil || last == b.seen {
		return false, err
	}
	wrote := false
	for _, g := range found {
		n, counted := b.grown[g.org]
		if n += g.n; counted && n < blockSize {
			b.grown[g.org] = n
			continue
		}
		left, any, err := s.fillBlocks(ctx, g.org)
		if err != nil {
			return false, err
		}
		b.grown[g.org], wrote = left, wrote || any
	}
	b.seen = last
	if wrote || b.seen-b.saved >= blockSave {
		err = s.Update(ctx, "", ForTokens, func(tx *Tx) error { return tx.SetSetting(blocksSetting, strconv.FormatInt(b.seen, 10)) })
		if err == nil {
			b.saved = b.seen
		}
	}
	return more, err
}

// fillBlocks writes the blocks of an organization that are full, and returns how many entries are left over.
func (s *Store) fillBlocks(ctx context.Context, org string) (left int64, wrote bool, err error) {
	for {
		full, left, err := s.measureBlocks(ctx, org)
		if err != nil || len(full) == 0 {
			return left, wrote, err
		}
		if err := s.writeBlocks(ctx, org, full); err != nil {
			return 0, wrote, err
		}
		wrote = true
		if len(full) < blocksTogether {
			return left, wrote, nil
		}
	}
}

const blocksTogether = 16 // written in a transaction

// measureBlocks returns the next blocks of an organization that are full, and how many entries are left over.
func (s *Store) measureBlocks(ctx context.Context, org string) (full []talliedBlock, left int64, err error) {
	err = s.View(ctx, org, func(tx *Tx) error {
		full = nil
		last, err := tx.lastInBlock()
		for err == nil && len(full) < blocksTogether {
			var b talliedBlock
			if b.block, err = tx.nextBlock(last); err != nil || b.n < blockSize {
				left = b.n
				break
			}
			b.tally, err = tx.tally(b.first, b.last)
			full, last = append(full, b), b.last
		}
		return err
	})
	return full, left, err
}

// writeBlocks writes blocks as they were measured, but those that are no longer so: another node that has just begun or
// ceased to lead may have counted them, or removed of them. RemoveAnnounced takes the same lock, and the lowest numbers first.
func (s *Store) writeBlocks(ctx context.Context, org string, full []talliedBlock) error {
	return s.Update(ctx, org, ForRules, func(tx *Tx) error {
		for _, b := range full {
			next, err := tx.isNext(b.block)
			if err != nil || !next {
				return err
			}
			if err := tx.insertBlock(b.block); err != nil {
				return err
			}
			if err := tx.insertTally(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// isNext reports whether a block lies behind every other, with its first entry, and so all of it, still there.
func (tx *Tx) isNext(b block) (bool, error) {
	last, err := tx.lastInBlock()
	if err != nil || last >= b.first {
		return false, err
	}
	var n int64
	err = tx.q.row("SELECT COUNT(*) FROM events WHERE organization = $1 AND seq = $2", tx.org, b.first).Scan(&n)
	return n > 0, err
}

func (tx *Tx) insertBlock(b block) error {
	_, err := tx.q.exec(`INSERT INTO event_blocks (organization, first_seq, last_seq, n, min_at, max_at) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (organization, first_seq) DO NOTHING`, tx.org, b.first, b.last, b.n, int64(b.earliest), int64(b.late))
	return err
}

// nextBlock measures the entries after number, up to a full block.
func (tx *Tx) nextBlock(number int64) (b block, err error) {
	err = tx.q.row(`SELECT COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0), COUNT(*), COALESCE(MIN(at), 0), COALESCE(MAX(at), 0)
		FROM (SELECT seq, at FROM events WHERE organization = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS part`, tx.org, number, blockSize).
		Scan(&b.first, &b.last, &b.n, &b.earliest, &b.late)
	return b, err
}
