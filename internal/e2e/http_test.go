package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// request is one that a client writes, byte by byte.
type request struct {
	line    string   // method and target
	headers []string // "Name: value"
	body    string
	from    string // the client's address; empty: 127.0.0.1
}

// response is what came back.
type response struct {
	*http.Response
	Body string
}

// code is that of a problem.
func (r response) code() counterfoil.Code {
	var p struct{ Code counterfoil.Code }
	_ = json.Unmarshal([]byte(r.Body), &p) // no problem, no code
	return p.Code
}

// send writes q to address as it is, which no HTTP client would, and reads the answer.
func send(t testing.TB, address string, q request) response {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	if q.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(q.from)}
	}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	headers := append([]string{"Host: api.example.com", "Connection: close", fmt.Sprint("Content-Length: ", len(q.body))}, q.headers...)
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\n%s\r\n\r\n%s", q.line, strings.Join(headers, "\r\n"), q.body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(q.line, " ")
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", q.line, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s: %v", q.line, err)
	}
	return response{r, string(body)}
}

func bearer(token string) string { return "Authorization: Bearer " + token }
