package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// TestLogKeepsNoCutValue: the log of a server at work masks what was cut off a value, on the API and on the pages.
func TestLogKeepsNoCutValue(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	s := counterfoiltest.Start(t)
	const cut = "cfl_pat_4fZr81bQx0Lm0123456789abcdefgh"
	for _, path := range []string{"/v1/tokens/", "/tokens/"} {
		r, err := http.Get(s.URL + path + cut)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	s.Stop()
	if logs := s.Logs(); strings.Contains(logs, cut[20:]) || !strings.Contains(logs, "path=/v1/tokens/cfl_pat_xxx") || !strings.Contains(logs, "path=/tokens/cfl_pat_xxx") {
		t.Error(logs)
	}
}
