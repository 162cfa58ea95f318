package store

import (
	"testing"
	"time"
)

func TestLag(t *testing.T) {
	var l lag
	expect := func(now time.Duration, entries int64, age time.Duration) {
		t.Helper()
		if e, a := l.now(now); e != entries || a != age {
			t.Errorf("%d entries, for %v; want %d, for %v", e, a, entries, age)
		}
	}
	l.reach(10)
	l.hear(10, 1)
	expect(5, 0, 0)
	l.hear(12, 10)
	l.hear(12, 20)
	l.hear(15, 20)
	l.hear(11, 30)
	expect(30, 5, 20)
	l.reach(11)
	expect(30, 4, 20)
	l.reach(12)
	expect(30, 3, 10)
	l.reach(15)
	expect(30, 0, 0)
	for i := range int64(3 * maxMarks) {
		l.hear(16+i, time.Duration(40+i))
	}
	expect(1000, 3*maxMarks, 960)
	l.reach(15 + maxMarks)
	expect(1000, 2*maxMarks, 1000-40-maxMarks+1)
	l.reach(3) // the database was restored
	expect(1000, 0, 0)
	l.hear(4, 1000)
	expect(1001, 1, 1)
}
