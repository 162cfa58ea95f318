package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	mailer "github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// came is a request that a receiver got.
type came struct {
	header http.Header
	body   []byte
	ID     string // of the event in it
	Type   string
	answer int
}

// receiver is a real receiver of webhooks.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []came
	answer func(e counterfoil.Event, h http.Header) int // 200 where nil
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	var p struct {
		Type string
		Data counterfoil.Event
	}
	if json.Unmarshal(body, &p) != nil || q.Method != http.MethodPost {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(p.Data, w.Header())
	}
	r.got = append(r.got, came{q.Header, body, p.Data.ID, p.Type, status})
	w.WriteHeader(status)
}

func (r *receiver) answers(fn func(counterfoil.Event, http.Header) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = fn
}

func (r *receiver) all() []came {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// taken counts how often each event was taken.
func (r *receiver) taken() map[string]int {
	n := map[string]int{}
	for _, c := range r.all() {
		if c.answer == http.StatusOK {
			n[c.ID]++
		}
	}
	return n
}

func hooking(t *testing.T, database string, more ...counterfoiltest.Option) *world {
	return newWorld(t, database, append(more, counterfoiltest.WithConfig(func(c *server.Config) { c.OutgoingAllow = []string{"127.0.0.1"} }))...)
}

// hook makes a webhook and returns its id and secret.
func (o *tenant) hook(t *testing.T, url string, types ...string) (id, secret string) {
	t.Helper()
	a := must(t, "a webhook", o.ask(t, o.token, "POST webhooks", `{"name":"siem","url":`+inJSON(url)+`,"types":`+listJSON(types)+`}`), "201")
	return a.at("webhook.id"), a.at("secret")
}

func listJSON(list []string) string {
	raw, _ := json.Marshal(append([]string{}, list...)) // strings always marshal
	return string(raw)
}

// verified checks a request with the official library of Standard Webhooks.
func verified(c came, secret string) error {
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return err
	}
	return w.VerifyIgnoringTimestamp(c.body, c.header)
}

// TestWebhooks: signatures that the official library accepts, filters, rotation, replay, and each event once.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		o, other := hooking(t, database).tenant(t), (*tenant)(nil)
		other = o.world.tenant(t)
		all, tokens := newReceiver(t), newReceiver(t)
		_, secret := o.hook(t, all.URL+"/in?key=1")
		id, _ := o.hook(t, tokens.URL, "tokens/token_created", "roles")
		sensor := o.orgToken(t, "devices:read")
		must(t, "edit", o.ask(t, o.token, "PATCH tokens/"+sensor.id, `{"name":"renamed"}`), "200")
		must(t, "role", o.ask(t, o.token, "POST roles", `{"name":"night","permissions":[]}`), "201")
		must(t, "another's role", other.ask(t, other.token, "POST roles", `{"name":"secret-role","permissions":[]}`), "201")
		written := o.eventsOf(t, o.token, "")
		want := map[string]bool{} // since the first webhook was made
		for _, e := range written {
			if e.Action == "webhook_updated" || len(want) > 0 {
				want[e.ID] = true
			}
		}
		eventually(t, "every event comes", func() bool { return len(all.taken()) >= len(want) }) // several are sent at once
		eventually(t, "the narrow webhook is sent what it wants", func() bool { return len(tokens.taken()) == 2 })
		if got := all.taken(); !maps.EqualFunc(got, want, func(n int, _ bool) bool { return n == 1 }) {
			t.Errorf("of %d events these came: %v", len(want), got)
		}
		for _, c := range all.all() {
			if err := verified(c, secret); err != nil {
				t.Errorf("%v: %v", err, c.header)
			}
			if c.header.Get("Webhook-Id") != c.ID || c.header.Get("Content-Type") != "application/json" || strings.Contains(string(c.body), "secret-role") {
				t.Errorf("came: %v %s", c.header, c.body)
			}
			if w, _ := standardwebhooks.NewWebhook(secret); w.Verify(c.body, c.header) != nil { // with its time
				t.Error("the time does not pass")
			}
		}
		var sentTypes []string
		for _, c := range tokens.all() {
			sentTypes = append(sentTypes, c.Type)
		}
		if slices.Sort(sentTypes); !slices.Equal(sentTypes, []string{"roles.role_created", "tokens.token_created"}) {
			t.Errorf("the narrow webhook was sent %v", sentTypes)
		}

		// Replayed: the same event once more, under the same id.
		var page counterfoil.Page[counterfoil.Delivery]
		eventually(t, "both are noted", func() bool {
			if err := json.Unmarshal(must(t, "deliveries", o.ask(t, o.token, "GET webhooks/"+id+"/deliveries?status=delivered&limit=1", ""), "200").body, &page); err != nil {
				t.Fatal(err)
			}
			return page.NextCursor != nil
		})
		d := page.Data[0]
		if d.Attempts != 1 || d.LastAttempt.Status != 200 || d.Type != "roles/role_created" {
			t.Errorf("the delivery is %+v", page)
		}
		must(t, "replay", o.ask(t, o.token, "POST webhooks/"+id+"/deliveries/"+d.ID+"/replay", ""), "200")
		eventually(t, "it comes again", func() bool { return tokens.taken()[d.EventID] == 2 })
		expectAt(t, "the log says so", o.ask(t, o.token, "GET events?type=integrations/webhook_updated&order=newest&limit=1", ""), "data.0.metadata.replayed", d.EventID)

		// Rotated with a grace: what is sent passes with either secret; after it with the new one alone.
		rotated := must(t, "rotate", o.ask(t, o.token, "POST webhooks/"+id+"/rotate", `{"grace_seconds":3600}`), "200").at("secret")
		again := must(t, "rotate again", o.ask(t, o.token, "POST webhooks/"+id+"/rotate", `{"grace_seconds":3600}`), "200").at("secret")
		sent := func() came {
			t.Helper()
			n := len(tokens.all())
			o.orgToken(t)
			eventually(t, "an event comes", func() bool { return len(tokens.all()) > n })
			return tokens.all()[n]
		}
		c := sent()
		if one, two := verified(c, rotated), verified(c, again); one != nil || two != nil || strings.Count(c.header.Get("Webhook-Signature"), "v1,") != 2 {
			t.Errorf("within the grace: %v, %v, %v", one, two, c.header)
		}
		o.advance(2 * time.Hour)
		c = sent()
		if one, two := verified(c, rotated), verified(c, again); one == nil || two != nil {
			t.Errorf("after the grace: %v, %v", one, two)
		}
		for _, body := range []string{`{"name":"x","url":"http://10.1.2.3/"}`, `{"name":"x","url":"ftp://example.com"}`, `{"name":"x","url":"https://u:p@example.com"}`, `{"name":"x","url":"https://example.com#a"}`} {
			expect(t, body, o.ask(t, o.token, "POST webhooks", body), "422 validation_failed /url")
		}
		expect(t, "types", o.ask(t, o.token, "POST webhooks", `{"name":"x","url":"https://example.com","types":["a b","tokens/","tokens","tokens"]}`), "422 validation_failed /types/0 /types/1 /types/3")
		if logs := o.Logs(); strings.Contains(logs, secret[6:]) || strings.Contains(logs, "key=1") {
			t.Error("the server logs a webhook's secret or address")
		}
	})
}

