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
)

// writing has a few writers write events of the product while clients read. It closes done when they are through.
type writing struct {
	n    int // events in the end: action device_seen, metadata.n from 0
	done chan struct{}
}

func (o *tenant) writeOn(t *testing.T, writers, batches, size int, pause time.Duration) writing {
	w := writing{n: writers * batches * size, done: make(chan struct{})}
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for b := range batches {
				if a := o.produce(t, o.token, (i*batches+b)*size, size); a.status != 201 {
					t.Errorf("write: %s", a.text())
				}
				time.Sleep(pause) // so that what clients read ends among the writes
			}
		})
	}
	go func() { group.Wait(); close(w.done) }()
	return w
}

func (w *writing) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// reading is what a client has read: how often each event of the writers came, by id.
type reading map[string]map[string]int // metadata.n → id → times

func (r reading) take(a answer) (n int) {
	n = a.count("data")
	for i := range n {
		at := fmt.Sprint("data.", i)
		if a.at(at+".action") != "device_seen" {
			continue
		}
		key := a.at(at + ".metadata.n")
		if r[key] == nil {
			r[key] = map[string]int{}
		}
		r[key][a.at(at+".id")]++
	}
	return n
}

// complete checks that every event came, each under one id.
func (r reading) complete(t *testing.T, w *writing) {
	t.Helper()
	for i := range w.n {
		if got := r[strconv.Itoa(i)]; len(got) != 1 {
			t.Errorf("event %d came under the ids %v", i, got)
		}
	}
}

// sentinelPolls: N7. The connection that the template for Microsoft Sentinel makes polls as Microsoft documents it: a query
// window after the other, each beginning where the one before has ended, page after page by the counts of the answer. Every
// event comes, and by its id once, while more are written. Numbers in the body come as such or as text.
func sentinelPolls(t *testing.T, o *tenant) {
	p := sentinelConnection(t)
	token := o.integration(t, counterfoil.IntegrationSentinel).secret
	credential := strings.TrimSpace(p.Auth.Identifier + " " + token)
	from, w, seen := time.Now().Unix(), o.writeOn(t, 3, 12, 7, 130*time.Millisecond), reading{}
	for round, over := 0, false; !over; round++ {
		over = w.over() // then one more window, to now
		to := time.Now().Unix()
		for page, pages := 1, int64(1); int64(page) <= pages; page++ {
			a := must(t, "poll", o.ask(t, "", query, p.body(t, from, to, page, 10, round%2 == 1), p.Auth.Name, credential), "200")
			seen.take(a)
			var err error
			if pages, err = strconv.ParseInt(a.at(strings.TrimPrefix(p.Paging.PageCountPath, "$.")), 10, 64); err != nil {
				t.Fatalf("%s: %v", p.Paging.PageCountPath, err)
			}
		}
		from = to
	}
	seen.complete(t, &w)
	custom := o.integration(t, counterfoil.IntegrationCustom).secret
	expect(t, "text for a number from others", o.ask(t, custom, query, `{"page":"1"}`), "400 invalid_request /page")
	expect(t, "no number", o.ask(t, token, query, `{"page":"x","timestamp_from":"","timestamp_to":"5.5"}`), "400 invalid_request /page /timestamp_from /timestamp_to")
}

// connection is what of the template's poller decides what it sends.
type connection struct {
	Auth struct {
		Type       string `json:"type"`
		Key        string `json:"ApiKey"`
		Name       string `json:"ApiKeyName"`
		Identifier string `json:"ApiKeyIdentifier"`
	} `json:"auth"`
	Request struct {
		Method     string `json:"httpMethod"`
		JSON       bool   `json:"isPostPayloadJson"`
		Template   string `json:"queryParametersTemplate"`
		TimeFormat string `json:"queryTimeFormat"`
	} `json:"request"`
	Response struct {
		Events []string `json:"eventsJsonPaths"`
	} `json:"response"`
	Paging struct {
		Type          string `json:"pagingType"`
		Page          string `json:"pageNumberParaName"`
		Placement     string `json:"pagingInfoPlacement"`
		ZeroBased     bool   `json:"zeroBasedIndexing"`
		PageCountPath string `json:"pageCountJsonPath"`
	} `json:"paging"`
}

// body is what the poller sends: the template with the window filled in, and the page.
func (p *connection) body(t *testing.T, from, to int64, page, perPage int, quoted bool) string {
	t.Helper()
	text := strings.NewReplacer("{_QueryWindowStartTime}", fmt.Sprint(from), "{_QueryWindowEndTime}", fmt.Sprint(to)).Replace(p.Request.Template)
	var body map[string]any
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("the template makes %s: %v", text, err)
	}
	body["per_page"] = perPage // a short page, so that there are several
	body[p.Paging.Page] = page
	if quoted {
		for name, value := range body {
			if n, isNumber := value.(float64); isNumber {
				value = int64(n)
			}
			body[name] = fmt.Sprint(value)
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
