package console

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/web"
)

const (
	exportPage   = 1000             // events read and sent at a time: what a download holds in memory
	exportPace   = 60 * time.Second // that a reader may take for so many
	mostExports  = 32               // at a time
	exportsEach  = 4                // of them of one organization
	exportsRetry = 10 * time.Second
)

// downloads are those that are running, by organization. The zero value has none.
type downloads struct {
	mu    sync.Mutex // guards what follows
	all   int
	those map[string]int
}

// begin takes a place for an organization; false: there is none.
func (d *downloads) begin(org string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == mostExports || d.those[org] == exportsEach {
		return false
	}
	if d.those == nil {
		d.those = map[string]int{}
	}
	d.all++
	d.those[org]++
	return true
}

func (d *downloads) end(org string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.those[org]--; d.those[org] == 0 {
		delete(d.those, org)
	}
}

// exportActivity sends what the list shows as a file, oldest first and as it is read: its size does not matter. One that
// breaks off is cut, so that it does not look whole.
func (v *visit) exportActivity() error {
	l, err := v.readActivity()
	if err != nil {
		return err
	}
	if l.form.bad() {
		if l.offers, err = v.activityOffers(); err != nil {
			return err
		}
		return v.show(422, "Activity log", activityPage(v, l))
	}
	if !v.c.exports.begin(v.org()) {
		return web.RetryIn(counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many downloads are running. Try again in a moment."), exportsRetry)
	}
	defer v.c.exports.end(v.org())
	q := l.query
	q.Newest, q.Cursor, q.Limit = false, "", exportPage
	if now := v.now(); q.To.After(now) {
		q.To = now // so that it ends while more is written
	}
	page, err := v.c.Registry.Events(v.r.Context(), v.caller(), v.org(), q)
	if err != nil {
		return err
	}
	kind, media, file := "csv", "text/csv; charset=utf-8; header=present", eventFile(newEventCSV(v.w))
	if v.field("format") == "jsonl" {
		kind, media, file = "jsonl", "application/jsonl; charset=utf-8", newEventLines(v.w)
	}
	name := fmt.Sprintf("activity-%s-%s-%s.%s", v.here.Organization.Slug, l.from.Format(dayForm), l.to.Format(dayForm), kind)
	v.w.Header().Set("Content-Type", media)
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := v.sendEvents(file, page, q); err != nil {
		if v.r.Context().Err() == nil {
			v.c.Logger.Warn("a download of the activity log broke off", "request_id", web.RequestID(v.w), "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// sendEvents writes a page and all that follow it.
func (v *visit) sendEvents(file eventFile, page counterfoil.EventPage, q registry.EventQuery) (err error) {
	control := http.NewResponseController(v.w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(exportPace)) // a writer that has no deadlines has none to keep
		for i := range page.Data {
			if err := file.write(&page.Data[i]); err != nil {
				return err
			}
		}
		if err := file.flush(); err != nil || !page.More {
			return err
		}
		q.Cursor = *page.NextCursor
		if page, err = v.c.Registry.Events(v.r.Context(), v.caller(), v.org(), q); err != nil {
			return err
		}
	}
}

// eventFile is a file of events that is being written.
type eventFile interface {
	write(*counterfoil.Event) error
	flush() error
}

// eventLines is one JSON object a line, as the API has it.
type eventLines struct{ *json.Encoder }

func newEventLines(w io.Writer) eventLines {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return eventLines{e}
}

func (l eventLines) write(e *counterfoil.Event) error { return l.Encode(e) }
func (l eventLines) flush() error                     { return nil }

// eventCSV is a table as RFC 4180 has it, which a spreadsheet opens without running anything in it.
type eventCSV struct{ *csv.Writer }

var eventColumns = []string{"number", "id", "time", "member", "what", "type", "action", "actor_kind", "actor_id", "token_id", "ip", "user_agent",
	"target_kind", "target_id", "target_name", "user_uuid", "initiator", "occurred_at", "metadata", "hash"}

func newEventCSV(w io.Writer) eventCSV {
	out := eventCSV{csv.NewWriter(w)}
	out.UseCRLF = true
	_ = out.Write(eventColumns) // what cannot be written is told by flush
	return out
}

func (c eventCSV) write(e *counterfoil.Event) error {
	occurred := ""
	if e.OccurredAt != nil {
		occurred = e.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	row := []string{strconv.FormatInt(e.Number, 10), e.ID, e.Timestamp.UTC().Format("2006-01-02T15:04:05.000000Z"), eventWho(e), eventAction(e), e.Type, e.Action,
		e.Actor.Kind, e.Actor.ID, e.Actor.TokenID, e.Actor.IP, e.Actor.UserAgent, e.Target.Kind, e.Target.ID, e.Target.Name, e.User.UUID, e.Initiator, occurred,
		string(e.Metadata), hex.EncodeToString(e.Hash)}
	for i := range row {
		row[i] = cell(row[i])
	}
	return c.Write(row)
}

func (c eventCSV) flush() error {
	c.Flush()
	return c.Error()
}

// cell makes text of what a spreadsheet would take for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r\n") {
		return "'" + text
	}
	return text
}
