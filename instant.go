package counterfoil

import (
	"math"
	"time"
)

// Instant is a moment in Unix microseconds, the resolution at which everything is stored and judged. Zero means none.
type Instant int64

// At converts t, cutting it to a microsecond. The zero time is the zero Instant.
func At(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMicro())
}

// Time converts i to UTC. The zero Instant is the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// Ptr is Time for a field that may be null: nil for the zero Instant.
func (i Instant) Ptr() *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

// Plus adds whole seconds. A result past the representable range is cut to its end.
func (i Instant) Plus(seconds int64) Instant {
	const last, second = Instant(math.MaxInt64), int64(1_000_000)
	switch {
	case seconds > math.MaxInt64/second:
		return last
	case seconds < math.MinInt64/second:
		return math.MinInt64
	}
	sum := i + Instant(seconds*second)
	switch {
	case seconds > 0 && sum < i:
		return last
	case seconds < 0 && sum > i:
		return math.MinInt64
	}
	return sum
}
