// Package hec speaks to one Splunk HTTP Event Collector: events in its form, batches, indexer acknowledgement, and what its
// answers mean in words. It refuses to know what is delivered and what is not: nothing is tried again here.
package hec

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/outgoing"
)

// Target is where events go, and as what.
type Target struct {
	URL   string // as customers name it: https://collector.example.com:8088, with or without /services/collector…
	Token string
	// Channel is a UUID that acknowledgements belong to.
	Channel string

	Index, Source, Sourcetype string // Index empty: the token's default
	Host                      string // where events come from
}

// Collector is a Target that can be called. It is safe for concurrent use.
type Collector struct {
	Target
	Client *outgoing.Client
}

// Receipt is what the collector said of a batch that it took.
type Receipt struct {
	AckID   int64
	Pending bool // it is to be asked whether AckID is indexed
	cookies []*http.Cookie
}

// paths are what an address may end with; what comes before them is the collector's own.
var paths = []string{"/services/collector/event/1.0", "/services/collector/event", "/services/collector/raw", "/services/collector"}

// Check reads a collector's address. The error says in words what is wrong with it.
func Check(c *outgoing.Client, text string) (*url.URL, error) {
	u, err := c.Check(text)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, &Fault{Kind: Refused, Code: "url", Detail: "It has a part after ?, which a collector's address does not have."}
	}
	return u, nil
}

// endpoint is the address of one of the collector's services.
func (t *Target) endpoint(service string) string {
	base := strings.TrimRight(t.URL, "/")
	for _, p := range paths {
		if trimmed, found := strings.CutSuffix(base, p); found {
			base = strings.TrimRight(trimmed, "/")
			break
		}
	}
	return base + "/services/collector/" + service
}

// Encode gives an event the collector's form: what is a field of events there, and our event as it is everywhere.
func (t *Target) Encode(e *counterfoil.Event) ([]byte, error) { return t.envelope(e.Timestamp, e) }

// Withheld is what is sent in place of an event that the collector does not take: its id and number, so that nobody takes it
// for missing, and the reason.
func (t *Target) Withheld(e *counterfoil.Event, reason string) ([]byte, error) {
	return t.envelope(e.Timestamp, map[string]any{"id": e.ID, "number": e.Number, "organization_id": e.OrganizationID,
		"timestamp": e.Timestamp, "type": cut(e.Type), "action": cut(e.Action), "withheld": reason})
}

// Trial is an event that says that it is a trial.
func (t *Target) Trial(id string, at time.Time) ([]byte, error) {
	return t.envelope(at, map[string]any{"id": id, "timestamp": at, "type": "counterfoil", "action": "export_tested",
		"metadata": map[string]any{"message": "This event was sent to try the way from Counterfoil to this collector. It is in no log."}})
}

func cut(s string) string { return s[:min(len(s), 100)] }

func (t *Target) envelope(at time.Time, event any) ([]byte, error) {
	ms := at.UnixMilli()
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(struct {
		Time       json.RawMessage `json:"time"`
		Host       string          `json:"host,omitempty"`
		Source     string          `json:"source,omitempty"`
		Sourcetype string          `json:"sourcetype,omitempty"`
		Index      string          `json:"index,omitempty"`
		Event      any             `json:"event"`
	}{fmt.Appendf(nil, "%d.%03d", ms/1000, ms%1000), t.Host, t.Source, t.Sourcetype, t.Index, event})
	return b.Bytes(), err
}

// Send posts a batch of encoded events. The error is a *Fault.
func (c *Collector) Send(ctx context.Context, events [][]byte) (Receipt, error) {
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	for _, e := range events {
		w.Write(e) //nolint:errcheck // it goes to memory
	}
	w.Close() //nolint:errcheck // see above
	r, err := c.request(ctx, "event", body.Bytes())
	if err != nil {
		return Receipt{}, err
	}
	r.Header.Set("Content-Encoding", "gzip")
	answer, err := c.Client.Do(r)
	if err != nil {
		return Receipt{}, unreached(c.host(), err)
	}
	told, fault := judge(answer)
	if fault != nil {
		return Receipt{}, fault
	}
	receipt := Receipt{cookies: (&http.Response{Header: answer.Header}).Cookies()}
	if told.AckID != nil {
		receipt.AckID, receipt.Pending = *told.AckID, true
	}
	return receipt, nil
}

// Indexed asks which of the receipts' batches are indexed. A collector says so of each at least once, and may have forgotten it
// when it is asked again. The error is a *Fault.
func (c *Collector) Indexed(ctx context.Context, receipts []Receipt) (map[int64]bool, error) {
	ids := make([]int64, len(receipts))
	for i, r := range receipts {
		ids[i] = r.AckID
	}
	body, err := json.Marshal(map[string]any{"acks": ids})
	if err != nil {
		return nil, err
	}
	r, err := c.request(ctx, "ack?channel="+url.QueryEscape(c.Channel), body)
	if err != nil {
		return nil, err
	}
	for _, cookie := range receipts[len(receipts)-1].cookies { // a load balancer keeps to one of several collectors by it
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	answer, err := c.Client.Do(r)
	if err != nil {
		return nil, unreached(c.host(), err)
	}
	var told struct {
		Acks map[string]bool `json:"acks"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &told) != nil || told.Acks == nil {
		if _, fault := judge(answer); fault != nil {
			return nil, fault
		}
		return nil, &Fault{Kind: Refused, Code: "acknowledgement", Detail: "It gives batches a number to ask about and does not answer the question whether they are indexed. Switch indexer acknowledgment off for this token, or let /services/collector/ack through."}
	}
	indexed := map[int64]bool{}
	for text, yes := range told.Acks {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			indexed[id] = yes
		}
	}
	return indexed, nil
}

func (c *Collector) request(ctx context.Context, service string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint(service), bytes.NewReader(body))
	if err != nil {
		return nil, &Fault{Kind: Refused, Code: "url", Detail: "Its address cannot be called."}
	}
	r.Header.Set("Authorization", "Splunk "+c.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Splunk-Request-Channel", c.Channel)
	r.Header.Set("User-Agent", "counterfoil")
	return r, nil
}

func (c *Collector) host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
