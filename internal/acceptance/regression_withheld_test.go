package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// withheld is a request whose headers the server has judged, and whose body it waits for.
type withheld struct {
	conn   net.Conn
	answer *bufio.Reader
	rest   string
}

// withhold sends a request up to the middle of its body. It returns once the server reads the body: that is when it says
// "100 Continue" (RFC 9110 section 10.1.1), after it has looked at the credential.
func (o *tenant) withhold(t *testing.T, token, line, body string) *withheld {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/v1/organizations/" + o.id + "/" + path
	}
	address := strings.TrimPrefix(o.URL, "http://")
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(25 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
		method, path, address, token, len(body))
	if err != nil {
		t.Fatal(err)
	}
	w := &withheld{conn, bufio.NewReader(conn), body[len(body)/2:]}
	if first, err := w.answer.ReadString('\n'); err != nil || !strings.Contains(first, " 100 ") {
		t.Fatalf("%s: the server does not wait for the body: %q, %v", line, first, err)
	}
	if _, err := w.answer.ReadString('\n'); err != nil { // the empty line
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	return w
}

// finish sends what is left of the body.
func (w *withheld) finish(t *testing.T) answer {
	t.Helper()
	if _, err := io.WriteString(w.conn, w.rest); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(w.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, text}
}

// rotatedWhileWithheld: a value that has died while its request was under way changes nothing more.
func rotatedWhileWithheld(t *testing.T, o *tenant) {
	writes := []string{counterfoil.PermTokensRead, counterfoil.PermTokensWrite, "devices:read"}
	for _, kind := range []struct {
		name string
		make func() made
	}{
		{"organization", func() made { return o.orgToken(t, writes...) }},
		{"personal", func() made { return o.personal(t, o.owner, writes...) }},
	} {
		for _, test := range []struct{ name, line, body, ok string }{
			{"rotate itself", "POST tokens/{own}/rotate", `{"grace_seconds":3600}`, "200"},
			{"rotate another", "POST tokens/{other}/rotate", `{"grace_seconds":0}`, "200"},
			{"create", "POST tokens", `{"kind":"organization","name":"by a dead value"}`, "201"},
			{"edit itself", "PATCH tokens/{own}", `{"name":"by a dead value"}`, "200"},
			{"edit another", "PATCH tokens/{other}", `{"name":"by a dead value"}`, "200"},
			{"revoke another", "DELETE tokens/{other}", `{"reason":"by a dead value"}`, "200"},
			{"revoke itself", "DELETE tokens/{own}", `{"reason":"by a dead value"}`, "200"},
			{"revoke what is presented", "DELETE /v1/tokens/current", `{"reason":"by a dead value"}`, "200"},
		} {
			what := kind.name + ", " + test.name
			other := o.orgToken(t, "devices:read")
			own := kind.make()
			line := strings.NewReplacer("{own}", own.id, "{other}", other.id).Replace(test.line)
			request := o.withhold(t, own.secret, line, test.body)
			rotated := must(t, what, o.ask(t, o.token, "POST tokens/"+own.id+"/rotate", `{"grace_seconds":0}`), "200")
			expect(t, what, request.finish(t), "401 token_revoked")
			o.expectVerdict(t, what+": the new value", rotated.at("secret"), "ok")
			o.expectVerdict(t, what+": the old value", own.secret, "token_revoked")
			o.expectVerdict(t, what+": the other token", other.secret, "ok", "permission", "devices:read")

			alive := kind.make() // the same, when nobody rotates: the test can tell
			line = strings.NewReplacer("{own}", alive.id, "{other}", o.orgToken(t, "devices:read").id).Replace(test.line)
			expect(t, what+", undisturbed", o.withhold(t, alive.secret, line, strings.Replace(test.body, "dead", "live", 1)).finish(t), test.ok)
		}
	}
	if n := o.ask(t, o.token, "GET tokens?limit=200&q=by+a+dead+value", "").count("data"); n != 0 {
		t.Errorf("%d tokens were named by a value that had died", n)
	}
	if n := o.ask(t, o.token, "GET tokens?limit=200&q=by+a+live+value", "").count("data"); n != 6 {
		t.Errorf("%d tokens were named by a value in force, want 6", n)
	}
}
