package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// eventsOf reads a whole log, a few events at a time.
func (o *tenant) eventsOf(t *testing.T, token, query string) (all []counterfoil.Event) {
	t.Helper()
	after := ""
	for range 1000 {
		a := must(t, "events", o.ask(t, token, "GET events?limit=3"+query+after, ""), "200")
		var page counterfoil.EventPage
		if err := json.Unmarshal(a.body, &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Data...)
		if !page.More {
			return all
		}
		after = "&after=" + url.QueryEscape(*page.NextCursor)
	}
	t.Fatal("the log does not end")
	return nil
}

func actions(events []counterfoil.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Type+"/"+e.Action)
	}
	return out
}

func expectActions(t *testing.T, what string, events []counterfoil.Event, want ...string) {
	t.Helper()
	if got := actions(events); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// readEvents: N9, N11, the cursor API.
func readEvents(t *testing.T, o *tenant) {
	ada := o.person(t, "member")
	before := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	sensor, other := o.orgToken(t, "devices:read"), o.orgToken(t)
	must(t, "rename", o.ask(t, o.token, "PATCH tokens/"+sensor.id, `{"name":"Wetterstation Ü"}`), "200")
	must(t, "own", o.ask(t, ada.token, "POST tokens", `{"kind":"personal","name":"laptop","permissions":[]}`), "201")
	must(t, "integration", o.ask(t, o.token, "POST tokens", `{"kind":"integration","integration":"custom","name":"siem"}`), "201")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+sensor.id, ""), "200")

	all := o.eventsOf(t, o.token, "")
	for i, e := range all {
		if e.OrganizationID != o.id || e.ID == "" || len(e.Hash) != 32 || i > 0 && e.Number <= all[i-1].Number {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	newest := o.eventsOf(t, o.token, "&order=newest")
	slices.Reverse(newest)
	if !slices.Equal(actions(newest), actions(all)) {
		t.Errorf("newest first the log holds %q, oldest first %q", actions(newest), actions(all))
	}
	expectActions(t, "of one token", o.eventsOf(t, o.token, "&token="+sensor.id), "tokens/token_created", "tokens/token_updated", "tokens/token_revoked")
	expectActions(t, "of a type", o.eventsOf(t, o.token, "&type=integrations"), "integrations/activities_token_created")
	expectActions(t, "of an action", o.eventsOf(t, o.token, "&type=tokens/token_revoked"), "tokens/token_revoked")
	for _, actor := range []string{ada.id, ada.email} {
		expectActions(t, "of "+actor, o.eventsOf(t, o.token, "&actor="+url.QueryEscape(actor)), "tokens/token_created")
	}
	expectActions(t, "with a text", o.eventsOf(t, o.token, "&order=newest&q="+url.QueryEscape("wetterstation ü")), "tokens/token_revoked", "tokens/token_updated")
	expectActions(t, "of before", o.eventsOf(t, o.token, "&to="+before+"&type=tokens/token_revoked"))
	expectActions(t, "since", o.eventsOf(t, o.token, "&from="+before+"&type=tokens/token_revoked"), "tokens/token_revoked")

	history := must(t, "history", o.ask(t, o.token, "GET tokens/"+sensor.id+"/events", ""), "200")
	expectAt(t, "history", history, "data.0.action", "token_revoked")
	expectAt(t, "history", history, "data.2.action", "token_created")
	expectAt(t, "history", history, "next_cursor", "null")
	expect(t, "another's history", o.ask(t, ada.token, "GET tokens/"+other.id+"/events", ""), "404 not_found")
	expect(t, "one's own", o.ask(t, ada.token, "GET tokens/"+ada.tokenID+"/events", ""), "200")
	expect(t, "the log", o.ask(t, ada.token, "GET events", ""), "403 missing_permission")
	auditor := o.orgToken(t, counterfoil.PermActivityRead)
	expect(t, "the log", o.ask(t, auditor.secret, "GET events", ""), "200")
	expect(t, "a history", o.ask(t, auditor.secret, "GET tokens/"+other.id+"/events", ""), "200")

	for query, want := range map[string]string{
		"after=x1": "422 validation_failed ?after", "order=newest&after=o1": "422 validation_failed ?after", "order=newest&after=end": "422 validation_failed ?after",
		"from=yesterday&to=x": "422 validation_failed ?from ?to", "wait=61s": "422 validation_failed ?wait", "wait=x&limit=201": "422 validation_failed ?limit ?wait",
	} {
		expect(t, query, o.ask(t, o.token, "GET events?"+query, ""), want)
	}
	for _, secret := range []string{sensor.secret, other.secret, ada.token, o.token} {
		for _, e := range all {
			raw, _ := json.Marshal(e) // it came as JSON
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s/%s holds a token's value", e.Type, e.Action)
			}
		}
	}
}

