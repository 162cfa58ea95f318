package console

import (
	"testing"
	"time"
)

// A token that was revoked before today says on which day.
func TestMoment(t *testing.T) {
	at := time.Date(2026, 11, 27, 0, 2, 11, 204e6, time.FixedZone("", 3600)) // on the 26th
	for now, want := range map[time.Time]string{
		at.Add(time.Second):   "at 23:02:11.204 UTC",
		at.Add(2 * time.Hour): "on 26 November 2026 at 23:02:11.204 UTC",
	} {
		if got := moment(now, at); got != want {
			t.Errorf("at %v it says %q, want %q", now, got, want)
		}
	}
}
