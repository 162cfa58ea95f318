package verify

import (
	"encoding/hex"
	"encoding/json"
	"regexp"
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

// crossedOut crosses out of text what may be a value, also one that was percent-encoded, however often: then it is the decoded
// text that is returned.
func crossedOut(text, prefix string) string {
	kept := cutOff(text, prefix)
	for at, level := kept, 0; level < 5; level++ {
		plainer := percentEncoded.ReplaceAllStringFunc(at, func(c string) string {
			b, _ := hex.DecodeString(c[1:]) // two hexadecimal digits
			return string(b)
		})
		if plainer == at {
			break
		}
		if at = cutOff(plainer, prefix); at != plainer {
			kept = at
		}
	}
	return kept
}

var percentEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// cutOff crosses out of text, from the first thing on that begins like a value, all but such beginnings and the ids behind them:
// what follows may be the rest of a value, mistyped or broken by something else.
func cutOff(text, prefix string) string {
	var crossed []byte
	shown := 0 // how many characters of an id may follow
	for i := 0; i < len(text); i++ {
		switch n := beginning(text[i:], prefix); {
		case n > 0:
			if crossed == nil {
				crossed = append(make([]byte, 0, len(text)), text[:i]...)
			}
			crossed = append(crossed, text[i:i+n]...)
			i, shown = i+n-1, idLength
		case crossed == nil:
		case shown > 0 && isBase62(text[i]):
			crossed = append(crossed, text[i])
			shown--
		default:
			crossed = append(crossed, 'x')
			shown = 0
		}
	}
	if crossed == nil {
		return text
	}
	return string(crossed)
}

// beginning is the length of what text begins with as a value does: prefix, kind and their underscores, in any case; 0: it does not.
func beginning(text, prefix string) int {
	n := len(prefix) + len("_pat_")
	if len(text) < n || !strings.EqualFold(text[:len(prefix)], prefix) || text[len(prefix)] != '_' || text[n-1] != '_' {
		return 0
	}
	switch strings.ToLower(text[len(prefix)+1 : n-1]) {
	case "pat", "org", "int", "sys":
		return n
	}
	return 0
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

// Masked returns text without what may be the secret part of a token value of this instance, whole or in part.
func (v *Verifier) Masked(text string) string {
	return crossedOut(text, v.Prefix)
}
