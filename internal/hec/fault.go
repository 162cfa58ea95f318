package hec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/counterfoil/counterfoil/internal/outgoing"
)

// Kind is what is to be done about a fault.
type Kind int

const (
	// Busy may pass: try the same again, not before Fault.After.
	Busy Kind = iota
	// Refused does not pass before a person changes something, here or there.
	Refused
	// Invalid is for one event of the batch: Fault.Event, counted from 0, or -1 where the collector does not say which. Events
	// before it may have been taken.
	Invalid
	// TooLarge is for the batch: send less at once.
	TooLarge
)

// Fault is why a batch was not taken.
type Fault struct {
	Kind   Kind
	Code   string // a stable name
	Detail string // in words, for who set it up
	After  time.Duration
	Event  int
}

func (f *Fault) Error() string { return f.Detail }

// reply is what a collector answers.
type reply struct {
	Text  string `json:"text"`
	Code  *int   `json:"code"`
	AckID *int64 `json:"ackId"`
	Event *int   `json:"invalid-event-number"`
}

func unreached(host string, err error) *Fault {
	detail := outgoing.Explain(host, err)
	if strings.Contains(detail, "nothing listens") {
		detail += " In Splunk, HTTP Event Collector must be enabled: Settings → Data inputs → HTTP Event Collector → Global settings."
	}
	return &Fault{Kind: Busy, Code: "unreachable", Detail: detail}
}

// judge reads an answer: nil where the collector took what it was sent.
func judge(a outgoing.Answer) (told reply, fault *Fault) {
	spoken := json.Unmarshal(a.Body, &told) == nil && told.Code != nil
	switch {
	case spoken && a.Status == http.StatusOK && *told.Code == 0:
		return told, nil
	case spoken:
		fault = told.fault(a.Status)
	default:
		fault = stranger(a)
	}
	if fault.Kind == Busy {
		fault.After = retryAfter(a.Header.Get("Retry-After"), time.Now())
	}
	return told, fault
}

// words are what Splunk's own codes mean, and what to do; from the table of its manual.
var words = map[int]Fault{
	1:  {Kind: Refused, Code: "token_disabled", Detail: "The collector knows this token and has it disabled. Enable it in Splunk."},
	2:  {Kind: Refused, Code: "token_missing", Detail: "The collector got no token. A proxy in between may remove the Authorization header."},
	3:  {Kind: Refused, Code: "token_unreadable", Detail: "The collector could not read the token. A proxy in between may change the Authorization header."},
	4:  {Kind: Refused, Code: "token_unknown", Detail: "The collector does not know this token. Copy its value from Splunk once more: Settings → Data inputs → HTTP Event Collector."},
	7:  {Kind: Refused, Code: "index_not_allowed", Detail: "The token may not write to this index, or there is no such index. Allow it in the token's settings in Splunk, or name another one here."},
	8:  {Kind: Busy, Code: "collector_error", Detail: "The collector has an internal error. Its splunkd.log says which."},
	9:  {Kind: Busy, Code: "collector_busy", Detail: "The collector is busy."},
	10: {Kind: Refused, Code: "channel_missing", Detail: "The token wants indexer acknowledgment, which needs a channel, and the collector got none. A proxy in between removes the header X-Splunk-Request-Channel: let it through, or switch indexer acknowledgment off for this token."},
	11: {Kind: Refused, Code: "channel_invalid", Detail: "The collector does not take the channel that acknowledgements belong to. A proxy in between may change the header X-Splunk-Request-Channel."},
	14: {Kind: Refused, Code: "acknowledgement_disabled", Detail: "Indexer acknowledgment is disabled for this token, and the collector gives numbers to ask about all the same."},
	18: {Kind: Busy, Code: "collector_busy", Detail: "The collector's queues are full."},
	19: {Kind: Busy, Code: "collector_busy", Detail: "The collector's acknowledgement service does not answer."},
	20: {Kind: Busy, Code: "collector_busy", Detail: "The collector's queues are full."},
	21: {Kind: Refused, Code: "token_unknown", Detail: "The collector does not know this token. Copy its value from Splunk once more."},
	22: {Kind: Refused, Code: "token_disabled", Detail: "The collector knows this token and has it disabled. Enable it in Splunk."},
	23: {Kind: Busy, Code: "collector_busy", Detail: "The collector is shutting down."},
}

