package acceptance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// integration makes an integration token.
func (o *tenant) integration(t *testing.T, kind counterfoil.Integration) made {
	t.Helper()
	return o.draft(t, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: kind})
}

// produce writes n events of the product, with ids that go on from first.
func (o *tenant) produce(t testing.TB, token string, first, n int) answer {
	t.Helper()
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"type":"devices","action":"device_seen","id":"seen-%d","user":{"uuid":"u-%d","email":"u%[2]d@example.com"},"metadata":{"n":%[1]d}}`, first+i, (first+i)%3))
	}
	return o.ask(t, token, "POST events", `{"events":[`+strings.Join(list, ",")+`]}`)
}

const query = "POST /activities/query"

// queryActivity: N7, N9: the wire shape.
func queryActivity(t *testing.T, o *tenant) {
	custom := o.integration(t, counterfoil.IntegrationCustom)
	must(t, "write", o.ask(t, o.token, "POST events", `{"events":[{"type":"devices","action":"device_restarted","time":"2026-01-31T12:00:00.5+01:00","user":{"uuid":"u-1","email":"eve@example.com"},"metadata":{"why":["heat"]}},{"type":"backups","action":"backup_done","initiator":"scheduler"}]}`), "201")
	now := time.Now().Unix()
	for what, a := range map[string]answer{
		"no body":   o.ask(t, custom.secret, query, ""),
		"Bearer":    o.ask(t, custom.secret, query, `{}`),
		"bare":      o.ask(t, "", query, `{"unknown":{"a":1}}`, "Authorization", custom.secret),
		"X-API-Key": o.ask(t, "", query, `{"page":null,"user_uuids":[]}`, "X-API-Key", custom.secret),
		"personal":  o.ask(t, o.token, query, `{"per_page":100}`),
		"sentinel":  o.ask(t, o.integration(t, counterfoil.IntegrationSentinel).secret, query, `{}`),
	} {
		must(t, what, a, "200")
		n := a.count("data")
		expectAt(t, what, a, "metadata.total", strconv.Itoa(n))
		expectAt(t, what, a, "metadata.per_page", "100")
		expectAt(t, what, a, "metadata.current_page", "1")
		expectAt(t, what, a, "metadata.total_pages", "1")
		if a.header.Get("RateLimit-Policy") != `"token";q=1000;w=60` || a.header.Get("RateLimit") == "" {
			t.Errorf("%s: the rate is told as %v", what, a.header)
		}
	}
	a := o.ask(t, custom.secret, query, `{"user_uuids":["u-1","nobody"]}`)
	expectAt(t, "a user's", a, "metadata.total", "1")
	for member, want := range map[string]string{
		"type": "devices", "action": "device_restarted", "occurred_at": "2026-01-31T11:00:00.5Z", "user": `{"email":"eve@example.com","uuid":"u-1"}`,
		"metadata": `{"why":["heat"]}`, "initiator": "", "organization_uuid": uuidOf(o.id),
	} {
		expectAt(t, "a user's", a, "data.0."+member, want)
	}
	if at, err := strconv.ParseInt(a.at("data.0.timestamp"), 10, 64); err != nil || at < now-5 || at > now+5 || !strings.HasPrefix(a.at("data.0.id"), "evt_") {
		t.Errorf("the event is %s", a.at("data.0"))
	}
	a = o.ask(t, custom.secret, query, `{"per_page":1000}`)
	last := strconv.Itoa(a.count("data") - 1)
	// The two sentinel and custom tokens, made by the instance, and the product's event without a user.
	expectAt(t, "created", a, "data."+last+".type", "integrations")
	expectAt(t, "created", a, "data."+last+".user", `{"email":"","uuid":""}`)
	if a.at("data."+last+".initiator") == "" || a.at("data."+last+".occurred_at") != "absent" {
		t.Errorf("an event of the instance is %s", a.at("data."+last))
	}
	a = o.ask(t, custom.secret, query, `{"page":7,"per_page":1}`)
	if expect(t, "page 7", a, "200"); a.at("data") == "absent" || a.at("metadata.current_page") != "7" {
		t.Errorf("page 7 is %s", a.text())
	}
	expectAt(t, "past the end", o.ask(t, custom.secret, query, `{"page":1000}`), "data", "[]")
	eventually(t, "a query is a use", func() bool {
		return o.ask(t, o.token, "GET tokens/"+custom.id, "").at("last_used.ip") == "127.0.0.1"
	})
}

func uuidOf(id string) string {
	_, hex, _ := strings.Cut(id, "_")
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}

// activityWindows: N7, what may be asked.
func activityWindows(t *testing.T, o *tenant) {
	token := o.integration(t, counterfoil.IntegrationCustom).secret
	now := time.Now().Unix()
	users := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint("u", i)
		}
		raw, _ := json.Marshal(list) // strings alone
		return string(raw)
	}
	const bad = "400 invalid_request "
	for body, want := range map[string]string{
		fmt.Sprintf(`{"timestamp_from":%d,"timestamp_to":%d}`, now-90*86400, now):   "200",
		fmt.Sprintf(`{"timestamp_from":%d,"timestamp_to":%d}`, now-90*86400-1, now): bad + "/timestamp_from",
		fmt.Sprintf(`{"timestamp_from":%d}`, now-91*86400):                          bad + "/timestamp_from",
		fmt.Sprintf(`{"timestamp_from":%d}`, now+3600):                              bad + "/timestamp_from",
		fmt.Sprintf(`{"timestamp_to":%d}`, now-1000*86400):                          "200",
		`{"timestamp_from":5,"timestamp_to":4}`:                                     bad + "/timestamp_from",
		`{"timestamp_from":"5","timestamp_to":1.5,"page":0,"per_page":1001}`:        bad + "/page /per_page /timestamp_from /timestamp_to",
		`{"timestamp_from":-1,"page":9223372036854775807}`:                          bad + "/page /timestamp_from",
		`{"user_uuids":` + users(500) + `}`:                                         "200",
		`{"user_uuids":` + users(501) + `}`:                                         bad + "/user_uuids",
		`{"user_uuids":["a",""],"per_page":"x"}`:                                    bad + "/per_page /user_uuids/1",
		`{"user_uuids":"a"}`:                                                        bad + "/user_uuids",
		`[]`:                                                                        bad[:len(bad)-1],
		`{"page":1,"page":2}`:                                                       "400 malformed_json",
		`{"page":1`:                                                                 "400 malformed_json",
	} {
		expect(t, body, o.ask(t, token, query, body), want)
	}
	if a := o.ask(t, token, query, `{"per_page":0}`); !strings.HasPrefix(a.at("detail"), "per_page: ") {
		t.Errorf("the detail is %q", a.at("detail"))
	}
	expect(t, "a form", o.ask(t, token, query, `page=1`, "Content-Type", "application/x-www-form-urlencoded"), "415 unsupported_media_type")
	expect(t, "too large", o.ask(t, token, query, `{"x":"`+strings.Repeat("x", 70_000)+`"}`), "413 body_too_large")
	expect(t, "GET", o.ask(t, token, "GET /activities/query", ""), "405 method_not_allowed")

	// Both ends are included, in whole seconds.
	at := o.ask(t, token, query, `{"per_page":1}`).at("data.0.timestamp")
	for body, want := range map[string]bool{
		`{"timestamp_from":` + at + `,"timestamp_to":` + at + `}`: true,
		`{"timestamp_from":1,"timestamp_to":2}`:                   false,
	} {
		if a := o.ask(t, token, query, body); (a.count("data") > 0) != want {
			t.Errorf("%s: %s", body, a.text())
		}
	}
}

// pagesWhileWritten: N7. A client that knows nothing of ids goes page after page to the first empty one, window after
// window, and has every event once, while more are written.
func pagesWhileWritten(t *testing.T, o *tenant) {
	token := o.integration(t, counterfoil.IntegrationCustom).secret
	began, w, seen := time.Now().Unix(), o.writeOn(t, 3, 12, 7, 130*time.Millisecond), map[string]int{}
	for from, over := began, false; !over; {
		over = w.over() // then one more window, to now
		to := time.Now().Unix()
		if to < from {
			continue
		}
		for page := 1; ; page++ {
			body := fmt.Sprintf(`{"timestamp_from":%d,"timestamp_to":%d,"page":%d,"per_page":10}`, from, to, page)
			a := must(t, "page", o.ask(t, "", query, body, "Authorization", token), "200")
			n := a.count("data")
			for i := range n {
				if at := fmt.Sprint("data.", i); a.at(at+".action") == "device_seen" {
					seen[a.at(at+".metadata.n")]++
				}
			}
			if n == 0 {
				break
			}
		}
		from = to + 1
	}
	for i := range w.n {
		if n := seen[strconv.Itoa(i)]; n != 1 {
			t.Errorf("event %d was read %d times", i, n)
		}
	}
}

// integrationsAlone: N6.
func integrationsAlone(t *testing.T, o *tenant) {
	splunk, custom := o.integration(t, counterfoil.IntegrationSplunk), o.integration(t, counterfoil.IntegrationCustom)
	const events = "GET /v1/integrations/splunk/events"
	expect(t, "splunk asks as custom", o.ask(t, splunk.secret, query, `{}`), "403 wrong_audience")
	expect(t, "custom asks as splunk", o.ask(t, custom.secret, events, ""), "403 wrong_audience")
	expect(t, "an owner asks as splunk", o.ask(t, o.token, events, ""), "403 wrong_audience")
	expect(t, "custom asks more", o.ask(t, custom.secret, "GET events", ""), "403 wrong_audience")
	expect(t, "splunk asks more", o.ask(t, splunk.secret, "GET events", ""), "403 wrong_audience")

	must(t, "write", o.produce(t, o.token, 0, 25), "201")
	seen := map[string]bool{}
	after, want := "", len(o.eventsOf(t, o.token, ""))
	for {
		a := must(t, "splunk", o.ask(t, splunk.secret, events+"?limit=10"+after, ""), "200")
		for i := range a.count("data") {
			seen[a.at(fmt.Sprint("data.", i, ".id"))] = true
		}
		after = "&after=" + a.at("next_cursor")
		if a.at("more") == "false" {
			break
		}
	}
	if len(seen) != want {
		t.Errorf("splunk has read %d events, the log has %d", len(seen), want)
	}
	must(t, "write", o.produce(t, o.token, 25, 1), "201")
	a := must(t, "splunk goes on", o.ask(t, splunk.secret, events+"?limit=1000"+after, ""), "200")
	expectAt(t, "splunk goes on", a, "data.0.metadata.n", "25")
	expect(t, "a wrong cursor", o.ask(t, splunk.secret, events+"?after=x&limit=1001", ""), "422 validation_failed ?after ?limit")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+splunk.id, ""), "200")
	expect(t, "revoked", o.ask(t, splunk.secret, events, ""), "401 token_revoked")
}

// productEvents: N10.
func productEvents(t *testing.T, o *tenant) {
	writer := o.orgToken(t, counterfoil.PermActivityWrite)
	first := must(t, "write", o.produce(t, writer.secret, 0, 5), "201")
	again := must(t, "again", o.produce(t, writer.secret, 0, 5), "201")
	if first.text() != again.text() || first.count("data") != 5 {
		t.Errorf("a repetition is answered %s, the first was %s", again.text(), first.text())
	}
	more := must(t, "some of it again", o.produce(t, writer.secret, 3, 4), "201")
	expectAt(t, "some of it again", more, "data.1.id", first.at("data.4.id"))
	twice := must(t, "twice in one", o.ask(t, writer.secret, "POST events", `{"events":[{"type":"a","action":"b","id":"one"},{"type":"a","action":"b"},{"type":"a","action":"c","id":"one"}]}`), "201")
	if twice.at("data.0.id") != twice.at("data.2.id") || twice.at("data.0.id") == twice.at("data.1.id") {
		t.Errorf("an id twice in a batch is answered %s", twice.text())
	}
	all := o.eventsOf(t, o.token, "&type=devices")
	if len(all) != 7 {
		t.Errorf("the log has %d events, want 7", len(all))
	}
	if e := all[0]; e.ID != first.at("data.0.id") || e.Actor.Kind != "product" || e.Actor.ID != writer.id || e.User.UUID != "u-0" || string(e.Metadata) != `{"n":0}` {
		t.Errorf("the first is %+v", e)
	}
	if n := len(o.eventsOf(t, o.token, "&type=a")); n != 2 {
		t.Errorf("the batch with an id twice has written %d events, want 2", n)
	}
	// Another organization's ids are its own, and nothing of the writer's history is the product's.
	other := o.tenant(t)
	if a := must(t, "elsewhere", other.produce(t, other.token, 0, 1), "201"); a.at("data.0.id") == first.at("data.0.id") {
		t.Error("an id of one organization is taken in another")
	}
	history := o.ask(t, o.token, "GET tokens/"+writer.id+"/events", "")
	if history.count("data") != 1 {
		t.Errorf("the writer's history is %s", history.text())
	}
	// Many who write the same batch at once write it once.
	var group sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		group.Go(func() { answers[i] = o.produce(t, writer.secret, 100, 300).text() })
	}
	group.Wait()
	for _, a := range answers {
		if a != answers[0] || !strings.Contains(a, "evt_") {
			t.Errorf("of the same batch at once one is answered %.100s and another %.100s", a, answers[0])
		}
	}
	expectAt(t, "at once", o.ask(t, o.token, query, `{"user_uuids":["u-0"]}`), "metadata.total", "103")
}

func productEventsRefused(t *testing.T, o *tenant) {
	const event = `{"type":"a","action":"b"}`
	for body, want := range map[string]string{
		`{"events":[]}`: "422 validation_failed /events",
		`{"events":[` + strings.Repeat(event+",", 1000) + event + `]}`:                                                                  "422 validation_failed /events",
		`{"events":[` + strings.Repeat(event+",", 999) + event + `]}`:                                                                   "201",
		`{"events":[` + event + `,{"type":"a/b","action":" "},{"action":"b","time":"x"}]}`:                                              "422 validation_failed /events/1/action /events/1/type /events/2/time /events/2/type",
		`{"events":[{"type":"a","action":"b","level":1,"user":{"name":"x"}}]}`:                                                          "422 validation_failed /events/0/level /events/0/user/name",
		`{"events":[{"type":"a","action":"b","metadata":"` + o.token + `"}]}`:                                                           "422 validation_failed /events/0/metadata",
		`{"events":[{"type":"a","action":"b","metadata":5},{"type":"a","action":"b","metadata":null,"id":"` + o.slug + `","user":{}}]}`: "201",
	} {
		if a := o.ask(t, o.token, "POST events", body); a.String() != want {
			t.Errorf("%.100s: got %s, want %s", body, a, want)
		}
	}
	expect(t, "too large", o.ask(t, o.token, "POST events", `{"events":[{"type":"a","action":"b","metadata":"`+strings.Repeat("x", 1<<20)+`"}]}`), "413 body_too_large")
}

// wrongDataCentre: N8, on every surface.
func wrongDataCentre(t *testing.T, o *tenant) {
	// A second data centre, which knows the first by its prefix and URL, makes a token; it is shown to the first.
	eu := counterfoiltest.Start(t, counterfoiltest.WithConfig(func(s *server.Config) {
		s.Prefix, s.DataCenter, s.URL = otherPrefix, "eu", otherURL
		s.DataCenters = []server.DataCenter{{Name: "local", Prefix: "cfl", URL: o.URL}}
	}))
	theirs, err := eu.System().CreateToken(t.Context(), eu.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationCustom, Name: "siem"})
	if err != nil {
		t.Fatal(err)
	}
	if theirs.ActivityURL != otherURL+"/activities/query" || theirs.DataCenter != "eu" {
		t.Errorf("the token is for %s in %s", theirs.ActivityURL, theirs.DataCenter)
	}
	for _, line := range []string{query, "GET /v1/integrations/splunk/events", "GET events", "GET events/stream", "POST events", "GET tokens", "GET /v1/tokens/current"} {
		body := ""
		if strings.HasPrefix(line, "POST") {
			body = `{}`
		}
		a := o.ask(t, theirs.Secret, line, body)
		if expect(t, line, a, "421 wrong_data_center"); !strings.Contains(a.at("detail"), otherURL) {
			t.Errorf("%s: the right URL is missing in %q", line, a.at("detail"))
		}
	}
	expect(t, "verify", o.world.ask(t, theirs.Secret, "POST /v1/verify", question(theirs.Secret)), "421 wrong_data_center")
	expect(t, "authorize", o.ask(t, theirs.Secret, "GET /v1/authorize", ""), "401 wrong_data_center")
	o.expectVerdict(t, "a token of elsewhere", theirs.Secret, "wrong_data_center")
	// And the other way round; where it belongs it works.
	there := &world{Server: eu}
	if a := there.ask(t, o.token, query, `{}`); a.String() != "421 wrong_data_center" || !strings.Contains(a.at("detail"), o.URL) {
		t.Errorf("a token of here is answered there with %s", a.text())
	}
	expect(t, "where it belongs", there.ask(t, theirs.Secret, query, `{}`), "200")
}

// The rate is a token's own, and refused with what a client needs to go on.
func TestActivityRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", counterfoiltest.WithConfig(func(s *server.Config) { s.ActivityRate = 5 }))
	o := w.tenant(t)
	one, other := o.integration(t, counterfoil.IntegrationCustom), o.integration(t, counterfoil.IntegrationSplunk)
	for i := range 5 {
		a := must(t, "within the rate", o.ask(t, one.secret, query, `{"page":1}`), "200")
		if want := fmt.Sprintf(`"token";r=%d;t=`, 4-i); !strings.HasPrefix(a.header.Get("RateLimit"), want) || a.header.Get("RateLimit-Policy") != `"token";q=5;w=60` {
			t.Errorf("request %d: %v", i, a.header)
		}
	}
	a := o.ask(t, one.secret, query, `{}`)
	expect(t, "beyond the rate", a, "429 rate_limited")
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 || after > 12 || !strings.HasPrefix(a.header.Get("RateLimit"), `"token";r=0;`) {
		t.Errorf("beyond the rate: %v", a.header)
	}
	expect(t, "another token", o.ask(t, other.secret, "GET /v1/integrations/splunk/events", ""), "200")
}
