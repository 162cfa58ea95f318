package api

import "testing"

// Customers who hold every place of theirs keep no verifier from its own.
func TestPlaces(t *testing.T) {
	a := &API{}
	n := 0
	for ; a.waiting.enter(); n++ {
	}
	if n != mostWaiting || !a.fed.enter() {
		t.Errorf("%d have entered, and a verifier is kept out", n)
	}
	a.waiting.leave()
	if !a.waiting.enter() || a.waiting.enter() {
		t.Error("a place that was given back is not one place")
	}
}
