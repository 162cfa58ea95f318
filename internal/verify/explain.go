package verify

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

const (
	maxKeptText        = 300 // bytes of an endpoint or a permission's name
	maxKeptPermissions = 20
	maxKeptSteps       = 30
)

// explain judges a refused attempt once more with the trace on. What a caller sent is kept short and without secrets: no
// query string, and no token value.
func (n *refusals) explain(r *Result, q *Request, now counterfoil.Instant) *refusal {
	attempt := q.Attempt
	attempt.Value = r.Match
	path, _, _ := strings.Cut(attempt.Path, "?")
	attempt.Method, attempt.Path = masked(attempt.Method, q.Token), masked(path, q.Token)
	attempt.Permissions = make([]string, len(q.Permissions))
	kept := make([]string, 0, min(len(q.Permissions), maxKeptPermissions))
	for i, name := range q.Permissions {
		attempt.Permissions[i] = masked(name, q.Token)
		if len(kept) < maxKeptPermissions {
			kept = append(kept, plain(attempt.Permissions[i]))
		}
	}
	record, holder := r.judged()
	var trace judge.Trace
	judge.Use(&record, holder, &r.rules.Rules, &attempt, now, &trace)
	if extra := len(trace.Steps) - maxKeptSteps; extra > 0 {
		trace.Steps = trace.Steps[extra:] // the last one decided
	}
	steps, err := json.Marshal(trace.Steps)
	if err != nil {
		steps = []byte("[]")
	}
	out := &refusal{dirty: true, Refusal: store.Refusal{
		ID: store.NewID("ref"), Organization: r.entry.home.org.id, Token: tokenID(r.id), Code: r.Code, Permissions: kept,
		FirstAt: now, LastAt: now, Count: 1, Trace: string(steps),
	}}
	if q.IP.IsValid() {
		out.IP = q.IP.String()
	}
	if path != "" {
		out.Endpoint = plain(attempt.Method + " " + attempt.Path)
	}
	return out
}

// masked returns text with the secret part of every token value in it crossed out, by the prefix of the presented one.
func masked(text, presented string) string {
	prefix, _, _ := strings.Cut(presented, "_")
	return crossedOut(text, prefix)
}

const idLength = 12 // characters of a value after its kind: its id, which is no secret

// crossedOut leaves of whatever begins like a value no more than its id, also where the value is cut short or mistyped.
func crossedOut(text, prefix string) string {
	head := len(prefix) + len("_pat_")
	var crossed []byte // of text, which is searched as it was: one value may begin in the last letters of another
	for from := 0; ; from++ {
		i := strings.Index(text[from:], prefix+"_")
		if from += i; i < 0 || from+head > len(text) {
			break
		}
		if text[from+head-1] != '_' {
			continue
		}
		for end := from + head; end < len(text) && isBase62(text[end]); end++ {
			if end < from+head+idLength {
				continue
			}
			if crossed == nil {
				crossed = []byte(text)
			}
			crossed[end] = 'x'
		}
	}
	if crossed == nil {
		return text
	}
	return string(crossed)
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// plain returns text that every database takes, cut to maxKeptText.
func plain(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) <= maxKeptText {
		return text
	}
	end := maxKeptText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// HoldsValue reports whether text holds a token's value of this instance, whole and well-formed: such a text is not to be
// kept or repeated (S1).
func (v *Verifier) HoldsValue(text string) bool {
	whole := len(v.Prefix) + len("_pat_") + idLength + 30 + 6 // secret and checksum
	for from := 0; ; from++ {
		i := strings.Index(text[from:], v.Prefix+"_")
		if from += i; i < 0 || from+whole > len(text) {
			return false
		}
		if _, ok := secret.Parse(text[from : from+whole]); ok {
			return true
		}
	}
}

// Masked returns text without the secret part of any token value of this instance, whole or in part.
func (v *Verifier) Masked(text string) string {
	return crossedOut(text, v.Prefix)
}
