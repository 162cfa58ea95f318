package store

import (
	"sync"
	"time"
)

// lag is how far this node knows itself to be behind the log.
type lag struct {
	mu      sync.Mutex
	applied int64
	marks   []mark // rising; the entries beyond applied that it has heard of
}

// mark says that entries up to a number, from those of the mark before it on, were first heard of at a moment.
type mark struct {
	number int64
	at     time.Duration // since the follower's start
}

// maxMarks bounds what is kept. Beyond it the newest entries count as heard of together with those before them.
const maxMarks = 256

// hear takes note that the log holds an entry.
func (l *lag) hear(number int64, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.marks)
	if number <= l.applied || n > 0 && number <= l.marks[n-1].number {
		return
	}
	if n == maxMarks {
		l.marks[n-1].number = number
		return
	}
	l.marks = append(l.marks, mark{number, now})
}

// reach takes note that an entry is the last that is applied, or need not be any more. It may be an earlier one than before.
func (l *lag) reach(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number < l.applied { // of another log
		l.marks = l.marks[:0]
	}
	l.applied = number
	past := 0
	for past < len(l.marks) && l.marks[past].number <= number {
		past++
	}
	l.marks = append(l.marks[:0], l.marks[past:]...)
}

// now returns how many entries are known that are not applied, and for how long the oldest of them has been.
func (l *lag) now(now time.Duration) (entries int64, age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.marks) == 0 {
		return 0, 0
	}
	return l.marks[len(l.marks)-1].number - l.applied, now - l.marks[0].at
}
