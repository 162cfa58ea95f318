package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

func exact(at time.Time) string { return at.UTC().Format("Monday 2 January 2006, 15:04:05 UTC") }

func date(at time.Time) string { return at.UTC().Format("2 January 2006") }

// moment is a time to the millisecond, with its day where that is not today: "at 14:02:11.204 UTC".
func moment(now, at time.Time) string {
	const clock, day = "at 15:04:05.000 UTC", "on 2 January 2006 "
	if at = at.UTC(); at.Format(day) == now.UTC().Format(day) {
		return at.Format(clock)
	}
	return at.Format(day + clock)
}

// relative says how far a time is from now, in the largest unit that fits.
func relative(now, at time.Time) string {
	d := at.Sub(now)
	text := length(d.Abs())
	switch {
	case d.Abs() < 5*time.Second:
		return "just now"
	case d < 0:
		return text + " ago"
	}
	return "in " + text
}

// length is a span in words, in the largest unit that is not misleading: 90 days, not 3 months.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return plural(int64(math.Ceil(d.Seconds())), "second")
	case d < time.Hour:
		return plural(int64(d.Round(time.Minute)/time.Minute), "minute")
	case d < 2*day:
		return plural(int64(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int64(d.Round(day)/day), "day")
}

// seconds is length for what policies hold.
func seconds(n int64) string {
	d := time.Duration(min(n, int64(math.MaxInt64/time.Second))) * time.Second
	if d >= time.Hour && d < 48*time.Hour && d%time.Hour != 0 {
		return plural(int64(d/time.Minute), "minute")
	}
	return length(d)
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%s %ss", thousands(n), unit)
}

// capital begins with a capital.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// list joins words as people do: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// receiptWords says on how many nodes a change is true, and how long that took; empty for a change that narrowed nothing.
func receiptWords(r *counterfoil.Receipt) string {
	if r == nil || r.ID == "" {
		return ""
	}
	if len(r.Nodes) == 0 && r.Complete { // the one that counted them was killed before it answered
		return "In force on every node; when each confirmed is not known."
	}
	confirmed, slowest := 0, 0.0
	for _, n := range r.Nodes {
		if n.ConfirmedInMS != nil {
			confirmed++
			slowest = max(slowest, *n.ConfirmedInMS)
		}
	}
	all := plural(int64(len(r.Nodes)), "node")
	if who := r.Confirmers(); who != "nodes" {
		all = fmt.Sprintf("%d %s", len(r.Nodes), who)
	}
	words := fmt.Sprintf("Confirmed by %d of %s, slowest %s.", confirmed, all, milliseconds(slowest))
	if fenced := len(r.Nodes) - confirmed; fenced > 0 {
		words += fmt.Sprintf(" %d could not confirm and had stopped answering by then.", fenced)
	}
	return words
}

func milliseconds(ms float64) string {
	switch {
	case ms < 1:
		return "under 1 ms"
	case ms < 10_000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

func errorTitle(p *web.ProblemDetails) string {
	switch p.Code {
	case counterfoil.CodeNotFound:
		return "There is nothing here"
	case counterfoil.CodeMissingPermission:
		return "That is not yours to do"
	case counterfoil.CodeInternal:
		return "Something broke on our side"
	case counterfoil.CodeUnavailable:
		return "The service is out of reach for a moment"
	case counterfoil.CodeMissingCredentials:
		return "Sign in first"
	}
	return p.Title
}

func toneIcon(tone string) string {
	switch tone {
	case "good":
		return "circle-check"
	case "warn":
		return "triangle-alert"
	case "bad":
		return "circle-x"
	}
	return "info"
}

func currentIf(current bool) string {
	if current {
		return "true"
	}
	return "false"
}

// thousandless is a number as forms send it.
func thousandless(n int64) string { return strconv.FormatInt(n, 10) }

// ownerName says whose a token is.
func ownerName(t *counterfoil.Token) string {
	switch {
	case t.Owner != nil:
		return t.Owner.Name
	case t.Integration != nil:
		return integrationName(*t.Integration)
	}
	return "The organization"
}