// longPoll: an answer comes when there is something to tell, or when the time is up.
func longPoll(t *testing.T, o *tenant) {
	end := must(t, "end", o.ask(t, o.token, "GET events?after=end", ""), "200")
	expectAt(t, "end", end, "data", "[]")
	cursor := end.at("next_cursor")
	began := time.Now()
	a := must(t, "nothing", o.ask(t, o.token, "GET events?wait=300ms&after="+cursor, ""), "200")
	if took := time.Since(began); took < 300*time.Millisecond || a.at("next_cursor") != cursor {
		t.Errorf("with nothing to tell the answer came after %s, with the cursor %s", took, a.at("next_cursor"))
	}
	answered := make(chan answer, 1)
	began = time.Now()
	go func() { answered <- o.ask(t, o.token, "GET events?wait=30s&after="+cursor, "") }()
	o.orgToken(t)
	a = must(t, "something", <-answered, "200")
	expectAt(t, "something", a, "data.0.action", "token_created")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to hear of an event", took)
	}
}

// eventStream: server-sent events go on from a cursor, and end with their token.
func eventStream(t *testing.T, o *tenant) {
	reader := o.orgToken(t, counterfoil.PermActivityRead)
	stream := o.openStream(t, reader.secret, "")
	begin, _ := strings.CutPrefix(stream.line(t), "id: ") // where to go on before anything has happened
	var cursor string
	for range 3 {
		made := o.orgToken(t)
		if cursor == "" {
			late := o.openStream(t, reader.secret, begin)
			if e, _ := late.next(t); e.Target.ID != made.id {
				t.Errorf("from its beginning %q on the stream says %s of %s, want %s", begin, e.Action, e.Target.ID, made.id)
			}
		}
		e, id := stream.next(t)
		if e.Action != "token_created" || e.Target.ID != made.id {
			t.Fatalf("the stream says %s of %s, want token_created of %s", e.Action, e.Target.ID, made.id)
		}
		if cursor == "" {
			cursor = id
		}
	}
	again := o.openStream(t, reader.secret, cursor)
	for range 2 {
		if e, _ := again.next(t); e.Action != "token_created" {
			t.Errorf("after the first event the stream goes on with %s", e.Action)
		}
	}
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+reader.id, ""), "200")
	for _, s := range []*eventLines{stream, again} {
		if line := s.line(t); line != "event: problem" {
			t.Errorf("with its token revoked the stream says %q", line)
		}
		if line := s.line(t); !strings.Contains(line, `"token_revoked"`) {
			t.Errorf("with its token revoked the stream says %q", line)
		}
	}
	expect(t, "no right", o.ask(t, o.orgToken(t).secret, "GET events/stream", ""), "403 missing_permission")
	expect(t, "no cursor", o.ask(t, o.token, "GET events/stream?after=n1", ""), "422 validation_failed ?after")
}

type eventLines struct{ lines *bufio.Scanner }

func (o *tenant) openStream(t *testing.T, token, last string) *eventLines {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", o.URL+"/v1/organizations/"+o.id+"/events/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	a, err := wire.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Body.Close() })
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream begins with %d, %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	return &eventLines{bufio.NewScanner(a.Body)}
}

// line is the next one that says something.
func (s *eventLines) line(t *testing.T) string {
	t.Helper()
	for s.lines.Scan() {
		if line := s.lines.Text(); line != "" && line[0] != ':' {
			return line
		}
	}
	t.Fatalf("the stream ended: %v", s.lines.Err())
	return ""
}

func (s *eventLines) next(t *testing.T) (e counterfoil.Event, id string) {
	t.Helper()
	id, _ = strings.CutPrefix(s.line(t), "id: ")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(s.line(t), "data: ")), &e); err != nil {
		t.Fatal(err)
	}
	if id == "" {
		t.Fatal(fmt.Sprint("an event without an id: ", e))
	}
	return e, id
}
