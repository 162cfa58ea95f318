package client_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *logged) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *logged) holds(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// Whoever reads the log learns why a verifier does not follow its server now, not only why it did not at first.
func TestVerifierSaysWhatIsWrongNow(t *testing.T) {
	s, cable, log := counterfoiltest.Start(t), &line{}, &logged{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	own, err := s.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "verifier", Permissions: []string{"counterfoil.tokens:verify"}})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(s.URL, own.Secret, client.WithHTTPClient(&http.Client{Transport: cable}))
	v, err := client.NewVerifier(c, client.VerifierConfig{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	cable.cut.Store(true)
	eventually(t, "the cut is said", func() bool { return log.holds("the line is cut") })
	if _, err := s.System().RevokeToken(t.Context(), client.System, own.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	cable.cut.Store(false)
	eventually(t, "the revocation of its own token is said", func() bool { return log.holds("token_revoked") || log.holds("revoked for good") })
}
