package server_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
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

// outageIsCounted asks s, which cannot know, at every surface: each question is a check of which nobody knew.
func outageIsCounted(t *testing.T, s *counterfoiltest.Server) {
	t.Helper()
	count := func(surface, code string) float64 {
		return metric(t, s.AdminURL, fmt.Sprintf("counterfoil_checks_total{code=%q,surface=%q}", code, surface))
	}
	question := `{"token":"` + s.OwnerToken + `"}`
	for _, ask := range []struct{ surface, method, path, kind, body string }{
		{"authorize", "GET", "/v1/authorize", "", ""},
		{"verify", "POST", "/v1/verify", "application/json", question},
		{"batch", "POST", "/v1/verify/batch", "application/json", `{"questions":[` + question + `]}`},
		{"introspect", "POST", "/oauth2/introspect", "application/x-www-form-urlencoded", "token=" + s.OwnerToken},
	} {
		before := count(ask.surface, "unavailable")
		if status := sendTo(t, s, ask.method, ask.path, s.SystemToken, ask.kind, ask.body); status != 503 {
			t.Errorf("%s: %d", ask.surface, status)
		}
		if n := count(ask.surface, "unavailable") - before; before < 0 || n != 1 {
			t.Errorf("%s: a check of which nobody knew is counted %v times, from %v on", ask.surface, n, before)
		}
	}
	before := count("authorize", "missing_credentials")
	if status := sendTo(t, s, "GET", "/v1/authorize", "", "", ""); status != 401 {
		t.Errorf("without a credential: %d", status)
	}
	if n := count("authorize", "missing_credentials") - before; n != 1 {
		t.Errorf("a request without a credential is counted %v times", n)
	}
}

// sendTo asks the API and returns the status.
func sendTo(t *testing.T, s *counterfoiltest.Server, method, path, token, kind, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {kind}}
	if token == "" {
		delete(r.Header, "Authorization")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}
