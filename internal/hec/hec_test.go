package hec

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/outgoing"
)

func TestEndpoint(t *testing.T) {
	for address, want := range map[string]string{
		"https://c.example:8088":                                   "https://c.example:8088/services/collector/event",
		"https://c.example:8088/":                                  "https://c.example:8088/services/collector/event",
		"https://c.example/services/collector":                     "https://c.example/services/collector/event",
		"https://c.example/services/collector/event":               "https://c.example/services/collector/event",
		"https://c.example/services/collector/event/":              "https://c.example/services/collector/event",
		"https://c.example/services/collector/event/1.0":           "https://c.example/services/collector/event",
		"https://c.example/splunk/services/collector/raw":          "https://c.example/splunk/services/collector/event",
		"https://c.example/api/v1/ingest/hec":                      "https://c.example/api/v1/ingest/hec/services/collector/event",
		"https://c.example/services/collector/services/collector/": "https://c.example/services/collector/services/collector/event",
	} {
		if got := (&Target{URL: address}).endpoint("event"); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	e := &counterfoil.Event{Number: 7, ID: "evt_1", Type: "login", Timestamp: time.Date(2026, 11, 26, 1, 2, 3, 4_567_000, time.UTC), Metadata: json.RawMessage(`{"a":"<b>&"}`)}
	target := Target{Index: "security", Source: "s", Sourcetype: "t", Host: "h"}
	line, err := target.Encode(e)
	want := `{"time":1795654923.004,"host":"h","source":"s","sourcetype":"t","index":"security","event":{"number":7,"id":"evt_1",`
	if err != nil || !strings.HasPrefix(string(line), want) || !strings.Contains(string(line), `"metadata":{"a":"<b>&"}`) {
		t.Errorf("%v\n%s\nwant\n%s…", err, line, want)
	}
	if line, _ = (&Target{}).Encode(e); strings.Contains(string(line), `"index"`) {
		t.Errorf("without an index: %s", line)
	}
	e.Type = strings.Repeat("ä", 200)
	line, err = target.Withheld(e, "why")
	if err != nil || !json.Valid(line) || len(line) > 600 || !strings.Contains(string(line), `"id":"evt_1"`) || !strings.Contains(string(line), `"withheld":"why"`) || strings.Contains(string(line), "metadata") {
		t.Errorf("%v\n%s", err, line)
	}
}

func TestJudge(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html"}}
	busy := http.Header{"Retry-After": {"7"}}
	for _, test := range []struct {
		status int
		header http.Header
		body   string
		kind   Kind
		code   string
		event  int
		after  time.Duration
	}{
		{400, nil, `{"text":"Incorrect index","code":7,"invalid-event-number":0}`, Refused, "index_not_allowed", 0, 0},
		{400, nil, `{"text":"Invalid data format","code":6,"invalid-event-number":30}`, Invalid, "event_invalid", 30, 0},
		{400, nil, `{"text":"Invalid data format","code":6}`, Invalid, "event_invalid", -1, 0},
		{400, nil, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":1}`, Invalid, "event_invalid", 1, 0},
		{400, nil, `{"text":"Data channel is missing","code":10}`, Refused, "channel_missing", 0, 0},
		{400, nil, `{"text":"ACK is disabled","code":14}`, Refused, "acknowledgement_disabled", 0, 0},
		{400, nil, `{"text":"new","code":99}`, Refused, "refused", 0, 0},
		{401, nil, `{"text":"Token is required","code":2}`, Refused, "token_missing", 0, 0},
		{401, nil, ``, Refused, "forbidden", 0, 0},
		{403, nil, `{"text":"Invalid token","code":4}`, Refused, "token_unknown", 0, 0},
		{403, nil, `{"text":"Token disabled","code":1}`, Refused, "token_disabled", 0, 0},
		{403, html, `<html>`, Refused, "not_a_collector", 0, 0},
		{404, nil, `{"text":"The requested URL was not found on this server.","code":404}`, Refused, "no_such_path", 0, 0},
		{404, nil, `page not found`, Refused, "no_such_path", 0, 0},
		{407, nil, ``, Refused, "proxy", 0, 0},
		{413, html, `<html>`, TooLarge, "", 0, 0},
		{413, nil, ``, TooLarge, "too_large", 0, 0},
		{429, busy, ``, Busy, "collector_busy", 0, 7 * time.Second},
		{500, nil, `{"text":"Internal server error","code":8}`, Busy, "collector_error", 0, 0},
		{502, html, `<html>`, Busy, "collector_unavailable", 0, 0},
		{503, busy, `{"text":"Server is busy","code":9,"invalid-event-number":10}`, Busy, "collector_busy", 0, 7 * time.Second},
		{503, nil, ``, Busy, "collector_unavailable", 0, 0},
		{301, html, `<html>`, Refused, "redirect", 0, 0},
		{200, html, `<html>sign in</html>`, Refused, "not_a_collector", 0, 0},
		{200, nil, `{"status":"ok"}`, Refused, "not_a_collector", 0, 0},
		{200, nil, ``, Refused, "not_a_collector", 0, 0},
		{204, nil, ``, Refused, "not_a_collector", 0, 0},
		{200, nil, `{"text":"odd","code":9}`, Busy, "collector_busy", 0, 0},
	} {
		_, f := judge(outgoing.Answer{Status: test.status, Header: test.header, Body: []byte(test.body)})
		if f == nil {
			t.Errorf("%d %s: taken for success", test.status, test.body)
			continue
		}
		if f.Kind != test.kind || test.code != "" && f.Code != test.code || f.Kind == Invalid && f.Event != test.event || f.After != test.after {
			t.Errorf("%d %s: %+v", test.status, test.body, f)
		}
		if f.Kind != Invalid && !strings.HasSuffix(f.Detail, ".") {
			t.Errorf("%d %s: not a sentence: %s", test.status, test.body, f.Detail)
		}
	}
	told, f := judge(outgoing.Answer{Status: 200, Body: []byte(`{"text":"Success","code":0,"ackId":0}`)})
	if f != nil || told.AckID == nil || *told.AckID != 0 {
		t.Errorf("a success with an acknowledgement's number: %+v, %v", told, f)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "0": 0, "-5": 0, "90": 90 * time.Second, "999999": longestAfter, "99999999999999999999": 0,
		"Thu, 26 Nov 2026 01:00:30 GMT": 30 * time.Second, "Thu, 26 Nov 2026 00:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// Whatever a server answers: only what says that it is a success is one, and what is told is short and printable.
func FuzzJudge(f *testing.F) {
	f.Add(200, "application/json", `{"text":"Success","code":0}`)
	f.Add(400, "application/json", `{"text":"Invalid data format\u0000\n","code":6,"invalid-event-number":-3}`)
	f.Add(503, "text/html", `<html>`)
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		_, fault := judge(outgoing.Answer{Status: status, Header: http.Header{"Content-Type": {media}}, Body: []byte(body)})
		if fault == nil && (status != 200 || !strings.Contains(body, "0")) {
			t.Errorf("%d %q is taken for success", status, body)
		}
		if fault != nil && (len(fault.Detail) > 1500 || strings.ContainsAny(fault.Detail, "\n\x00\x1b") || fault.Code == "") {
			t.Errorf("%d %q is told as %q", status, body, fault.Detail)
		}
	})
}
