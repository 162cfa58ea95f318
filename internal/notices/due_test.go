package notices

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func TestDue(t *testing.T) {
	at := func(s string) counterfoil.Instant {
		if s == "" {
			return 0
		}
		v, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return counterfoil.At(v)
	}
	const made, ends = "2026-01-01 10:00", "2026-03-20 18:30"
	for _, test := range []struct {
		name, ends, renewed, now string
		days                     int64
		ok                       bool
	}{
		{"it never ends", "", made, "2026-03-06 12:00", 0, false},
		{"the day before the first notice", ends, made, "2026-03-05 23:59", 0, false},
		{"the first moment of its day", ends, made, "2026-03-06 00:00", 14, true},
		{"later, where nobody was told", ends, made, "2026-03-12 23:59", 14, true},
		{"a week before", ends, made, "2026-03-13 00:00", 7, true},
		{"the day before", ends, made, "2026-03-19 00:00", 1, true},
		{"the last hour", ends, made, "2026-03-20 18:29", 1, true},
		{"the end", ends, made, "2026-03-20 18:30", 0, true},
		{"within three days of it", ends, made, "2026-03-23 18:29", 0, true},
		{"long after", ends, made, "2026-03-23 18:30", 0, false},
		{"made for a week, just now", "2026-01-08 10:00", made, "2026-01-01 10:00", 0, false},
		{"made for a week, on the day before its end", "2026-01-08 10:00", made, "2026-01-07 00:00", 1, true},
		{"made for eight days, on the next day", "2026-01-09 10:00", made, "2026-01-02 10:00", 7, true},
		{"made for an hour, ended", "2026-01-01 11:00", made, "2026-01-01 11:00", 0, false},
		{"made for a day, ended", "2026-01-02 10:00", made, "2026-01-02 10:00", 0, false},
		{"made for a little longer, ended", "2026-01-02 10:01", made, "2026-01-02 10:01", 0, true},
	} {
		days, ok := due(at(test.ends), at(test.renewed), at(test.now))
		if ok != test.ok || ok && days != test.days {
			t.Errorf("%s: %d days, %v; want %d, %v", test.name, days, ok, test.days, test.ok)
		}
	}
}

func TestSpan(t *testing.T) {
	const minute = counterfoil.Instant(60 * 1_000_000)
	for left, want := range map[counterfoil.Instant]string{
		14 * 24 * 60 * minute: "14 days", 2 * 24 * 60 * minute: "2 days", (2*24*60 - 1) * minute: "47 hours", 60 * minute: "one hour", 59 * minute: "less than an hour",
	} {
		if got := span(1000+left, 1000); got != want {
			t.Errorf("%v minutes: %s, want %s", left/minute, got, want)
		}
	}
}
