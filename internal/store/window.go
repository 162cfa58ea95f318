package store

import (
	"math"

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
			more, err := tx.readPart(f, p, skip, want)
			if err != nil {
				return nil, 0, err
			}
			events, skip = append(events, more...), 0
		}
	}
	return events, total, nil
}

// readPart reads what of a part passes the filter. The numbers are found in the index alone; only the page's own entries are
// read.
func (tx *Tx) readPart(f EventFilter, p part, skip int64, want int) ([]counterfoil.Event, error) {
	w, from := tx.partWhere(f, p)
	return scanEvents(tx.q, "SELECT seq, body, hash FROM events WHERE seq IN (SELECT seq FROM "+from+" WHERE "+w.sql()+
		" ORDER BY seq"+w.bind(" LIMIT ? OFFSET ?", want, skip)+") ORDER BY seq", w.args...)
}

// part is a run of numbers with how many entries of a window it holds.
type part struct {
	block
	tally []byte // of a block; nil: none is there, or nobody asks for users
}

// partWhere is the filter within a part, and the table by the index that suits it. Where the tally says who has entries in
// the part, the others are not looked for.
func (tx *Tx) partWhere(f EventFilter, p part) (*where, string) {
	if p.tally != nil {
		f.Users = wantedUsers(f.Users).among(p.tally)
	}
	w := tx.eventsWhere(f)
	w.add("seq >= ?", p.first)
	w.add("seq <= ?", p.last)
	return w, tx.eventsBy(f)
}

// parts cuts a window into parts.
func (tx *Tx) parts(f EventFilter) (parts []part, err error) {
	rest, err := tx.lastInBlock()
	if err != nil {
		return nil, err
	}
	open := part{block: block{first: rest + 1, last: math.MaxInt64}} // what is in no block yet
	if len(f.Users) > 0 && len(f.Users) <= fewUsers {
		seldom, err := tx.seldom(f)
		if err != nil || seldom != nil {
			return seldom, err
		}
	}
	if parts, err = tx.blocksOf(f); err != nil {
		return nil, err
	}
	parts = append(parts, open)
	for i := range parts {
		p := &parts[i]
		if p.last != math.MaxInt64 && p.earliest >= f.From && p.late < f.Until && (len(f.Users) == 0 || p.tally != nil) {
			continue // all of the block lies in the window
		}
		if p.tally != nil && p.n == 0 {
			continue // nothing of those users
		}
		w, from := tx.partWhere(f, *p)
		if err := tx.q.row("SELECT COUNT(*) FROM "+from+" WHERE "+w.sql(), w.args...).Scan(&p.n); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// seldom is the whole window as one part, where few users have so few entries in it that their own index counts them fast;
// else nil.
func (tx *Tx) seldom(f EventFilter) ([]part, error) {
	whole := part{block: block{first: 1, last: math.MaxInt64}}
	w, from := tx.partWhere(f, whole)
	err := tx.q.row("SELECT COUNT(*) FROM (SELECT 1 FROM "+from+" WHERE "+w.sql()+w.bind(" LIMIT ?", blockSize)+") AS part", w.args...).Scan(&whole.n)
	if err != nil || whole.n == blockSize {
		return nil, err
	}
	return []part{whole}, nil
}

// blocksOf returns the blocks that reach into a window. Where users are asked for, n is how many entries of theirs a block
// has, if that has been counted.
func (tx *Tx) blocksOf(f EventFilter) ([]part, error) {
	const within = " WHERE b.organization = $1 AND b.max_at >= $2 AND b.min_at < $3 ORDER BY b.first_seq"
	if len(f.Users) == 0 {
		return collect(tx.q, func(r scanner) (p part, err error) { p.block, err = scanBlock(r); return p, err },
			"SELECT b.first_seq, b.last_seq, b.n, b.min_at, b.max_at FROM event_blocks b"+within, tx.org, int64(f.From), int64(f.Until))
	}
	wanted := wantedUsers(f.Users)
	return collect(tx.q, func(r scanner) (p part, err error) {
		if err = r.Scan(&p.first, &p.last, &p.n, &p.earliest, &p.late, &p.tally); err == nil && p.tally != nil {
			p.n = wanted.count(p.tally)
		}
		return p, err
	}, `SELECT b.first_seq, b.last_seq, b.n, b.min_at, b.max_at, u.tally FROM event_blocks b
		LEFT JOIN event_block_users u ON u.organization = b.organization AND u.first_seq = b.first_seq AND u.last_seq = b.last_seq`+within,
		tx.org, int64(f.From), int64(f.Until))
}
