package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// printable makes text of unknown origin safe for a terminal: what could move the cursor, change colours, hide or
// reorder text becomes U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Bidi_Control) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// json prints an answer as the API gives it.
func (s *session) json(v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows under a heading. Cells may hold anything.
func (s *session) table(heading []string, rows [][]string) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	writeRow(w, heading)
	for _, row := range rows {
		writeRow(w, row)
	}
	return w.Flush()
}

func writeRow(w io.Writer, cells []string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = cmp.Or(printable(cell), "-")
	}
	fmt.Fprintln(w, strings.Join(clean, "\t"))
}

// details prints names and values, one pair a line; a value of several lines hangs below itself. Pairs without a value
// are left out.
func (s *session) details(pairs ...string) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		name := pairs[i]
		for line := range strings.Lines(pairs[i+1]) {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(strings.TrimRight(line, "\r\n")))
			name = ""
		}
	}
	return w.Flush()
}

// list prints a whole list: as JSON like one page that is the last, else as a table. None is what to say of no entries.
func list[T any](s *session, asJSON bool, entries []T, none string, heading []string, row func(T) []string) error {
	if asJSON {
		return s.json(counterfoil.Page[T]{Data: append([]T{}, entries...)})
	}
	if len(entries) == 0 {
		s.say("%s", none)
		return nil
	}
	var rows [][]string
	for _, entry := range entries {
		rows = append(rows, row(entry))
	}
	return s.table(heading, rows)
}

// collect gathers a list to its end; of one that fails, nothing.
func collect[T any](entries iter.Seq2[T, error]) (all []T, err error) {
	for entry, err := range entries {
		if err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, nil
}

// relative says how far t is from now, as people do.
func relative(t, now time.Time) string {
	d := t.Sub(now)
	ahead := d > 0
	text := ""
	switch d = d.Abs().Round(time.Second); {
	case d < 5*time.Second:
		return "now"
	case d < time.Minute:
		text = count(int(d/time.Second), "second")
	case d < time.Hour:
		text = count(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		text = count(int(d.Round(time.Hour)/time.Hour), "hour")
	default:
		text = count(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
	}
	if ahead {
		return "in " + text
	}
	return text + " ago"
}

// count is a number of things: "1 day", "2 days".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// since is relative for what may never be.
func since(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return relative(*t, time.Now())
}

// exactly is relative and exact at once.
func exactly(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return relative(*t, time.Now()) + " (" + exact(*t) + ")"
}

func exact(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// receiptText tells when something ended and who has confirmed it: "Revoked 14:02:11.204. Confirmed by 1 of 1 nodes,
// slowest 0.4 ms." What was not today has its day and zone.
func receiptText(what string, r counterfoil.Receipt) string {
	at, layout := r.RevokedAt.Local(), "15:04:05.000"
	if at.Format(time.DateOnly) != time.Now().Format(time.DateOnly) {
		layout = "2006-01-02 15:04:05.000 MST"
	}
	var confirmed, fenced int
	var slowest float64
	for _, n := range r.Nodes {
		if n.ConfirmedInMS != nil {
			confirmed++
			slowest = max(slowest, *n.ConfirmedInMS)
		}
		if n.Fenced {
			fenced++
		}
	}
	text := fmt.Sprintf("%s %s.", what, at.Format(layout))
	switch {
	case len(r.Nodes) > 0:
		text += fmt.Sprintf(" Confirmed by %d of %d %s, slowest %s ms.", confirmed, len(r.Nodes), r.Confirmers(), milliseconds(slowest))
	case r.Complete: // the one that counted them was killed before it answered
		text += " In force on every node; when each confirmed is not known."
	}
	if fenced > 0 {
		text += fmt.Sprintf(" %d could not confirm and stopped answering.", fenced)
	}
	if !r.Complete {
		text += " Not every node has confirmed yet: counterfoil receipt show " + printable(r.ID)
	}
	return text
}

// milliseconds has as many digits as are worth reading.
func milliseconds(ms float64) string {
	switch {
	case ms < 0.1:
		return fmt.Sprintf("%.3f", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// changed prints what a change made of something as the API gives it, with the receipt that came in the header, if any.
func (s *session) changed(ctx context.Context, v any, r *client.ReceiptHeader) error {
	if r == nil {
		return s.json(v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("}\n"))
	if len(body) > 1 {
		body = append(body, ',')
	}
	receipt, err := json.Marshal(map[string]any{"id": r.ID, "complete": r.Complete, "took_ms": r.Took.Milliseconds()})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\"receipt\":%s}\n", body, receipt)
	s.inForce(ctx, r)
	return err
}

// inForce tells that a change is acted on, by the receipt that came with it, if any: what receipt show says of it. Where
// the receipt cannot be read, as by a token that the change ended, or at a node that has not got it yet, its short form.
func (s *session) inForce(ctx context.Context, r *client.ReceiptHeader) {
	if r == nil {
		return
	}
	switch whole, err := s.api.Receipt(ctx, r.ID); {
	case err == nil && whole.Complete:
		s.say("%s Receipt %s.", receiptText("In force since", whole), printable(r.ID))
	case r.Complete:
		s.say("In force: every node has confirmed it or stopped answering. Receipt %s.", printable(r.ID))
	default:
		s.say("Not every node has confirmed yet: counterfoil receipt show %s", printable(r.ID))
	}
}
