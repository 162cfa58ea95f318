package web

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads the string that begins at i.
func (s *scanner) str() (span, bool) {
	s.i++
	at := span{from: s.i}
	for {
		i := s.i
		for i < len(s.b) && ordinary[s.b[i]] {
			i++
		}
		s.i = i
		if i == len(s.b) {
			return at, s.fail("a string has no end")
		}
		switch c := s.b[i]; {
		case c == '"':
			s.i++
			at.to = i
			return at, true
		case c == '\\':
			if at.escaped = true; !s.escape() {
				return at, false
			}
		case c < ' ':
			return at, s.fail("a control character is not escaped")
		default:
			r, size := utf8.DecodeRune(s.b[i:])
			if r == utf8.RuneError && size == 1 {
				return at, s.fail("the text is not UTF-8")
			}
			s.i += size
		}
	}
}

// ordinary are the ASCII characters that stand for themselves in a string.
var ordinary = func() (set [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()

func (s *scanner) escape() bool {
	s.i++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return true
	case 'u':
		for range 4 {
			if s.i++; hexDigit(s.peek()) < 0 {
				return s.fail("an escape lacks a hexadecimal digit")
			}
		}
		s.i++
		return true
	}
	return s.fail("an escape is not known")
}

// unescape decodes what stands between the quotes of a valid JSON string (RFC 8259 section 7). Half a surrogate pair
// becomes U+FFFD, as encoding/json has it, so that two names are the same here exactly when they are for a decoder.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(out, raw...)
		}
		out = append(out, raw[:i]...)
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			var r rune
			r, raw = codeUnit(raw), raw[4:]
			if utf16.IsSurrogate(r) {
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					if pair := utf16.DecodeRune(r, codeUnit(raw[2:])); pair != utf8.RuneError {
						out, raw = utf8.AppendRune(out, pair), raw[6:]
						continue
					}
				}
				r = utf8.RuneError
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
}

func codeUnit(hex []byte) (r rune) {
	for _, c := range hex[:4] {
		r = r<<4 | hexDigit(c)
	}
	return r
}

// hexDigit is the value of c, or -1.
func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
