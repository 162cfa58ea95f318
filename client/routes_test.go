package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// row is a method of Client, the route that it is for, and a use of it that works.
type row struct {
	method, route string
	use           func(*testing.T, *world)
}

// world is a server with two clients whose every request has to be one of the route under test. What prepares a use goes
// through the server's own clients.
type world struct {
	*counterfoiltest.Server
	owner, system *client.Client
	seen          *recorder
}

// as is a recorded client with any token.
func (w *world) as(token string) *client.Client { return w.owner.As(token) }

// TestRoutes uses every method of Client on a real server, and holds methods, routes and what they send against the
// document that the server serves.
func TestRoutes(t *testing.T) {
	w := &world{Server: counterfoiltest.Start(t, counterfoiltest.WithConfig(func(c *server.Config) { c.OutgoingAllow = []string{"127.0.0.0/8"} }))}
	doc := readDocument(t, must(w.Client().OpenAPI(t.Context()))(t))
	w.seen = &recorder{mux: doc.mux(), sent: map[string]*sent{}}
	w.owner = client.New(w.URL, w.OwnerToken, client.WithHTTPClient(&http.Client{Transport: w.seen}))
	w.system = w.owner.As(w.SystemToken)
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()

	covered := map[string]bool{}
	rows := slices.Concat(tokenRows, systemTokenRows, checkRows, ruleRows, catalogueRows, peopleRows, webhookRows, consoleRows, organizationRows, providerRows, usageRows, eventRows, activityRows, exportRows, verifierRows)
	for _, r := range rows {
		covered[r.method] = true
		t.Run(r.method+" "+r.route, func(t *testing.T) {
			before := w.seen.begin()
			r.use(t, w)
			routes := w.seen.since(before)
			if len(routes) == 0 || slices.ContainsFunc(routes, func(route string) bool { return route != r.route }) {
				t.Errorf("it called %q, want only %s", routes, r.route)
			}
		})
	}

	t.Run("every method has a route", func(t *testing.T) {
		local := []string{"As", "BaseURL", "Format", "LogValue", "String"}
		for m := range reflect.TypeFor[*client.Client]().Methods() {
			if !covered[m.Name] && !slices.Contains(local, m.Name) {
				t.Errorf("the method %s is not in the table of routes", m.Name)
			}
		}
	})
	t.Run("every route has a method", func(t *testing.T) {
		for route, documented := range doc.routes {
			got := w.seen.sent[route]
			if got == nil {
				t.Errorf("no method calls %s", route)
				continue
			}
			same(t, route, "query parameters and headers", got.params, documented.params)
			same(t, route, "members of the body", got.members, documented.members)
			if documented.receipt && !got.receipt {
				t.Errorf("%s: no answer had a receipt", route)
			}
		}
	})
	t.Run("no secret is logged", func(t *testing.T) {
		logs := w.Logs()
		if !strings.Contains(logs, "/v1/tokens/current") {
			t.Fatalf("the log has no requests:\n%.2000s", logs)
		}
		if len(w.seen.secrets) < 5 {
			t.Fatalf("only %d secrets were seen", len(w.seen.secrets))
		}
		for _, secret := range append(w.seen.secrets, w.OwnerToken, w.SystemToken) {
			hidden, webhook := strings.CutPrefix(secret, "whsec_")
			if !webhook {
				hidden = secret[len("cfl_pat_")+12:][:30]
			}
			if strings.Contains(logs, hidden) {
				t.Errorf("the server logs the secret of a token")
			}
		}
	})
}

// unsent is what the document lists and the client has no use for.
var unsent = []string{
	"token_type_hint", // RFC 7662 and RFC 7009: optional, and the server needs no hint
	"kind",            // of a policy: the path names it
	"allow_lock_out",  // of a preview: it saves nothing
}

