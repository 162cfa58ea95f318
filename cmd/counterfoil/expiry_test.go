package main

import (
	"strings"
	"testing"
	"time"
)

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 5e8, time.UTC)
	for _, test := range []struct {
		text string
		want string // RFC 3339; never; empty: refused
	}{
		{"90d", "2027-02-21T14:00:00Z"},
		{"12h", "2026-11-24T02:00:00Z"},
		{"30m", "2026-11-23T14:30:00Z"},
		{"1d12h", "2026-11-25T02:00:00Z"},
		{"2w", "2026-12-07T14:00:00Z"},
		{"never", "never"},
		{"2027-01-31T00:00:00+02:00", "2027-01-30T22:00:00Z"},
		{"2027-01-31", "2027-01-31T00:00:00Z"},
		{"2027-02-29", ""}, {"", ""}, {"90", ""}, {"d", ""}, {"-1d", ""}, {"0d", ""}, {"1.5d", ""}, {"90 d", ""}, {"1y", ""}, {"Never", ""},
		{"106752d", ""}, {"99999999999999999999d", ""}, {"106751d106751d", ""}, {"9d" + strings.Repeat("9", 40), ""},
	} {
		var e expiry
		err := e.UnmarshalText([]byte(test.text))
		got := ""
		switch {
		case err != nil:
		case e.never:
			got = "never"
		default:
			got = e.time(now).UTC().Format(time.RFC3339)
		}
		if got != test.want {
			t.Errorf("%q is %q (%v), want %q", test.text, got, err, test.want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"90d", "1d12h", "106751d", "106752d", "1w1s", "", "d", "999999999999999999s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err == nil && (d <= 0 || d%time.Second != 0) {
			t.Errorf("%q is %v", text, d)
		}
	})
}

func TestLasts(t *testing.T) {
	for seconds, want := range map[int64]string{90 * 86400: "90 days", 86400: "1 day", 5400: "90 minutes", 7200: "2 hours", 61: "61 seconds"} {
		if got := lasts(&seconds, "none"); got != want {
			t.Errorf("%d s is %q, want %q", seconds, got, want)
		}
	}
	if got := lasts(nil, "none"); got != "none" {
		t.Errorf("nothing is %q", got)
	}
}

// TestZeroLengths: no time at all is a grace like others, and no lifetime.
func TestZeroLengths(t *testing.T) {
	for _, text := range []string{"0", "0s", "0d"} {
		grace, life := seconds(7), lifetime(7)
		if err := grace.UnmarshalText([]byte(text)); err != nil || grace != 0 {
			t.Errorf("a grace of %q is %d (%v)", text, grace, err)
		}
		if err := life.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("a lifetime of %q is %d", text, life)
		}
	}
	life := lifetime(7)
	if err := life.UnmarshalText([]byte("none")); err != nil || life != 0 {
		t.Errorf("none is %d (%v)", life, err)
	}
}
