package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is what came back over the wire.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// wire follows no redirect and adds no header of its own.
var wire = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

// ask sends "METHOD /path" with a token, unless that is empty, and a JSON body, unless that is empty. More headers come in
// pairs; one with an empty value is left out, also where ask would have set it.
func (w *world) ask(t testing.TB, token, line, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		h.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		h.Del(headers[i])
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			h.Add(headers[i], headers[i+1])
		}
	}
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	return send(t, w.URL, method, path, h, content)
}

func send(t testing.TB, base, method, path string, h http.Header, content io.Reader) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, content)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	response, err := wire.Do(r)
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

// ask is world.ask; a path that does not begin with a slash is one of the organization.
func (o *tenant) ask(t testing.TB, token, line, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/v1/organizations/" + o.id + "/" + path
	}
	return o.world.ask(t, token, method+" "+path, body, headers...)
}

// form sends a form body.
func (w *world) form(t testing.TB, token, path string, values url.Values, headers ...string) answer {
	t.Helper()
	return w.ask(t, token, "POST "+path, values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// String is what tables compare: "204", "404 not_found", "422 validation_failed /name /permissions/0:permission_not_held"
// (a code behind a pointer where it is another than the problem's own), "200 ok" and "200 ip_not_allowed" of a verdict,
// "200 inactive" of an introspection.
func (a answer) String() string {
	var b struct {
		Active *bool
		Code   string
		Errors []struct{ Pointer, Code string }
	}
	out := strconv.Itoa(a.status)
	if json.Unmarshal(a.body, &b) != nil {
		return out
	}
	switch {
	case b.Code != "" && (a.status >= 300 || b.Active != nil):
		out += " " + b.Code
	case b.Active != nil && *b.Active:
		out += " active"
	case b.Active != nil:
		out += " inactive"
	}
	var at []string
	for _, e := range b.Errors {
		place := e.Pointer
		if e.Code != b.Code {
			place += ":" + e.Code
		}
		if place != "" {
			at = append(at, place)
		}
	}
	slices.Sort(at)
	return strings.Join(append([]string{out}, at...), " ")
}

// expect fails the test unless the answer is as wanted.
func expect(t testing.TB, what string, a answer, want string) {
	t.Helper()
	if a.String() != want {
		t.Errorf("%s: got %s, want %s\n\t%s", what, a, want, a.text())
	}
}

// must is expect that ends the test.
func must(t testing.TB, what string, a answer, want string) answer {
	t.Helper()
	if a.String() != want {
		t.Fatalf("%s: got %s, want %s\n\t%s", what, a, want, a.text())
	}
	return a
}

func (a answer) text() string { return string(bytes.TrimSpace(a.body)) }

// at is the member of the body at a path such as "token.permissions.0": a string as it is, null as "null", what is absent
// as "absent", anything else as JSON.
func (a answer) at(path string) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "no JSON"
	}
	for step := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			var there bool
			if v, there = node[step]; !there {
				return "absent"
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(node) {
				return "absent"
			}
			v = node[i]
		default:
			return "absent"
		}
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// expectAt fails the test unless a member of the body is as wanted.
func expectAt(t testing.TB, what string, a answer, path, want string) {
	t.Helper()
	if got := a.at(path); got != want {
		t.Errorf("%s: %s is %s, want %s", what, path, got, want)
	}
}

// count is the length of the list at a path.
func (a answer) count(path string) int {
	for n := 0; ; n++ {
		if a.at(fmt.Sprintf("%s.%d", path, n)) == "absent" {
			return n
		}
	}
}
