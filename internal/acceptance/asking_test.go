package acceptance

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// verdict asks about a token as a gateway with a system credential does, and returns the code. More members of the
// question come in pairs: "ip", "endpoint", and "permission", which may repeat.
func (w *world) verdict(t testing.TB, secret string, more ...string) string {
	t.Helper()
	a := w.ask(t, w.SystemToken, "POST /v1/verify", question(secret, more...))
	if a.status != http.StatusOK {
		t.Fatalf("verify: %s\n\t%s", a, a.text())
	}
	return a.at("code")
}

func question(secret string, more ...string) string {
	q := map[string]any{"token": secret}
	var permissions []string
	for i := 0; i < len(more); i += 2 {
		if more[i] == "permission" {
			permissions = append(permissions, more[i+1])
			q["permissions"] = permissions
			continue
		}
		q[more[i]] = more[i+1]
	}
	raw, _ := json.Marshal(q) // strings alone
	return string(raw)
}

// expectVerdict fails the test unless a check gives the wanted code.
func (w *world) expectVerdict(t testing.TB, what, secret, want string, more ...string) {
	t.Helper()
	if got := w.verdict(t, secret, more...); got != want {
		t.Errorf("%s: the check says %s, want %s", what, got, want)
	}
}

// eventually polls until done, and fails the test after a minute: for what the product itself does a little later.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen within a minute", what)
		}
	}
}

// inJSON is s as a JSON string.
func inJSON(s string) string {
	raw, _ := json.Marshal(s) // a string always marshals
	return string(raw)
}
