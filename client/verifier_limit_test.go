package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/verifiers"
)

// said is what a logger wrote.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A process for which its token has no place says so, and asks about each check.
func TestVerifierWithoutAPlace(t *testing.T) {
	s := counterfoiltest.Start(t)
	report := counterfoil.VerifierReport{LeaseMS: 10_000}
	for i := range verifiers.MostOfOne {
		must(s.System().ReportVerifier(t.Context(), fmt.Sprintf("ver_%020d", i), report))(t)
	}
	_, err := s.System().ReportVerifier(t.Context(), fmt.Sprintf("ver_%020d", verifiers.MostOfOne), report)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != 429 || refused.RetryAfter <= 0 || refused.Err.Code != counterfoil.CodeRateLimited {
		t.Errorf("one more is refused with %v", err)
	}
	log := &said{}
	v := must(client.NewVerifier(s.System(), client.VerifierConfig{Logger: slog.New(slog.NewTextHandler(log, nil))}))(t)
	t.Cleanup(v.Close)
	eventually(t, "it says so", func() bool { return strings.Contains(log.String(), "Give further ones another system token.") })
	got, err := v.Verify(t.Context(), s.Token(t, "devices:read").Secret, counterfoil.Attempt{})
	if err != nil || !got.Active || goesByMemory(v) || v.Tokens() != 0 {
		t.Errorf("a check is %+v (%v), with %d values remembered", got, err, v.Tokens())
	}
}
