package store

import "testing"

// What was noted while a renewal was on its way is asked for by the next one, also where no more are kept.
func TestAnsweredWhileFull(t *testing.T) {
	var a answered
	for n := range int64(maxAnswered) {
		a.note(head{number: n + 1, hash: []byte{1}})
	}
	asked, _ := a.all()
	a.note(head{number: maxAnswered + 1, hash: []byte{1}})
	a.seen(len(asked), maxAnswered+1)
	if left, _ := a.all(); len(left) != 1 {
		t.Errorf("the end that nobody has asked for is forgotten: %v", left)
	}
}
