package server

import "testing"

func TestPaceFor(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 400}, {1 << 20, 400}, {64 << 20, 400}, {128 << 20, 200}, {256 << 20, 100}, {4 << 30, 100}} {
		if got := paceFor(c.live); got != c.want {
			t.Errorf("with %d bytes live the percentage is %d, want %d", c.live, got, c.want)
		}
	}
}
