package counterfoil

import (
	"math"
	"testing"
	"time"
)

func TestInstantPlus(t *testing.T) {
	for _, c := range []struct {
		from    Instant
		seconds int64
		want    Instant
	}{
		{0, 0, 0},
		{5, 2, 2_000_005},
		{2_000_005, -2, 5},
		{1, math.MaxInt64, math.MaxInt64},
		{math.MaxInt64 - 5, 1, math.MaxInt64},
		{math.MinInt64 + 5, 1, math.MinInt64 + 1_000_005},
		{math.MinInt64 + 5, -1, math.MinInt64},
		{-1, math.MinInt64, math.MinInt64},
	} {
		if got := c.from.Plus(c.seconds); got != c.want {
			t.Errorf("%d plus %d s = %d, want %d", c.from, c.seconds, got, c.want)
		}
	}
}

func TestInstantKeepsMicroseconds(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_012_345, time.FixedZone("x", 3600))
	if got, want := At(at).Time(), at.UTC().Truncate(time.Microsecond); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("%v, want %v", got, want)
	}
	if At(time.Time{}) != 0 || Instant(0).Ptr() != nil || !Instant(0).Time().IsZero() {
		t.Error("zero is not none")
	}
}
