package export

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hectest"
	"github.com/counterfoil/counterfoil/internal/store"
)

const token = "11111111-2222-3333-4444-555555555555"

func TestDelivers(t *testing.T) {
	for _, ack := range []bool{false, true} {
		t.Run(fmt.Sprint("acknowledged=", ack), func(t *testing.T) {
			w, c := newWorld(t), hectest.New(t, hectest.Settings{Token: token, Ack: ack, Slowly: 2})
			org, other := w.organization(), w.organization()
			w.log(org, 1234)
			w.log(other, 5)
			w.export(org, c.URL, token, func(e *store.SplunkExport) { e.Index, e.Source = "security", "here" })
			w.whole(org, c)
			w.log(org, 3)
			w.whole(org, c)
			e := c.Events()[0]
			if e.Index != "security" || e.Source != "here" || e.Sourcetype != "counterfoil:activity" || e.Host != "tokens.example.com" || e.Event["type"] != "devices" ||
				e.Event["metadata"].(map[string]any)["n"] != 1.0 || !strings.Contains(e.Time.String(), ".") {
				t.Errorf("the first event is %+v", e)
			}
			if s := w.state(org); s.State != "" || s.Missing != 0 || s.DeliveredTo != s.After || s.DeliveredAt == 0 || s.ErrorAt != 0 {
				t.Errorf("%+v", s.ExportProgress)
			}
			if sent := len(c.Events()); sent != len(w.ids(org)) {
				t.Errorf("with nothing wrong %d events were sent, of %d", sent, len(w.ids(org)))
			}
		})
	}
}

func TestFromNow(t *testing.T) {
	w, c := newWorld(t), hectest.New(t, hectest.Settings{Token: token})
	org := w.organization()
	w.log(org, 10)
	var first string
	w.export(org, c.URL, token, func(e *store.SplunkExport) {
		ids := w.ids(org)
		first = ids[last(ids)]
		e.After = int64(len(ids))
	})
	w.log(org, 10)
	w.eventually("all are delivered", func() bool { return w.behind(org, w.state(org).After) == 0 })
	if got := c.Events(); len(got) != 11 || got[0].Event["action"] != "splunk_export_updated" || got[0].ID() == first {
		t.Errorf("%d events, the first is %v; want those behind the export's making", len(got), got[0].Event)
	}
}

// An export interrupted a hundred times has no hole and no double.
func TestInterruptedAHundredTimes(t *testing.T) {
	for _, ack := range []bool{false, true} {
		t.Run(fmt.Sprint("acknowledged=", ack), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			w := newWorld(t)
			w.pace.indexedWithin = 200 * time.Millisecond
			w.interrupt()
			var lost atomic.Int64
			c := hectest.New(t, hectest.Settings{Token: token, Ack: ack, Slowly: 1, Lost: func() bool { return lost.Add(1)%7 == 0 }})
			org := w.organization()
			w.export(org, c.URL, token)
			for range 100 {
				at := c.Requests() + r.IntN(2)
				w.log(org, 1+r.IntN(60))
				w.eventually("a batch is under way", func() bool { return c.Requests() >= at })
				w.interrupt()
				if r.IntN(10) == 0 {
					c.Restart()
				}
			}
			w.whole(org, c)
			t.Logf("%d events, sent %d, in %d requests", len(w.ids(org)), len(c.Events()), c.Requests())
		})
	}
}