// passing is eventually for what wants time to pass: at each look some has.
func (o *tenant) passing(t *testing.T, what string, step time.Duration, done func() bool) {
	t.Helper()
	n := 0
	eventually(t, what, func() bool {
		if n++; n%10 == 0 {
			o.advance(step)
		}
		return done()
	})
}

// TestWebhookOutages: what fails is tried again, after a restart as well, and nothing is lost.
func TestWebhookOutages(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		o := hooking(t, database).tenant(t)
		r := newReceiver(t)
		id, secret := o.hook(t, r.URL, "roles")
		role := func(n int) {
			must(t, "role", o.ask(t, o.token, "POST roles", fmt.Sprintf(`{"name":"role%d","permissions":[]}`, n)), "201")
		}
		r.answers(func(counterfoil.Event, http.Header) int { return http.StatusInternalServerError })
		for n := range 40 {
			role(n)
		}
		eventually(t, "it is tried", func() bool { return len(r.all()) > 0 })
		o.Restart()
		for n := range 10 {
			role(100 + n)
		}
		before := len(r.all())
		o.advance(10 * time.Minute) // whatever was under way is due again
		eventually(t, "it is tried again", func() bool { return len(r.all()) > before })
		r.answers(nil)
		want := o.eventsOf(t, o.orgTokenOf(t, counterfoil.PermActivityRead), "&type=roles/role_created")
		o.passing(t, "everything is taken", 5*time.Minute, func() bool { return len(r.taken()) == len(want) })
		for _, e := range want {
			if n := r.taken()[e.ID]; n != 1 {
				t.Errorf("%s was taken %d times", e.ID, n)
			}
		}
		for _, c := range r.all() {
			if err := verified(c, secret); err != nil {
				t.Error(err)
			}
		}

		// A wish to be left in peace is honoured, and others wait as well.
		r.answers(func(_ counterfoil.Event, h http.Header) int {
			h.Set("Retry-After", "1800")
			return http.StatusServiceUnavailable
		})
		before = len(r.all())
		role(200)
		eventually(t, "it is tried", func() bool { return len(r.all()) > before })
		r.answers(nil)
		role(201)
		o.advance(25 * time.Minute)
		var waiting counterfoil.Page[counterfoil.Delivery]
		eventually(t, "both wait", func() bool {
			if err := json.Unmarshal(o.ask(t, o.token, "GET webhooks/"+id+"/deliveries?status=pending", "").body, &waiting); err != nil {
				t.Fatal(err)
			}
			return len(waiting.Data) == 2
		})
		if a := waiting.Data[1].LastAttempt; a == nil || a.Status != 503 || !strings.Contains(a.Error, "503") || time.Until(*waiting.Data[1].NextAttemptAt) < 20*time.Minute {
			t.Errorf("what was refused is %+v", waiting.Data[1])
		}
		o.passing(t, "both are taken", 6*time.Minute, func() bool { return len(r.taken()) == len(want)+2 })

		// An event that the receiver never takes fails after about a day, and holds up no other.
		var first atomic.Pointer[string]
		r.answers(func(e counterfoil.Event, _ http.Header) int {
			if first.CompareAndSwap(nil, &e.ID) || e.ID == *first.Load() {
				return http.StatusBadRequest
			}
			return http.StatusOK
		})
		role(300)
		eventually(t, "it is refused", func() bool { return first.Load() != nil })
		poison := *first.Load()
		role(301)
		o.passing(t, "the next one is taken", time.Minute, func() bool { return len(r.taken()) == len(want)+3 })
		failed := func() bool {
			return strings.Contains(string(o.ask(t, o.token, "GET webhooks/"+id+"/deliveries?status=failed", "").body), poison)
		}
		o.passing(t, "it has failed", 3*time.Hour, failed)
		tries := 0
		for _, c := range r.all() {
			if c.ID == poison {
				tries++
			}
		}
		if tries != 8 {
			t.Errorf("it was tried %d times, want 8", tries)
		}
	})
}

