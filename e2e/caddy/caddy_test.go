// Package main_test runs a real Caddy with forward_auth between a client and an API, and a real Counterfoil beside it.
package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// world is a client's way to the API, and what came to the API.
type world struct {
	t       *testing.T
	address string // of Caddy
	api     string // of Counterfoil
	system  string
	came    []*http.Request
}

// send writes a request as it is, from an address of this machine, and returns the answer with its body.
func (w *world) send(address, from, line string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	body := ""
	if n := len(headers); n > 0 && strings.HasPrefix(headers[n-1], "{") {
		body, headers = headers[n-1], append(headers[:n-1:n-1], "Content-Type: application/json")
	}
	headers = append([]string{"Host: " + address, "Connection: close", fmt.Sprint("Content-Length: ", len(body))}, headers...)
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\n%s\r\n\r\n%s", line, strings.Join(headers, "\r\n"), body); err != nil {
		w.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	method, _, _ := strings.Cut(line, " ")
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	return r, string(text)
}

// manage asks Counterfoil as the system.
func (w *world) manage(line, body string) (answer struct {
	ID, Secret string
	Token      struct{ ID string }
}) {
	w.t.Helper()
	r, text := w.send(w.api, "127.0.0.1", line, "Authorization: Bearer "+w.system, body)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || r.StatusCode >= 300 {
		w.t.Fatalf("%s: %d %s", line, r.StatusCode, text)
	}
	return answer
}

// expect sends a request to the API and looks at the answer: "" is one of the API, else the code of a refusal.
func (w *world) expect(from, line string, status int, code string, headers ...string) {
	w.t.Helper()
	w.came = nil
	r, text := w.send(w.address, from, line, headers...)
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(text), &p) // no problem, no code
	opened := status == 200
	if r.StatusCode != status || p.Code != code || opened != (len(w.came) == 1) {
		w.t.Errorf("%s from %s: %d %s, and %d came to the API; want %d %q", line, from, r.StatusCode, text, len(w.came), status, code)
	}
	if challenge := r.Header.Values("WWW-Authenticate"); status == 401 && len(challenge) != 1 {
		w.t.Errorf("%s: WWW-Authenticate is %q", line, challenge)
	}
}

func TestForwardAuth(t *testing.T) {
	w := &world{t: t, address: freeAddress(t), api: freeAddress(t)}
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w.came = append(w.came, r) }))
	defer upstream.Close()
	data := filepath.Join(t.TempDir(), "data")
	w.system = setUp(t, data)
	serve := func() func() {
		return start(t, w.api, counterfoil, "serve", "--data", data, "--listen", w.api, "--admin-listen", "-", "--trusted-proxies", "127.0.0.0/8")
	}
	stop := serve()
	start(t, w.address, caddy, caddyfile(t, w.address, w.api, strings.TrimPrefix(upstream.URL, "http://")))

	const tokens = "/v1/organizations/acme/tokens"
	made := w.manage("POST "+tokens, `{"kind":"organization","name":"a","permissions":["devices:read"]}`)
	bearer := "Authorization: Bearer " + made.Secret
	const here = "127.0.0.1"
	w.expect(here, "GET /api/devices/7", 200, "", bearer, "X-Token-Id: forged", "X-Owner-Id: forged", "x-organization-id: forged", "X-Original-URI: /api/sites", "X-Forwarded-Uri: /api/sites", "X-Forwarded-Method: DELETE")
	h := w.came[0].Header
	if h.Get("X-Token-Id") != made.Token.ID || !strings.HasPrefix(h.Get("X-Organization-Id"), "org_") || h.Get("X-Token-Permissions") != "devices:read" {
		t.Errorf("the API is told %v", h)
	}
	if text := fmt.Sprint(h); strings.Contains(text, "forged") || strings.Contains(text, made.Secret) {
		t.Errorf("the API sees %v", h)
	}
	w.expect(here, "HEAD /api/devices/7", 200, "", "X-API-Key: "+made.Secret)
	w.expect(here, "DELETE /api/devices/7", 403, "missing_permission", bearer)
	w.expect(here, "GET /api/admin?permission=devices:read", 403, "missing_permission", bearer)
	w.expect(here, "GET /api/devices/7", 401, "missing_credentials")
	w.expect(here, "GET /api/devices/7", 401, "invalid_token", bearer+"x")
	for _, path := range []string{"/api/devices/..%2fadmin", "/api/devices/%2e%2e/admin", "/api/devices/../admin", "//api/admin", "/api//admin", `/api/devices/..\admin`, "/api/devices/%252e%252e/admin", "/api/devices/..;/admin"} {
		w.expect(here, "GET "+path, 403, "missing_permission", bearer)
	}

	filter := w.manage("POST /v1/organizations/acme/ip-filters", `{"name":"office","rules":"allow 127.0.0.2\ndeny all"}`)
	inside := "Authorization: Bearer " + w.manage("POST "+tokens, `{"kind":"organization","name":"b","permissions":["devices:read"],"ip_filter":"`+filter.ID+`"}`).Secret
	w.expect("127.0.0.2", "GET /api/devices/7", 200, "", inside)
	// Clients come from a network that Counterfoil believes here, as they must not; Caddy passes on no word of theirs all the same.
	for _, from := range []string{"127.0.0.1", "127.0.0.3"} {
		w.expect(from, "GET /api/devices/7", 403, "ip_not_allowed", inside, "X-Forwarded-For: 127.0.0.2")
	}

	w.manage("DELETE "+tokens+"/"+made.Token.ID, "")
	w.expect(here, "GET /api/devices/7", 401, "token_revoked", bearer)
	stop()
	w.expect("127.0.0.2", "GET /api/devices/7", 502, "", inside)
	serve()
	w.expect("127.0.0.2", "GET /api/devices/7", 200, "", inside)
}
