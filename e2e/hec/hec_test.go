// Package main_test pushes the log of a real Counterfoil into a collector that others wrote, and kills both.
package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const token = "6f1e2a9c-0b1d-4c3e-8f5a-7d9b1c2e3f40"

// world is a server, and a collector that its organization's log is pushed to.
type world struct {
	t                 *testing.T
	server, collector *program
	system            string
	file              string // what the collector took
	n                 int
}

func newWorld(t *testing.T, ack string) *world {
	t.Helper()
	dir, listen, receive := t.TempDir(), freeAddress(t), freeAddress(t)
	w := &world{t: t, file: filepath.Join(dir, "taken.jsonl"), system: setUp(t, dir)}
	w.collector = start(t, receive, receiver, receive, w.file, token, ack)
	w.server = start(t, listen, counterfoil, "serve", "--data", dir, "--listen", listen, "--admin-listen", "-", "--outgoing-allow", "127.0.0.0/8")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return w
}

// ask asks the server about the organization. The error is the network's: the server is away.
func (w *world) ask(line, body string, answer any) (status int, err error) {
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequest(method, "http://"+w.server.address+"/v1/organizations/acme/"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+w.system)
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	return a.StatusCode, err
}

func (w *world) must(line, body string, answer any) {
	w.t.Helper()
	if status, err := w.ask(line, body, answer); err != nil || status/100 != 2 {
		w.t.Fatalf("%s: %d, %v", line, status, err)
	}
}

func (w *world) export(token string) {
	w.t.Helper()
	w.must("PUT exports/splunk", fmt.Sprintf(`{"url":"http://%s","token":%q,"index":"security","backfill":true}`, w.collector.address, token), nil)
}

// log writes n events, as the product does; false: the server is away.
func (w *world) log(n int) bool {
	var b bytes.Buffer
	for i := range n {
		w.n++
		fmt.Fprintf(&b, `%s{"type":"devices","action":"device_restarted","metadata":{"n":%d,"text":"ä <b> \u2028"}}`, map[bool]string{true: ","}[i > 0], w.n)
	}
	status, err := w.ask("POST events", `{"events":[`+b.String()+`]}`, nil)
	return err == nil && status == http.StatusCreated || err == nil && status == http.StatusOK
}

