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

// masked returns text with the secret part of every token value in it crossed out. All values of an instance are as long
// as the presented one.
func masked(text, presented string) string {
	prefix, _, _ := strings.Cut(presented, "_")
	return crossedOut(text, prefix)
}

func crossedOut(text, prefix string) string {
	shown := len(prefix) + len("_pat_") + 12
	whole := shown + 30 + 6 // secret and checksum
	for from := 0; ; {
		i := strings.Index(text[from:], prefix+"_")
		if i < 0 || from+i+whole > len(text) {
			return text
		}
		i += from
		if _, ok := secret.Parse(text[i : i+whole]); ok {
			text = text[:i+shown] + strings.Repeat("x", whole-shown) + text[i+whole:]
		}
		from = i + 1
	}
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
func (v *Verifier) HoldsValue(text string) bool { return v.Masked(text) != text }

// Masked returns text with the secret part of every token value of this instance crossed out.
func (v *Verifier) Masked(text string) string {
	return crossedOut(text, v.Prefix)
}
