package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

// expiry is when something ends: after a while, at a time, or never. The zero expiry was not given.
type expiry struct {
	given bool
	in    time.Duration
	at    time.Time
	never bool
}

// UnmarshalText reads 90d, 12h, 30m, a time of RFC 3339, a day (its beginning in UTC), or never.
func (e *expiry) UnmarshalText(text []byte) (err error) {
	word := string(text)
	*e = expiry{given: true, never: word == "never"}
	if e.never {
		return nil
	}
	if e.in, err = parseDuration(word); err == nil {
		return nil
	}
	if e.at, err = time.Parse(time.DateOnly, word); err == nil {
		return nil
	}
	if e.at, err = time.Parse(time.RFC3339, word); err != nil {
		return errors.New("want 90d, 12h, 30m, a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z, or never")
	}
	return nil
}

// time is when it ends, counted from now; the zero time: never.
func (e expiry) time(now time.Time) time.Time {
	if e.in > 0 {
		return now.Add(e.in).Truncate(time.Second)
	}
	return e.at
}

// of puts it into the draft of a token; one that was not given, or never, leaves the draft without.
func (e expiry) of(d *counterfoil.Draft) {
	switch {
	case e.in > 0:
		life := int64(e.in / time.Second)
		d.ExpiresIn = &life
	case e.given && !e.never:
		d.ExpiresAt = &e.at
	}
}

// seconds is how long the value before a rotation goes on, up to a week; 0 is not at all.
type seconds int64

// UnmarshalText reads 7d, 12h, 30m, 45s, sums of them such as 1d12h, none, 0 or 0s.
func (d *seconds) UnmarshalText(text []byte) error {
	if *d = 0; string(text) == "none" || nothing.Match(text) {
		return nil
	}
	parsed, err := parseDuration(string(text))
	if parsed > 7*24*time.Hour {
		return errors.New("7 days (7d) are the most")
	}
	*d = seconds(parsed / time.Second)
	return err
}

// nothing is a length of time that is none.
var nothing = regexp.MustCompile(`^0+[wdhms]?$`)

// lifetime is how long tokens may live, in seconds; 0 is without limit, which is said as none alone.
type lifetime int64

// UnmarshalText reads 365d, 12h, 30m, 45s, sums of them such as 1d12h, or none.
func (l *lifetime) UnmarshalText(text []byte) error {
	if *l = 0; string(text) == "none" {
		return nil
	}
	if nothing.Match(text) {
		return errors.New("a lifetime is a second at least; for none at all say none")
	}
	parsed, err := parseDuration(string(text))
	*l = lifetime(parsed / time.Second)
	return err
}

// moment is a time in the past, or so long ago. The zero moment was not given.
type moment struct {
	ago time.Duration
	at  time.Time
}

// UnmarshalText reads 24h, 7d, a time of RFC 3339, or a day (its beginning in UTC).
func (m *moment) UnmarshalText(text []byte) error {
	var e expiry
	if err := e.UnmarshalText(text); err != nil || e.never {
		return errors.New("want 24h or 7d ago, or a time such as 2027-01-31 (UTC) or 2027-01-31T09:00:00Z")
	}
	*m = moment{e.in, e.at}
	return nil
}

// time is when that was, seen from now; the zero time: it was not given.
func (m moment) time(now time.Time) time.Time {
	if m.ago > 0 {
		return now.Add(-m.ago)
	}
	return m.at
}

var errDuration = errors.New("want a length of time such as 90d, 12h, 30m or 1d12h")

// parseDuration reads whole weeks, days, hours, minutes and seconds, up to the 292 years that a Duration holds.
func parseDuration(word string) (total time.Duration, err error) {
	for rest := word; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 {
			return 0, errDuration
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		unit := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}[rest[i]]
		if err != nil || unit == 0 || n > int64((1<<63-1-total)/unit) {
			return 0, errDuration
		}
		total += time.Duration(n) * unit
		rest = rest[i+1:]
	}
	if total <= 0 {
		return 0, errDuration
	}
	return total, nil
}

// lasts says a length of time in the largest unit that fits: "90 days"; none for nil.
func lasts(seconds *int64, none string) string {
	if seconds == nil {
		return none
	}
	n := *seconds
	for _, unit := range []struct {
		noun    string
		seconds int64
	}{{"day", 24 * 60 * 60}, {"hour", 60 * 60}, {"minute", 60}} {
		if n%unit.seconds == 0 {
			return count(int(n/unit.seconds), unit.noun)
		}
	}
	return count(int(n), "second")
}
