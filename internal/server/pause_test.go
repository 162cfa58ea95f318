package server

import (
	"errors"
	"testing"
	"time"
)

// TestPauseAfter: what reads the whole log does not do so each second for as long as it fails.
func TestPauseAfter(t *testing.T) {
	attempts, pause := 0, time.Duration(0)
	for spent := time.Duration(0); spent < time.Hour; spent += pause {
		attempts++
		if pause = pauseAfter(errors.New("the disk is full"), pause, false); attempts == 1 && pause >= time.Second {
			t.Errorf("the first pause is %v", pause)
		}
	}
	if attempts > 80 {
		t.Errorf("%d attempts in an hour", attempts)
	}
	if pause = pauseAfter(errors.New("the disk is full"), pause, true); pause > 5*time.Second {
		t.Errorf("where the log may be another the pause is %v", pause)
	}
	if pause = pauseAfter(nil, pause, true); pause != 0 {
		t.Errorf("after success the pause is %v", pause)
	}
}