// What is wrong for a while is waited out: the product goes on, and nothing is left out.
func TestOutages(t *testing.T) {
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			return true
		}
	}
	for name, test := range map[string]struct {
		settings hectest.Settings
		code     string
		state    string
	}{
		"busy":           {hectest.Settings{Instead: status(503)}, "collector_unavailable", "retrying"},
		"too often":      {hectest.Settings{Instead: status(429)}, "collector_busy", "retrying"},
		"away behind":    {hectest.Settings{Instead: status(502, "Content-Type", "text/html")}, "collector_unavailable", "retrying"},
		"hangs up":       {hectest.Settings{Instead: func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }}, "unreachable", "retrying"},
		"wrong token":    {hectest.Settings{Token: "another"}, "token_unknown", "paused"},
		"disabled token": {hectest.Settings{Token: token, Disabled: true}, "token_disabled", "paused"},
		"index":          {hectest.Settings{Token: token, Indexes: []string{"main"}}, "index_not_allowed", "paused"},
		"redirect":       {hectest.Settings{Instead: status(302, "Location", "https://sso.example.com")}, "redirect", "paused"},
		"no path":        {hectest.Settings{Instead: status(404, "Content-Type", "text/html")}, "not_a_collector", "paused"},
		"never indexed":  {hectest.Settings{Token: token, Ack: true, Slowly: -1}, "not_indexed", "retrying"},
		"no way for acks": {hectest.Settings{Token: token, Ack: true, Instead: func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/ack") && status(404)(w, r)
		}}, "no_such_path", "paused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := newWorld(t), hectest.New(t, test.settings)
			w.pace.indexedWithin = 200 * time.Millisecond
			w.interrupt()
			org := w.organization()
			w.log(org, 150)
			w.export(org, c.URL, token, func(e *store.SplunkExport) { e.Index = "security" })
			w.eventually("the fault is told", func() bool { return w.state(org).ErrorCode == test.code })
			if e := w.state(org); e.State != test.state || e.After != 0 || e.NextAttempt == 0 || !strings.HasSuffix(e.ErrorDetail, ".") {
				t.Errorf("%+v", e.ExportProgress)
			}
			w.interrupt() // it waits on over a restart
			c.Set(func(s *hectest.Settings) { *s = hectest.Settings{Token: token, Ack: test.settings.Ack} })
			w.whole(org, c)
			if e := w.state(org); e.State != "" || e.NextAttempt != 0 || e.ErrorCode != test.code || e.Missing != 0 {
				t.Errorf("afterwards: %+v", e.ExportProgress)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	w := newWorld(t)
	var calls []time.Time
	c := hectest.New(t, hectest.Settings{Token: token})
	c.Set(func(s *hectest.Settings) {
		s.Instead = func(rw http.ResponseWriter, _ *http.Request) bool {
			calls = append(calls, time.Now())
			rw.Header().Set("Retry-After", "1")
			if len(calls) == 1 {
				rw.WriteHeader(http.StatusTooManyRequests)
			}
			return len(calls) == 1
		}
	})
	org := w.organization()
	w.export(org, c.URL, token)
	w.whole(org, c)
	if gap := calls[1].Sub(calls[0]); gap < time.Second {
		t.Errorf("it was called again after %v, want a second at least", gap)
	}
}

func TestNewSettingsActAtOnce(t *testing.T) {
	w := newWorld(t)
	w.pace.refused, w.pace.refusedMax = time.Hour, time.Hour
	w.interrupt()
	c := hectest.New(t, hectest.Settings{Token: token})
	org := w.organization()
	w.export(org, c.URL, "wrong")
	w.eventually("the fault is told", func() bool { return w.state(org).ErrorCode == "token_unknown" })
	w.export(org, c.URL, token)
	w.whole(org, c)
	w.write(org, func(tx *store.Tx) error {
		_, err := tx.DeleteSplunkExport()
		tx.Append(counterfoil.Event{Type: "integrations", Action: "splunk_export_updated"})
		return err
	})
	w.eventually("nobody delivers any more", func() bool {
		w.pusher.mu.Lock()
		defer w.pusher.mu.Unlock()
		return w.pusher.runners[org] == nil
	})
	w.log(org, 5)
	w.export(org, c.URL, token)
	w.whole(org, c)
}

func TestWithoutTokenNothingIsCalled(t *testing.T) {
	w, c := newWorld(t), hectest.New(t, hectest.Settings{Token: token})
	org := w.organization()
	w.export(org, c.URL, token, func(e *store.SplunkExport) { e.Sealed = nil })
	w.eventually("the fault is told", func() bool { return w.state(org).ErrorCode == "token_missing" })
	w.export(org, c.URL, token, func(e *store.SplunkExport) { e.Sealed[0] ^= 1 })
	w.eventually("the fault is told", func() bool { return w.state(org).ErrorCode == "token_sealed" })
	if c.Requests() != 0 {
		t.Error("the collector was called")
	}
	w.export(org, c.URL, token)
	w.whole(org, c)
}

