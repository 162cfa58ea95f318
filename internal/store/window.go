package store

import (
	"context"
	"math"
	"strconv"
	"sync"

	"github.com/counterfoil/counterfoil"
)

// A block counts a run of an organization's entries, so that a page anywhere in a window, and the number of entries in
// it, are found without walking through what lies before. Blocks are derived from the log, a moment behind it, and
// decide nothing: what is in none yet is counted one by one. Times need not rise with the numbers, so each block has its
// own earliest and latest.
type block struct {
	first, last    int64 // numbers
	n              int64
	earliest, late counterfoil.Instant
}

const (
	blockSize = 4096 // entries
	fewUsers  = 8
)

func scanBlock(r scanner) (b block, err error) {
	return b, r.Scan(&b.first, &b.last, &b.n, &b.earliest, &b.late)
}

func (tx *Tx) lastInBlock() (n int64, err error) {
	return n, tx.q.row("SELECT COALESCE(MAX(last_seq), 0) FROM event_blocks WHERE organization = $1", tx.org).Scan(&n)
}

// Window is a page of what an organization's log holds of a span of time, in the order of the numbers.
type Window struct {
	From, Until counterfoil.Instant // From is included, Until is not
	Users       []string            // UUIDs of the persons concerned; empty: everything
	Offset      int64
	Limit       int
}

// ReadWindow returns the page and how many entries the whole window holds.
func (tx *Tx) ReadWindow(v Window) (events []counterfoil.Event, total int64, err error) {
	f := EventFilter{From: v.From, Until: v.Until, Users: v.Users}
	parts, err := tx.parts(f)
	if err != nil {
		return nil, 0, err
	}
	skip := v.Offset
	for _, p := range parts {
		total += p.n
		if skip >= p.n {
			skip -= p.n
			continue
		}
		if want := v.Limit - len(events); want > 0 {
			w := tx.eventsWhere(f)
			w.add("seq >= ?", p.first)
			w.add("seq <= ?", p.last)
			// The numbers are found in the index alone; only the page's own entries are read.
			more, err := scanEvents(tx.q, "SELECT seq, body, hash FROM events WHERE seq IN (SELECT seq FROM "+tx.eventsBy(f)+" WHERE "+w.sql()+
				" ORDER BY seq"+w.bind(" LIMIT ? OFFSET ?", want, skip)+") ORDER BY seq", w.args...)
			if err != nil {
				return nil, 0, err
			}
			events, skip = append(events, more...), 0
		}
	}
	return events, total, nil
}

// parts cuts a window into runs of numbers with how many of its entries each holds.
func (tx *Tx) parts(f EventFilter) (parts []block, err error) {
	rest, err := tx.lastInBlock()
	if err != nil {
		return nil, err
	}
	parts, err = collect(tx.q, scanBlock, `SELECT first_seq, last_seq, n, min_at, max_at FROM event_blocks
		WHERE organization = $1 AND max_at >= $2 AND min_at < $3 ORDER BY first_seq`, tx.org, int64(f.From), int64(f.Until))
	if err != nil {
		return nil, err
	}
	if len(f.Users) > 0 { // blocks do not know who
		s := block{first: rest + 1, last: math.MaxInt64}
		if len(parts) > 0 {
			s.first = parts[0].first
		}
		parts = []block{s}
	} else {
		parts = append(parts, block{first: rest + 1, last: math.MaxInt64})
	}
	for i := range parts {
		p := &parts[i]
		if p.n > 0 && p.earliest >= f.From && p.late < f.Until {
			continue
		}
		w := tx.eventsWhere(f)
		w.add("seq >= ?", p.first)
		w.add("seq <= ?", p.last)
		if err := tx.q.row("SELECT COUNT(*) FROM "+tx.eventsBy(f)+" WHERE "+w.sql(), w.args...).Scan(&p.n); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// blocks is how far the log was looked through for full blocks.
type blocks struct {
	mu    sync.Mutex // held by the one who counts
	known bool       // seen was read from the database
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
		if err != nil || !more {
			return err
		}
	}
	return nil
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
	const together = 16
	for {
		var full []block
		err := s.View(ctx, org, func(tx *Tx) error {
			last, err := tx.lastInBlock()
			for err == nil && len(full) < together {
				var b block
				if b, err = tx.nextBlock(last); b.n < blockSize {
					left = b.n
					break
				}
				full, last = append(full, b), b.last
			}
			return err
		})
		if err != nil || len(full) == 0 {
			return left, wrote, err
		}
		err = s.Update(ctx, org, ForTokens, func(tx *Tx) error {
			for _, b := range full {
				if err := tx.insertBlock(b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, wrote, err
		}
		wrote = true
		if len(full) < together {
			return left, wrote, nil
		}
	}
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
