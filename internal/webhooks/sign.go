package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	sealPurpose  = "webhook"
	secretPrefix = "whsec_"
)

// NewSecret makes a signing secret for a webhook: as it is shown once, and as it is kept.
func (s *Sender) NewSecret(webhook string) (shown string, keyID uint8, sealed []byte, err error) {
	raw := make([]byte, 24)
	rand.Read(raw)
	keyID, sealed, err = s.Keys.Seal(sealPurpose, webhook, raw)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw), keyID, sealed, err
}

// signatures signs a message with the webhook's secret and, in its grace, with the one before.
func signatures(keys *secret.Keyring, w *store.Webhook, now counterfoil.Instant, signed []byte) (string, error) {
	kept := []struct {
		keyID  uint8
		sealed []byte
	}{{w.KeyID, w.Sealed}, {w.PreviousKeyID, w.Previous}}
	if w.PreviousKeyID == 0 || now >= w.PreviousUntil {
		kept = kept[:1]
	}
	var out []string
	for _, k := range kept {
		key, err := keys.Unseal(k.keyID, sealPurpose, w.ID, k.sealed)
		if err != nil {
			return "", fmt.Errorf("opening the secret of the webhook %s: %w", w.ID, err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " "), nil
}

// body is what is sent of an event. Standard Webhooks separates the parts of a type by a full stop.
func body(e *counterfoil.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Type      string             `json:"type"`
		Timestamp time.Time          `json:"timestamp"`
		Data      *counterfoil.Event `json:"data"`
	}{e.Type + "." + e.Action, e.Timestamp, e})
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// outcome is what came of an attempt.
type outcome struct {
	at     counterfoil.Instant
	answer int
	fault  string // in words; empty: it was taken
	after  int64  // seconds that the receiver asks to wait
	took   time.Duration
}

// attemptFor is how long a receiver may take.
const attemptFor = 20 * time.Second

// attempt sends an event once. An error means that it could not even be tried.
func (s *Sender) attempt(ctx context.Context, w *store.Webhook, e *counterfoil.Event) (o outcome, err error) {
	text, err := body(e)
	if err != nil {
		return o, fmt.Errorf("encoding the event %s: %w", e.ID, err)
	}
	o.at = s.Store.Now()
	stamp := strconv.FormatInt(o.at.Time().Unix(), 10)
	signed, err := signatures(s.Keys, w, o.at, slicesOf(e.ID, ".", stamp, ".", string(text)))
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(text))
	if err != nil {
		return o, err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Counterfoil"},
		"Webhook-Id": {e.ID}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signed}}
	began := time.Now()
	answer, err := s.Client.Do(r)
	o.took = time.Since(began)
	if err != nil {
		o.fault = outgoing.Explain(r.URL.Hostname(), err)
		return o, nil
	}
	o.answer = answer.Status
	if answer.Status < 200 || answer.Status > 299 {
		o.fault = "It answered " + strconv.Itoa(answer.Status) + " " + http.StatusText(answer.Status) + "."
		o.after = retryAfter(answer.Header.Get("Retry-After"), o.at)
	}
	return o, nil
}

func slicesOf(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

// mostAfter is the longest that a receiver may ask to wait, in seconds.
const mostAfter = 24 * 60 * 60

// retryAfter reads a Retry-After (RFC 9110 section 10.2.3) as seconds; 0: none, or not one.
func retryAfter(value string, now counterfoil.Instant) int64 {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		at, err := http.ParseTime(value)
		if err != nil {
			return 0
		}
		seconds = int64(at.Sub(now.Time()).Seconds())
	}
	return min(max(seconds, 0), mostAfter)
}

// testsAtOnce are the tests that may run at a time, one of each organization.
const testsAtOnce = 8

// Test sends a webhook an event that stands in no log, and says what came of it. rate_limited: a test of the organization's
// is under way, or too many of others' are.
func (s *Sender) Test(ctx context.Context, w store.Webhook) (counterfoil.DeliveryAttempt, error) {
	if _, busy := s.testing.LoadOrStore(w.Organization, true); busy {
		return counterfoil.DeliveryAttempt{}, counterfoil.Refuse(counterfoil.CodeRateLimited, "A test of one of the organization's webhooks is under way. Wait for its end.")
	}
	defer s.testing.Delete(w.Organization)
	if s.tests.Add(1) > testsAtOnce {
		s.tests.Add(-1)
		return counterfoil.DeliveryAttempt{}, counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many tests of webhooks are under way. Try again in a moment.")
	}
	defer s.tests.Add(-1)
	e := counterfoil.Event{ID: store.NewID("evt"), OrganizationID: w.Organization, Type: "integrations", Action: "webhook_test", Timestamp: s.Store.Now().Time(),
		Actor: counterfoil.Actor{Kind: "system"}, Initiator: "test", Target: counterfoil.Target{Kind: "webhook", ID: w.ID, Name: w.Name}, Metadata: json.RawMessage("{}")}
	o, err := s.attempt(ctx, &w, &e)
	return counterfoil.DeliveryAttempt{At: o.at.Time(), Status: o.answer, Error: o.fault, TookMS: float64(o.took.Microseconds()) / 1000}, err
}

// host is where a webhook leads, for a mail: addresses may hold secrets in their path.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
