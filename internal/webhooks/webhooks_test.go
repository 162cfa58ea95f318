package webhooks

import (
	"net/http"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

func TestWants(t *testing.T) {
	created := store.Head{Type: "tokens", Action: "token_created"}
	for _, test := range []struct {
		types []string
		want  bool
	}{
		{nil, true}, {[]string{"tokens"}, true}, {[]string{"login", "tokens/token_created"}, true},
		{[]string{"tokens/token_revoked"}, false}, {[]string{"token"}, false}, {[]string{"tokens/token"}, false}, {[]string{"token_created"}, false},
	} {
		if wants(test.types, created) != test.want {
			t.Errorf("%q: want %v", test.types, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := counterfoil.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for value, want := range map[string]int64{
		"": 0, "120": 120, "-5": 0, "soon": 0, "1000000000": mostAfter, "1.5": 0,
		now.Plus(90).Time().Format(http.TimeFormat): 90, now.Plus(-90).Time().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %d seconds, want %d", value, got, want)
		}
	}
}

// A delivery is tried for about a day.
func TestPauses(t *testing.T) {
	d, last := &try{Delivery: store.Delivery{Status: counterfoil.DeliveryPending}}, counterfoil.Instant(0)
	for n := 1; d.Status == counterfoil.DeliveryPending; n++ {
		d.at = max(d.NextAt, 1)
		last = d.at
		d.noteFailure()
		if d.Attempts != int64(n) || d.LastAt != d.at {
			t.Fatalf("attempt %d: %+v", n, d.Delivery)
		}
	}
	if hours := int64(last) / (3600 * 1_000_000); d.Status != counterfoil.DeliveryFailed || hours < 24 || hours > 30 {
		t.Errorf("it is %s after %d attempts in %d hours", d.Status, d.Attempts, hours)
	}
}