func same(t *testing.T, route, what string, got, want map[string]bool) {
	t.Helper()
	for name := range want {
		if !got[name] && !slices.Contains(unsent, name) {
			t.Errorf("%s: of the documented %s, %q is never sent", route, what, name)
		}
	}
	for name := range got {
		if !want[name] {
			t.Errorf("%s: of the %s sent, %q is not documented", route, what, name)
		}
	}
}

// document is what the tests need of an OpenAPI document.
type document struct {
	routes map[string]sent // by "METHOD /path"
}

// sent is what requests of one route carry, or may.
type sent struct {
	params, members map[string]bool
	receipt         bool
}

func readDocument(t *testing.T, text []byte) document {
	t.Helper()
	type schema struct {
		Ref        string                     `json:"$ref"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var raw struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
			Responses map[string]struct{ Headers map[string]any }
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	d := document{map[string]sent{}}
	for path, operations := range raw.Paths {
		for method, op := range operations {
			s := sent{params: map[string]bool{}, members: map[string]bool{}}
			for _, p := range op.Parameters {
				if p.In != "path" {
					s.params[p.Name] = true
				}
			}
			for _, content := range op.RequestBody.Content {
				body := content.Schema
				if body.Ref != "" {
					body = raw.Components.Schemas[strings.TrimPrefix(body.Ref, "#/components/schemas/")]
				}
				for name := range body.Properties {
					s.members[name] = true
				}
			}
			for _, answer := range op.Responses {
				s.receipt = s.receipt || answer.Headers["Counterfoil-Receipt"] != nil
			}
			d.routes[strings.ToUpper(method)+" "+path] = s
		}
	}
	if len(d.routes) < 40 {
		t.Fatalf("the document has only %d routes", len(d.routes))
	}
	return d
}

// mux finds the route of a request.
func (d document) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for route := range d.routes {
		mux.Handle(route, http.NotFoundHandler())
	}
	return mux
}

// recorder notes what passes through it, by route.
type recorder struct {
	mux     *http.ServeMux
	calls   []string // routes, in order
	sent    map[string]*sent
	secrets []string
}

func (r *recorder) begin() int { return len(r.calls) }

func (r *recorder) since(n int) []string { return r.calls[n:] }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	_, route := r.mux.Handler(q)
	if route == "" {
		route = q.Method + " " + q.URL.Path
	}
	s := r.sent[route]
	if s == nil {
		s = &sent{params: map[string]bool{}, members: map[string]bool{}}
		r.sent[route] = s
	}
	r.calls = append(r.calls, route)
	for name := range q.URL.Query() {
		s.params[name] = true
	}
	for _, name := range []string{"Idempotency-Key", "If-Match"} {
		if q.Header.Get(name) != "" {
			s.params[name] = true
		}
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q = q.Clone(q.Context())
	q.URL.RawQuery = strings.Replace(q.URL.RawQuery, "limit=200", "limit=2", 1) // so that short lists have pages too
	q.Body = io.NopCloser(bytes.NewReader(body))
	var members map[string]any
	if form, err := url.ParseQuery(string(body)); err == nil && strings.HasSuffix(q.Header.Get("Content-Type"), "urlencoded") {
		for name := range form {
			s.members[name] = true
		}
	} else if json.Unmarshal(body, &members) == nil {
		for name := range maps.Keys(members) {
			s.members[name] = true
		}
	}
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	s.receipt = s.receipt || a.Header.Get("Counterfoil-Receipt") != ""
	if a.Header.Get("Content-Type") == "text/event-stream" { // it does not end, and holds no secret
		return a, nil
	}
	text, err := io.ReadAll(a.Body)
	a.Body.Close()
	a.Body = io.NopCloser(bytes.NewReader(text))
	var made struct{ Secret string }
	if json.Unmarshal(text, &made) == nil && made.Secret != "" {
		r.secrets = append(r.secrets, made.Secret)
	}
	return a, err
}

// must is the answer of a call that has to work: must(c.Token(…))(t).
func must[A any](answer A, err error) func(testing.TB) A {
	return func(t testing.TB) A {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}
