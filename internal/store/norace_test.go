//go:build !race

package store

import "testing"

// The model test of the conformance suite with ten times its questions: the race detector, which makes it four times as
// slow, has seen all there is to see of it with a tenth.
func TestLogIsFoundAsTheModelFindsIt(t *testing.T) {
	each(t, func(t *testing.T, config Config) { findEvents(t, open(t, config), 60) })
}
