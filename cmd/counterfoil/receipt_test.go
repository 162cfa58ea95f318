package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestInForce: a change that a stopped node only waited out is not said to be in force on every node.
func TestInForce(t *testing.T) {
	const nodes = `"nodes":[{"id":"node_1","confirmed_in_ms":2},{"id":"node_2","confirmed_in_ms":null,"fenced":true}]`
	for _, test := range []struct {
		name, state   string
		status        int
		receipt, want string
	}{
		{"a node stopped answering", "complete", 200, `{"id":"rcp_1","revoked_at":"2026-01-02T03:04:05Z","complete":true,` + nodes + `}`,
			"Confirmed by 1 of 2 nodes, slowest 2.0 ms. 1 could not confirm and stopped answering. Receipt rcp_1."},
		{"the receipt is not for the token any more", "complete", 401, `{"code":"token_revoked"}`,
			"In force: every node has confirmed it or stopped answering. Receipt rcp_1."},
		{"another node has still to write it", "complete", 200, `{"id":"rcp_1","revoked_at":"2026-01-02T03:04:05Z","complete":false,"nodes":[]}`,
			"In force: every node has confirmed it or stopped answering. Receipt rcp_1."},
		{"pending", "pending", 200, `{"id":"rcp_1","revoked_at":"2026-01-02T03:04:05Z","complete":false,"nodes":[]}`,
			"Not every node has confirmed yet: counterfoil receipt show rcp_1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.URL.Path == "/v1/receipts/rcp_1" {
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.receipt))
					return
				}
				w.Header().Set("Counterfoil-Receipt", "rcp_1; "+test.state+"; took=2000ms")
				_, _ = w.Write([]byte(`{"id":"org_1","name":"Acme","slug":"acme"}`))
			}))
			defer server.Close()
			env := []string{"COUNTERFOIL_URL=" + server.URL, "COUNTERFOIL_TOKEN=cfl_pat_x"}
			var out, err strings.Builder
			status := run(t.Context(), []string{"organization", "edit", "--name", "Acme"}, env, strings.NewReader(""), &out, &err)
			if status != done || !strings.HasSuffix(err.String(), test.want+"\n") || strings.Contains(err.String(), "on every node") {
				t.Errorf("status %d, said %q, want %q", status, err.String(), test.want)
			}
		})
	}
}
