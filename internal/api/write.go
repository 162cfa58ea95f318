package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// Answers of the check are appended to pooled buffers: reflection would cost more than the judgement.

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= 64<<10 {
		buffers.Put(b)
	}
}

var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// toMachine takes out of a verdict's answer what is said to browsers alone: none reads it, and each header of a check over HTTP
// is kept, copied, sorted and written.
func toMachine(h http.Header) {
	delete(h, "Referrer-Policy")
	delete(h, "X-Content-Type-Options")
}

func writeJSON(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = jsonType, noStore
	_, _ = w.Write(body) // a client that has gone is told nothing
}

// appendVerdict appends v in the shape of counterfoil.Verdict.
func appendVerdict(b []byte, v *verify.Result) []byte {
	if !v.Active() {
		b = append(b, `{"active":false,"code":`...)
		b = appendString(b, string(v.Code))
		b = append(b, `,"message":`...)
		b = appendString(b, v.Message())
		if v.Reference != "" {
			b = append(b, `,"reference":`...)
			b = appendString(b, v.Reference)
		}
		return append(b, '}')
	}
	b = append(b, `{"active":true,"code":"ok","token":{"id":"`...)
	b = v.AppendTokenID(b)
	b = append(b, `","kind":`...)
	b = appendString(b, string(v.Kind()))
	b = append(b, `,"name":`...)
	b = appendString(b, v.Name())
	b = append(b, `,"permissions":[`...)
	for i, p := range v.Permissions() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p)
	}
	b = append(b, `],"expires_at":`...)
	b = appendTime(b, v.ExpiresAt())
	b = append(b, `},"organization":`...)
	if id, slug := v.Organization(); id != "" {
		b = appendString(append(b, `{"id":`...), id)
		b = appendString(append(b, `,"slug":`...), slug)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"owner":`...)
	if id, email := v.Owner(); id != "" {
		b = appendString(append(b, `{"id":`...), id)
		b = appendString(append(b, `,"email":`...), email)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

func appendTime(b []byte, at counterfoil.Instant) []byte {
	if at == 0 {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = at.Time().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string (RFC 8259 section 7). What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + 1
		}
		i += size
	}
	return append(append(b, s[from:]...), '"')
}

func itoa(n int) string { return strconv.Itoa(n) }