// orgTokenOf makes an organization token with these permissions and returns its value.
func (o *tenant) orgTokenOf(t *testing.T, permissions ...string) string {
	t.Helper()
	return o.orgToken(t, permissions...).secret
}

// TestWebhooksDisabled: one that is gone, and one that takes nothing for three days, is disabled with an event and a mail.
func TestWebhooksDisabled(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		inbox := mailbox{mailtest.Serve(t, nil, "", "")}
		w := hooking(t, database, counterfoiltest.WithConfig(func(c *server.Config) {
			c.SignIn.Mail = mailer.Config{Server: inbox.Address, Security: "none", From: "tokens@example.com"}
		}))
		o := w.tenant(t)
		caller := o.orgTokenOf(t, counterfoil.PermExportsRead, counterfoil.PermExportsWrite, counterfoil.PermActivityRead, counterfoil.PermMembersWrite)
		gone, failing := newReceiver(t), newReceiver(t)
		gone.answers(func(counterfoil.Event, http.Header) int { return http.StatusGone })
		failing.answers(func(counterfoil.Event, http.Header) int { return http.StatusBadGateway })
		goneID, _ := o.hook(t, gone.URL, "roles")
		failingID, _ := o.hook(t, failing.URL, "roles")
		role := func(n int) {
			must(t, "role", o.ask(t, caller, "POST roles", fmt.Sprintf(`{"name":"role%d","permissions":[]}`, n)), "201")
		}
		state := func(id string) string {
			a := o.ask(t, caller, "GET webhooks/"+id, "")
			return a.at("enabled") + " " + a.at("disabled_reason")
		}
		role(1)
		eventually(t, "the one that is gone is disabled", func() bool { return state(goneID) == "false gone" })
		inbox.expect(t, map[string][]string{o.ownerMail: {`The webhook "siem" was disabled`, "410", "/o/" + o.slug + "/webhooks/" + goneID}})
		eventually(t, "the other is tried", func() bool { return len(failing.all()) > 0 })
		expect(t, "it is not yet disabled", o.ask(t, caller, "GET webhooks/"+failingID, ""), "200")
		o.advance(73 * time.Hour)
		eventually(t, "the one that takes nothing is disabled", func() bool { return state(failingID) == "false failing" })
		inbox.expect(t, map[string][]string{o.ownerMail: {"was disabled", "three days", failingID}})
		if n := len(o.eventsOf(t, caller, "&type=integrations/webhook_updated&actor=system")); n != 2 {
			t.Errorf("%d events say that a webhook was disabled", n)
		}

		// Enabled again it goes on with what comes now and with what waited.
		role(2)
		failing.answers(nil)
		expect(t, "replaying to one that is disabled", o.ask(t, caller, "POST webhooks/"+failingID+"/deliveries/whd_1/replay", ""), "404 not_found")
		must(t, "enable", o.ask(t, caller, "PATCH webhooks/"+failingID, `{"enabled":true}`), "200")
		o.advance(24 * time.Hour)
		role(3)
		roles := o.eventsOf(t, caller, "&type=roles/role_created")
		eventually(t, "what waited and what came is taken", func() bool {
			got := failing.taken()
			return len(got) == 2 && got[roles[0].ID] == 1 && got[roles[2].ID] == 1
		})
	})
}
