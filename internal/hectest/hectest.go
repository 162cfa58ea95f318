// Package hectest is a HTTP Event Collector for tests: it answers as Splunk's manual says that Splunk's does, with tokens,
// indexes, batches that break off at an invalid event, and indexer acknowledgement. It keeps what it was sent in memory and
// refuses to be more than that.
package hectest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// Event is one that the collector took.
type Event struct {
	Time       json.Number    `json:"time"`
	Host       string         `json:"host"`
	Source     string         `json:"source"`
	Sourcetype string         `json:"sourcetype"`
	Index      string         `json:"index"`
	Event      map[string]any `json:"event"`
}

// ID is our id of the event.
func (e *Event) ID() string { id, _ := e.Event["id"].(string); return id }

// Collector is safe for concurrent use; its settings may be changed between requests, under Set.
type Collector struct {
	URL string
	mu  sync.Mutex
	Settings
	events   []Event // indexed
	channels map[string]*channel
	requests int
	server   *httptest.Server
}

// Settings are what a Splunk administrator sets, and what befalls the collector.
type Settings struct {
	Token    string
	Disabled bool              // the token
	Indexes  []string          // that the token may write to; nil: all
	Ack      bool              // indexer acknowledgement
	Slowly   int               // questions that are answered "not yet" before a batch is indexed; negative: never indexed
	Longest  int64             // of a request in bytes; 0: no bound
	Invalid  func(*Event) bool // events that it takes for malformed
	// Instead answers a request in place of the collector where it returns true.
	Instead func(w http.ResponseWriter, r *http.Request) bool
	// Lost has the collector take a batch and the connection break before the answer.
	Lost func() bool
}

// channel counts the batches of one client and holds those that are not indexed yet.
type channel struct {
	next    int64
	waiting map[int64]*batch
}

type batch struct {
	events []Event
	asked  int
}

// New starts a collector; it ends with the test.
func New(t testing.TB, s Settings) *Collector {
	c := Start(s)
	t.Cleanup(c.Close)
	return c
}

// Start starts a collector. Close it.
func Start(s Settings) *Collector {
	c := &Collector{Settings: s, channels: map[string]*channel{}}
	c.server = httptest.NewServer(c)
	c.URL = c.server.URL
	return c
}

// Close ends it.
func (c *Collector) Close() { c.server.Close() }

// Set changes the settings.
func (c *Collector) Set(change func(*Settings)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.Settings)
}

// Restart forgets what is not indexed, and every channel: what a crash takes with it.
func (c *Collector) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels = map[string]*channel{}
}

// Events are those that are indexed, in the order of their arrival.
func (c *Collector) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Event{}, c.events...)
}

// Requests counts the batches that were offered.
func (c *Collector) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	instead := c.Instead
	c.mu.Unlock()
	if instead != nil && instead(w, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	switch authorization := r.Header.Get("Authorization"); {
	case authorization == "":
		say(w, http.StatusUnauthorized, 2, "Token is required", nil)
	case len(authorization) < 7 || authorization[:7] != "Splunk ":
		say(w, http.StatusUnauthorized, 3, "Invalid authorization", nil)
	case authorization[7:] != c.Token:
		say(w, http.StatusForbidden, 4, "Invalid token", nil)
	case c.Disabled:
		say(w, http.StatusForbidden, 1, "Token disabled", nil)
	case r.URL.Path == "/services/collector/event":
		c.take(w, r)
	case r.URL.Path == "/services/collector/ack":
		c.tell(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		say(w, 0, 404, "The requested URL was not found on this server.", nil)
	}
}

func say(w http.ResponseWriter, status, code int, text string, more map[string]any) {
	told := map[string]any{"text": text, "code": code}
	maps.Copy(told, more)
	if status != 0 {
		w.WriteHeader(status)
	}
	json.NewEncoder(w).Encode(told) //nolint:errcheck // the client is gone
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	c.requests++
	id := r.Header.Get("X-Splunk-Request-Channel")
	if c.Ack && id == "" {
		say(w, http.StatusBadRequest, 10, "Data channel is missing", nil)
		return
	}
	body, err := unpacked(r)
	if err != nil {
		say(w, http.StatusBadRequest, 6, "Invalid data format", map[string]any{"invalid-event-number": 0})
		return
	}
	if c.Longest > 0 && int64(len(body)) > c.Longest {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "<html>Content-Length too large</html>") //nolint:errcheck // the client is gone
		return
	}
	taken, fault := c.parse(body)
	if fault != nil {
		c.events = append(c.events, taken...) // what comes before the fault is indexed
		fault(w)
		return
	}
	if len(taken) == 0 {
		say(w, http.StatusBadRequest, 5, "No data", nil)
		return
	}
	more := map[string]any{}
	if c.Ack {
		more["ackId"] = c.channel(id).add(taken)
	} else {
		c.events = append(c.events, taken...)
	}
	if c.Lost != nil && c.Lost() {
		panic(http.ErrAbortHandler)
	}
	say(w, http.StatusOK, 0, "Success", more)
}

func unpacked(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// parse reads events one behind the other up to the first that is not taken.
func (c *Collector) parse(body []byte) (taken []Event, fault func(http.ResponseWriter)) {
	d := json.NewDecoder(bytes.NewReader(body))
	refuse := func(code int, text string) ([]Event, func(http.ResponseWriter)) {
		n := len(taken)
		return taken, func(w http.ResponseWriter) {
			say(w, http.StatusBadRequest, code, text, map[string]any{"invalid-event-number": n})
		}
	}
	for {
		var e Event
		err := d.Decode(&e)
		switch {
		case errors.Is(err, io.EOF):
			return taken, nil
		case err != nil || c.Invalid != nil && c.Invalid(&e):
			return refuse(6, "Invalid data format")
		case e.Event == nil:
			return refuse(12, "Event field is required")
		case !c.mayWrite(e.Index):
			return refuse(7, "Incorrect index")
		}
		taken = append(taken, e)
	}
}

func (c *Collector) mayWrite(index string) bool {
	if c.Indexes == nil || index == "" {
		return true
	}
	for _, i := range c.Indexes {
		if i == index {
			return true
		}
	}
	return false
}

func (c *Collector) channel(id string) *channel {
	if c.channels[id] == nil {
		c.channels[id] = &channel{waiting: map[int64]*batch{}}
	}
	return c.channels[id]
}

func (h *channel) add(events []Event) int64 {
	id := h.next
	h.next++
	h.waiting[id] = &batch{events: events}
	return id
}

// tell answers which batches are indexed. Of each it says so once, and forgets it.
func (c *Collector) tell(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("channel")
	switch {
	case !c.Ack:
		say(w, http.StatusBadRequest, 14, "ACK is disabled", nil)
		return
	case id == "":
		say(w, http.StatusBadRequest, 10, "Data channel is missing", nil)
		return
	}
	var asked struct {
		Acks []int64 `json:"acks"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		say(w, http.StatusBadRequest, 6, "Invalid data format", nil)
		return
	}
	h, told := c.channel(id), map[string]bool{}
	for _, n := range asked.Acks {
		b := h.waiting[n]
		if b != nil {
			b.asked++
		}
		yes := b != nil && c.Slowly >= 0 && b.asked > c.Slowly
		if yes {
			c.events = append(c.events, b.events...)
			delete(h.waiting, n)
		}
		told[strconv.FormatInt(n, 10)] = yes
	}
	json.NewEncoder(w).Encode(map[string]any{"acks": told}) //nolint:errcheck // the client is gone
}
