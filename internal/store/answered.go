package store

import (
	"bytes"
	"sync"
)

// answered are the ends that the log had when this node saw its own changes in it, and answered. They are asked for once, at a renewal:
// a log that does not hold one is another log, as when a standby took over that lacked the end, also where the follower had not come
// so far, or has since read other entries with these numbers.
type answered struct {
	mu       sync.Mutex
	heads    []head
	replaced bool // the last, since all was called
}

// maxAnswered bounds what is kept while no lease is renewed, in which time nothing is written.
const maxAnswered = 4096

// holdsAll is true where the log holds every one of some entries, whole or of retention's making. It is formatted with the numbers of
// the parameters.
const holdsAll = `NOT EXISTS (SELECT 1 FROM unnest(CAST($%d AS BIGINT[]), CAST($%d AS BYTEA[])) AS a (seq, hash)
	WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = a.seq AND e.hash = a.hash)
	AND NOT EXISTS (SELECT 1 FROM removed_events r WHERE r.seq = a.seq AND r.hash = a.hash))`

// note keeps an end of the log, unless it is empty or ends with an entry that has no hash, which nobody wrote as he should.
func (a *answered) note(h head) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.heads)
	switch {
	case h.hash == nil, n > 0 && a.heads[n-1].number == h.number && bytes.Equal(a.heads[n-1].hash, h.hash):
	case n == maxAnswered:
		a.heads[n-1], a.replaced = h, true
	default:
		a.heads = append(a.heads, h)
	}
}

func (a *answered) all() (numbers []int64, hashes [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replaced = false
	numbers, hashes = make([]int64, len(a.heads)), make([][]byte, len(a.heads)) // NULL is no array
	for i, h := range a.heads {
		numbers[i], hashes[i] = h.number, h.hash
	}
	return numbers, hashes
}

// seen drops those of the first n, which all returned and the log held, that this node has read: whoever follows the log from the entry
// that was applied last would notice if it lost them.
func (a *answered) seen(n int, applied int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, len(a.heads))
	if a.replaced && n == len(a.heads) && n > 0 {
		n--
	}
	for n > 0 && a.heads[n-1].number > applied {
		n--
	}
	a.heads = a.heads[n:]
	if len(a.heads) == 0 {
		a.heads = nil
	}
}

func (a *answered) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heads = nil
}
