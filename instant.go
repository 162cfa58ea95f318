package counterfoil

import "time"

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

// Plus adds whole seconds. A result past the representable range is cut to it.
func (i Instant) Plus(seconds int64) Instant {
	const limit = int64(1<<63 - 1)
	if seconds > (limit-int64(i))/1e6 {
		return Instant(limit)
	}
	return i + Instant(seconds*1e6)
}