// An event that the collector does not take holds up nothing that comes behind it, and is told.
func TestEventsThatAreNotTaken(t *testing.T) {
	numbered := func(e *hectest.Event) (int, bool) {
		m, _ := e.Event["metadata"].(map[string]any)
		n, ok := m["n"].(float64)
		return int(n), ok
	}
	for name, test := range map[string]struct {
		settings hectest.Settings
		missing  int64
		notes    int
	}{
		"two are malformed": {hectest.Settings{Invalid: func(e *hectest.Event) bool { n, ok := numbered(e); return ok && (n == 37 || n == 90) }}, 2, 2},
		"even the note": {hectest.Settings{Invalid: func(e *hectest.Event) bool {
			n, ok := numbered(e)
			return ok && n == 37 || e.Event["withheld"] != nil
		}}, 1, 0},
		"the last":  {hectest.Settings{Invalid: func(e *hectest.Event) bool { n, ok := numbered(e); return ok && n == 150 }}, 1, 1},
		"too large": {hectest.Settings{Longest: 3000}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.settings.Token = token
			c := hectest.New(t, test.settings)
			org := w.organization()
			w.log(org, 150)
			if test.settings.Longest > 0 {
				w.write(org, func(tx *store.Tx) error {
					tx.Append(counterfoil.Event{Type: "devices", Action: "grew", Metadata: append(append([]byte(`{"text":"`), bytes.Repeat([]byte("a"), 4000)...), `"}`...)})
					return nil
				})
			}
			w.export(org, c.URL, token)
			w.eventually("all are delivered", func() bool { return w.behind(org, w.state(org).After) == 0 })
			notes := map[string]bool{}
			for _, e := range c.Events() {
				if e.Event["withheld"] != nil {
					notes[e.ID()] = true
				}
			}
			e := w.state(org)
			if e.Missing != test.missing || e.LastMissing == 0 || len(notes) != test.notes || e.ErrorCode != "event_refused" || !strings.Contains(e.ErrorDetail, fmt.Sprint("#", e.LastMissing)) {
				t.Errorf("%d notes, %+v", len(notes), e.ExportProgress)
			}
			if got, want := len(distinct(c.Events())), len(w.ids(org))-int(test.missing)+test.notes; got != want {
				t.Errorf("the collector has %d events, want %d", got, want)
			}
		})
	}
}

// A collector that does not answer keeps nobody else waiting, however many of them there are.
func TestSlowCollectorsKeepNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	slow := hectest.New(t, hectest.Settings{Token: token, Instead: func(rw http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	}})
	defer close(release)
	var hung []string
	for range workers - 1 {
		org := w.organization()
		w.export(org, slow.URL, token)
		hung = append(hung, org)
	}
	c := hectest.New(t, hectest.Settings{Token: token})
	org := w.organization()
	w.log(org, 500)
	w.export(org, c.URL, token)
	w.whole(org, c)
	for _, h := range hung {
		if w.state(h).After != 0 {
			t.Error("a slow collector was taken to have answered")
		}
	}
}

func TestManyOrganizations(t *testing.T) {
	w, c := newWorld(t), hectest.New(t, hectest.Settings{Token: token, Ack: true})
	var orgs []string
	for range 60 {
		org := w.organization()
		w.export(org, c.URL, token)
		w.log(org, 30)
		orgs = append(orgs, org)
	}
	total := 0
	for _, org := range orgs {
		w.eventually("all are delivered", func() bool { return w.behind(org, w.state(org).After) == 0 })
		total += len(w.ids(org))
	}
	if got := len(distinct(c.Events())); got != total {
		t.Errorf("the collector has %d events, the logs %d", got, total)
	}
}