type state struct {
	Status      string
	DeliveredTo int64 `json:"delivered_to"`
	LagEvents   int64 `json:"lag_events"`
	Missing     int64
	LastError   *struct{ Code, Detail string } `json:"last_error"`
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	late := time.After(patience)
	for look := time.NewTicker(20 * time.Millisecond); !holds(); {
		select {
		case <-look.C:
		case <-late:
			w.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// taken is an event as the collector took it.
type taken struct {
	As    map[string]string
	Time  time.Time
	Event struct {
		ID        string
		Number    float64
		Type      string
		Timestamp time.Time
		Metadata  struct {
			N    float64
			Text string
		}
	}
}

// read reads what the collector took of the log: by id, and how many there were with repetitions.
func (w *world) read() (byID map[string]taken, all int) {
	w.t.Helper()
	f, err := os.Open(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	byID = map[string]taken{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e taken
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Event.Number > 0 {
			all++
			byID[e.Event.ID] = e
		}
	}
	return byID, all
}

// whole waits until the server says that all is delivered, and compares the log with what the collector took.
func (w *world) whole() (events, sent int) {
	w.t.Helper()
	var s state
	w.eventually("all is delivered", func() bool {
		_, err := w.ask("GET exports/splunk", "", &s)
		return err == nil && s.Status == "up_to_date" && s.LagEvents == 0
	})
	got, all := w.read()
	numbers := map[float64]bool{}
	for after, more := "", true; more; {
		var page struct {
			Data []struct {
				ID        string
				Number    float64
				Timestamp time.Time
				Metadata  struct{ N float64 }
			}
			NextCursor string `json:"next_cursor"`
			More       bool
		}
		w.must("GET events?limit=200&after="+after, "", &page)
		for _, e := range page.Data {
			events++
			numbers[e.Number] = true
			took, there := got[e.ID]
			if !there || took.Event.Number != e.Number || took.Event.Metadata.N != e.Metadata.N || !took.Event.Timestamp.Equal(e.Timestamp) {
				w.t.Fatalf("event #%v is there %v: %+v", e.Number, there, took)
			}
			if gap := took.Time.Sub(e.Timestamp).Abs(); gap > time.Millisecond {
				w.t.Fatalf("event #%v has the time %v, want %v to the millisecond", e.Number, took.Time, e.Timestamp)
			}
		}
		after, more = page.NextCursor, page.More
	}
	if len(got) != events || len(numbers) != events || s.Missing != 0 || !numbers[float64(s.DeliveredTo)] || s.DeliveredTo != int64(slices.Max(slices.Collect(maps.Keys(numbers)))) {
		w.t.Fatalf("the log has %d events, the collector %d; delivered to #%d, %d missing", events, len(got), s.DeliveredTo, s.Missing)
	}
	return events, all
}

func TestDelivers(t *testing.T) {
	for _, ack := range []string{"plain", "ack"} {
		t.Run(ack, func(t *testing.T) {
			w := newWorld(t, ack)
			if !w.log(900) {
				t.Fatal("no events were written")
			}
			w.export(token)
			for range 4 {
				w.log(700)
			}
			events, sent := w.whole()
			if sent != events {
				t.Errorf("with nothing wrong %d events were sent, of %d", sent, events)
			}
			got, _ := w.read()
			for _, e := range got {
				if e.As["host.name"] != "127.0.0.1" || e.As["com.splunk.source"] != "counterfoil" || e.As["com.splunk.sourcetype"] != "counterfoil:activity" || e.As["com.splunk.index"] != "security" {
					t.Fatalf("it came as %v", e.As)
				}
				if e.Event.Type == "devices" && e.Event.Metadata.Text != "ä <b> \u2028" {
					t.Fatalf("the text came as %q", e.Event.Metadata.Text)
				}
			}
		})
	}
}

// Both ends are killed again and again while events are written: with repetitions left out nothing is missing and nothing is
// there twice.
func TestKilledWhileItPushes(t *testing.T) {
	for _, ack := range []string{"plain", "ack"} {
		t.Run(ack, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(4, uint64(len(ack))))
			w := newWorld(t, ack)
			w.export(token)
			const kills = 9
			for i := range kills {
				stop := time.After(time.Duration(r.IntN(800)) * time.Millisecond)
				for writing := true; writing; {
					select {
					case <-stop:
						writing = false
					default:
						w.log(1 + r.IntN(100))
					}
				}
				if i%3 == 2 {
					w.collector.end(syscall.SIGKILL)
					w.log(50)
				}
				w.server.end(syscall.SIGKILL)
				w.server.again()
				if i%3 == 2 {
					w.log(50)
					w.collector.again()
				}
			}
			events, sent := w.whole()
			t.Logf("%d kills: %d events, sent %d times", kills, events, sent)
		})
	}
}

func TestSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, "plain")
	for _, test := range []struct{ token, code string }{{token, "ok"}, {"another", "forbidden"}} {
		w.export(test.token)
		var answer struct {
			OK           bool
			Code, Detail string
		}
		w.must("POST exports/splunk/test", "", &answer)
		if answer.Code != test.code || answer.OK != (test.code == "ok") {
			t.Errorf("%s: %+v", test.token, answer)
		}
	}
	w.collector.end(syscall.SIGTERM)
	var answer struct{ Code, Detail string }
	w.must("POST exports/splunk/test", "", &answer)
	if answer.Code != "unreachable" || !strings.Contains(answer.Detail, "nothing listens there") {
		t.Errorf("%+v", answer)
	}
	w.export(token)
	w.eventually("the export says so too", func() bool {
		var s state
		_, err := w.ask("GET exports/splunk", "", &s)
		return err == nil && s.Status == "retrying" && s.LastError != nil && s.LastError.Code == "unreachable"
	})
	w.collector.again()
	w.whole()
}
