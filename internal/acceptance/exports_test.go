package acceptance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/hectest"
)

const collectorToken = "collector-secret-4711"

// exportSettings are kept whole, their token is never told, and what cannot be is named.
func exportSettings(t *testing.T, o *tenant) {
	c := hectest.New(t, hectest.Settings{Token: collectorToken})
	must(t, "none yet", o.ask(t, o.token, "GET exports/splunk", ""), "404 not_found")
	must(t, "nothing to test", o.ask(t, o.token, "POST exports/splunk/test", ""), "404 not_found")
	must(t, "nothing to end", o.ask(t, o.token, "DELETE exports/splunk", ""), "404 not_found")
	for body, want := range map[string]string{
		`{}`:                                            "422 validation_failed /token /url",
		`{"url":"` + c.URL + `"}`:                       "422 validation_failed /token",
		`{"url":"` + c.URL + `","token":""}`:            "422 validation_failed /token",
		`{"url":"` + c.URL + `","token":"a b"}`:         "422 validation_failed /token",
		`{"url":"` + c.URL + `?x=1","token":"t"}`:       "422 validation_failed /url",
		`{"url":"http://10.0.0.1:8088","token":"t"}`:    "422 validation_failed /url",
		`{"url":"http://169.254.169.254/","token":"t"}`: "422 validation_failed /url",
		`{"url":"nonsense","token":"t","index":"-a","source":"\u0007","sourcetype":"` + strings.Repeat("a", 201) + `"}`: "422 validation_failed /index /source /sourcetype /url",
		`{"url":"` + c.URL + `","token":"t","backfill":"yes"}`:                                                          "422 validation_failed /backfill",
		`{"url":"` + c.URL + `","token":"t","delivered_to":7}`:                                                          "422 validation_failed /delivered_to",
	} {
		must(t, body, o.ask(t, o.token, "PUT exports/splunk", body), want)
	}
	made := must(t, "make", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"token":%q,"index":"security","backfill":true}`, c.URL+"/services/collector", collectorToken)), "200")
	expectAt(t, "made", made, "token_set", "true")
	expectAt(t, "made", made, "sourcetype", "counterfoil:activity")
	expectAt(t, "made", made, "source", "counterfoil")
	eventually(t, "the whole log is delivered", func() bool { return o.ask(t, o.token, "GET exports/splunk", "").at("status") == "up_to_date" })
	delivered := o.ask(t, o.token, "GET exports/splunk", "")
	expectAt(t, "delivered", delivered, "missing", "0")
	expectAt(t, "delivered", delivered, "lag_events", "0")
	if n := len(c.Events()); n < 3 {
		t.Errorf("%d events were delivered, want those from the organization's beginning", n)
	}

	// Elsewhere in the same place the token stays; in another place it is forgotten.
	must(t, "another path", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"index":"main","backfill":true}`, c.URL)), "200")
	expectAt(t, "another path", o.ask(t, o.token, "GET exports/splunk", ""), "token_set", "true")
	count := len(o.eventsOf(t, o.token, ""))
	must(t, "nothing new", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"index":"main","backfill":true}`, c.URL)), "200")
	if n := len(o.eventsOf(t, o.token, "")); n != count {
		t.Errorf("settings that change nothing wrote %d events", n-count)
	}
	other := hectest.New(t, hectest.Settings{Token: collectorToken})
	moved := must(t, "another place", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"backfill":true}`, other.URL)), "200")
	expectAt(t, "another place", moved, "token_set", "false")
	eventually(t, "it says that the token is missing", func() bool {
		return o.ask(t, o.token, "GET exports/splunk", "").at("last_error.code") == "token_missing"
	})
	if other.Requests() != 0 {
		t.Error("the token was sent to another place")
	}
	must(t, "its token", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"token":%q,"backfill":true}`, other.URL, collectorToken)), "200")
	eventually(t, "it goes on where it was", func() bool { return o.ask(t, o.token, "GET exports/splunk", "").at("status") == "up_to_date" })
	if first := other.Events()[0]; first.Event["action"] != "splunk_export_updated" {
		t.Errorf("the first event at the other place is %v", first.Event["action"])
	}
	must(t, "end", o.ask(t, o.token, "DELETE exports/splunk", ""), "204")
	must(t, "ended", o.ask(t, o.token, "GET exports/splunk", ""), "404 not_found")

	events := o.ask(t, o.token, "GET events?type=integrations/splunk_export_updated&order=newest", "")
	expectAt(t, "the end", events, "data.0.metadata.before.url", other.URL)
	expectAt(t, "its token", events, "data.1.metadata.after.token", "new")
	expectAt(t, "another place", events, "data.2.metadata.before.token", "set")
	expectAt(t, "another place", events, "data.2.metadata.after.token", "none")
	for _, text := range []string{string(events.body), string(made.body), string(moved.body), o.Logs()} {
		if strings.Contains(text, collectorToken) {
			t.Error("the collector's token is told")
		}
	}
}

// exportTested: a test says in words what is wrong.
func exportTested(t *testing.T, o *tenant) {
	c := hectest.New(t, hectest.Settings{Token: collectorToken, Indexes: []string{"main"}})
	must(t, "make", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"token":%q,"index":"main"}`, c.URL, collectorToken)), "200")
	page := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			w.Write([]byte("<html>blocked by policy</html>")) //nolint:errcheck // a test's own server
			return true
		}
	}
	for _, test := range []struct {
		code, words string
		set         hectest.Settings
	}{
		{"ok", "took a test event", hectest.Settings{Token: collectorToken}},
		{"ok", "it is indexed", hectest.Settings{Token: collectorToken, Ack: true, Slowly: 1}},
		{"token_unknown", "does not know this token", hectest.Settings{Token: "another"}},
		{"token_disabled", "Enable it in Splunk", hectest.Settings{Token: collectorToken, Disabled: true}},
		{"index_not_allowed", "may not write to this index", hectest.Settings{Token: collectorToken, Indexes: []string{"x"}}},
		{"not_a_collector", "a proxy, a firewall", hectest.Settings{Instead: page(403)}},
		{"not_a_collector", "a proxy, a firewall", hectest.Settings{Instead: page(200)}},
		{"redirect", "sends elsewhere", hectest.Settings{Instead: page(302)}},
		{"channel_missing", "X-Splunk-Request-Channel", hectest.Settings{Token: collectorToken, Ack: true, Instead: func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("X-Splunk-Request-Channel")
			return false
		}}},
		{"event_invalid", "as invalid", hectest.Settings{Token: collectorToken, Invalid: func(*hectest.Event) bool { return true }}},
	} {
		c.Set(func(s *hectest.Settings) { *s = test.set })
		a := must(t, test.code, o.ask(t, o.token, "POST exports/splunk/test", ""), "200")
		expectAt(t, test.words, a, "code", test.code)
		expectAt(t, test.words, a, "ok", fmt.Sprint(test.code == "ok"))
		if !strings.Contains(a.at("detail"), test.words) {
			t.Errorf("%s: %q, want %q", test.code, a.at("detail"), test.words)
		}
	}
	must(t, "nobody there", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":"http://127.0.0.1:1","token":%q}`, collectorToken)), "200")
	a := must(t, "nobody there", o.ask(t, o.token, "POST exports/splunk/test", ""), "200")
	expectAt(t, "nobody there", a, "code", "unreachable")
	if !strings.Contains(a.at("detail"), "nothing listens there") {
		t.Errorf("nobody there: %q", a.at("detail"))
	}
}

// exportEndsWithItsOrganization: what is deleted is delivered nowhere any more.
func exportEndsWithItsOrganization(t *testing.T, o *tenant) {
	c := hectest.New(t, hectest.Settings{Token: collectorToken})
	must(t, "make", o.ask(t, o.token, "PUT exports/splunk", fmt.Sprintf(`{"url":%q,"token":%q}`, c.URL, collectorToken)), "200")
	must(t, "delete", o.world.ask(t, o.SystemToken, "DELETE /v1/organizations/"+o.id, ""), "204")
	must(t, "gone", o.world.ask(t, o.SystemToken, "GET /v1/organizations/"+o.id+"/exports/splunk", ""), "404 not_found")
}
