package server_test

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// metric reads one number of /metrics; -1: it is not there.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	r, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLogMetrics: each entry of the log is measured at each node, whichever wrote it, and nothing is left behind.
func TestLogMetrics(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	s := counterfoiltest.Start(t, counterfoiltest.WithDatabaseURL(postgrestest.NewDatabase(t)))
	measured, applied := metric(t, s.AdminURL, "counterfoil_log_apply_seconds_count"), metric(t, s.AdminURL, "counterfoil_log_applied")
	if measured < 0 {
		t.Fatal("there is no counterfoil_log_apply_seconds")
	}
	for range 3 {
		s.Token(t, "devices:read")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		n := metric(t, s.AdminURL, "counterfoil_log_applied") - applied
		entries, age := metric(t, s.AdminURL, "counterfoil_log_lag_entries"), metric(t, s.AdminURL, "counterfoil_log_lag_seconds")
		more := metric(t, s.AdminURL, "counterfoil_log_apply_seconds_count") - measured
		if n >= 3 && more >= 3 && entries == 0 && age == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v entries were applied, %v measured; %v are left, for %v s", n, more, entries, age)
		}
	}
	if sum := metric(t, s.AdminURL, "counterfoil_log_apply_seconds_sum"); sum <= 0 {
		t.Errorf("they took %v s", sum)
	}
}