// aboutEvents are the codes that say that an event is not in a form that the collector takes.
var aboutEvents = map[int]bool{5: true, 6: true, 12: true, 13: true, 15: true}

func (told *reply) fault(status int) *Fault {
	if aboutEvents[*told.Code] && status == http.StatusBadRequest {
		f := &Fault{Kind: Invalid, Code: "event_invalid", Detail: told.quoted(), Event: -1}
		if told.Event != nil {
			f.Event = *told.Event
		}
		return f
	}
	if f, known := words[*told.Code]; known {
		return &f
	}
	f := byStatus(status)
	f.Detail += " It says " + told.quoted() + "."
	return f
}

// quoted is what the collector said, as one short line of printable text.
func (told *reply) quoted() string {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, told.Text[:min(len(told.Text), 200)])
	return fmt.Sprintf("%q (code %d)", strings.ToValidUTF8(text, ""), *told.Code)
}

// stranger is an answer that no collector gives.
func stranger(a outgoing.Answer) *Fault {
	f := byStatus(a.Status)
	switch page := bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<")) || strings.Contains(a.Header.Get("Content-Type"), "html"); {
	case a.Status >= 300 && a.Status < 400:
		f.Code, f.Detail = "redirect", "It sends elsewhere, which is not followed: the token would go there too. Give the address of the collector itself, not of a page or a sign-in."
	case f.Kind == Busy && page:
		f.Detail += " The answer is a page for people: it comes from a proxy or load balancer in front of the collector."
	case page && f.Kind == Refused:
		f.Code, f.Detail = "not_a_collector", "It answered "+strconv.Itoa(a.Status)+" with a page for people, as a proxy, a firewall or Splunk's own web pages do, and not as a collector. Let the path /services/collector/event through; Splunk's collector has a port of its own, 8088 where nobody changed it."
	case a.Status < 300:
		f.Code, f.Detail = "not_a_collector", "It answered, but not as a collector does. Check host, port and path."
	}
	return f
}

func byStatus(status int) *Fault {
	n := strconv.Itoa(status)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Fault{Kind: Refused, Code: "forbidden", Detail: "It refused the request with " + n + ": the token may be wrong, or something in front of the collector wants a sign-in."}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return &Fault{Kind: Refused, Code: "no_such_path", Detail: "There is no collector at this address: it answered " + n + ". HTTP Event Collector may be disabled, or host, port or path be another's."}
	case http.StatusProxyAuthRequired:
		return &Fault{Kind: Refused, Code: "proxy", Detail: "A proxy in between wants a sign-in (407)."}
	case http.StatusRequestEntityTooLarge:
		return &Fault{Kind: TooLarge, Code: "too_large", Detail: "It takes no request of this size (413)."}
	case http.StatusUnsupportedMediaType:
		return &Fault{Kind: Refused, Code: "not_a_collector", Detail: "It takes no compressed JSON (415). Splunk's collector does."}
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return &Fault{Kind: Busy, Code: "collector_busy", Detail: "It wants to be called less often (" + n + ")."}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return &Fault{Kind: Busy, Code: "collector_unavailable", Detail: "A proxy in front of the collector cannot reach it (" + n + ")."}
	}
	if status >= 500 {
		return &Fault{Kind: Busy, Code: "collector_unavailable", Detail: "The collector is not available (" + n + ")."}
	}
	return &Fault{Kind: Refused, Code: "refused", Detail: "It refused the request with " + n + "."}
}

// longestAfter bounds how long a collector can have us wait.
const longestAfter = time.Hour

// retryAfter reads the header (RFC 9110 section 10.2.3): seconds, or a date. 0: there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), longestAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestAfter)
	}
	return 0
}
