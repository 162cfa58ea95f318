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

// masked returns text with the secret part of every token value in it crossed out, by the prefix of the presented one; and pieces
// of the presented one's secret wherever they stand.
func masked(text, presented string) string {
	prefix, rest, _ := strings.Cut(presented, "_")
	return crossedOut(text, prefix, rest[min(len("pat_")+idLength, len(rest)):])
}

const (
	idLength    = 12                // characters of a value after its kind: its id, which is no secret
	afterKind   = idLength + 30 + 6 // characters of a value after its kind: id, secret and checksum
	pieceLength = 6                 // characters of a known secret that are crossed out on their own
	maxDecoded  = 5                 // times that percent-encoding is undone
)

// crossedOut crosses out of text what may be a value, also one that was percent-encoded, however often: then it is the decoded
// text that is returned, and of one that was encoded more than maxDecoded times nothing. known is a secret or "".
func crossedOut(text, prefix, known string) string {
	kept := cutOff(text, prefix, known)
	for at, level := kept, 0; ; level++ {
		plainer := percentEncoded.ReplaceAllStringFunc(at, func(c string) string {
			b, _ := hex.DecodeString(c[1:]) // two hexadecimal digits
			return string(b)
		})
		if plainer == at {
			return kept
		}
		if level == maxDecoded {
			return strings.Repeat("x", len(kept))
		}
		if at = cutOff(plainer, prefix, known); at != plainer {
			kept = at
		}
	}
}

// percentEncoded matches visible ASCII and the space only: no value has anything else, and a log or an event gets no control
// characters by the decoding.
var percentEncoded = regexp.MustCompile(`%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])`)

// cutOff crosses out of text, from the first thing on that begins like a value, all but such beginnings and the ids of whole
// values behind them: what follows may be the rest of a value, mistyped or broken by something else.
func cutOff(text, prefix, known string) string {
	text = withoutPieces(text, known)
	var crossed []byte
	shown := 0 // where what is kept ends
	for i := range len(text) {
		if n := beginning(text[i:], prefix); n > 0 {
			if crossed == nil {
				crossed = append(make([]byte, 0, len(text)), text[:i]...)
			}
			if shown = i + n; startsWhole(text[shown:]) {
				shown += idLength
			}
		}
		switch {
		case crossed == nil:
		case i < shown:
			crossed = append(crossed, text[i])
		default:
			crossed = append(crossed, 'x')
		}
	}
	if crossed == nil {
		return text
	}
	return string(crossed)
}

// withoutPieces crosses out of text every piece of known.
func withoutPieces(text, known string) string {
	var crossed []byte
	for i := 0; len(known) >= pieceLength && i+pieceLength <= len(text); i++ {
		if strings.Contains(known, text[i:i+pieceLength]) {
			if crossed == nil {
				crossed = []byte(text)
			}
			copy(crossed[i:], "xxxxxx")
		}
	}
	if crossed == nil {
		return text
	}
	return string(crossed)
}

// beginning is the length of what text begins with as a value does: prefix and kind and their underscores, in any case, the kind
// any three characters, for it may be mistyped; 0: it does not.
func beginning(text, prefix string) int {
	n := len(prefix) + len("_pat_")
	if len(text) < n || !strings.EqualFold(text[:len(prefix)], prefix) || text[len(prefix)] != '_' || text[n-1] != '_' {
		return 0
	}
	return n
}

// startsWhole reports whether text begins as a whole value goes on after its kind. Of anything shorter the first characters may
// be those of the secret.
func startsWhole(text string) bool {
	if len(text) < afterKind {
		return false
	}
	for i := range afterKind {
		if !isBase62(text[i]) {
			return false
		}
	}
	return true
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
	whole := len(v.Prefix) + len("_pat_") + afterKind
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
	return crossedOut(text, v.Prefix, "")
}
