package web

import (
	"bytes"
	"fmt"

	"github.com/counterfoil/counterfoil"
)

const (
	maxDepth = 64
	few      = 16 // up to here the names of an object are compared one by one
)

// CheckJSON reports whether body is one JSON value (RFC 8259) in valid UTF-8, at most 64 levels deep, and without two
// members of the same name in one object at any depth (compared after unescaping, RFC 8259 section 4). A fault is
// malformed_json with its byte offset, never with content. It allocates nothing for objects of up to 16 members.
func CheckJSON(body []byte) error {
	s := scanner{b: body}
	s.space()
	if s.i == len(body) {
		return counterfoil.Refuse(counterfoil.CodeMalformedJSON, "The body is empty; it must be a JSON value.")
	}
	if s.value() {
		if s.space(); s.i == len(body) {
			return nil
		}
		s.fail("there is more after the value")
	}
	return counterfoil.Refuse(counterfoil.CodeMalformedJSON, fmt.Sprintf("The body is not acceptable JSON: %s at byte %d.", s.fault, s.i))
}

// scanner walks one JSON text. Its methods report false after a fault, with i where it is.
type scanner struct {
	b     []byte
	i     int
	depth int
	fault string
	names [2 * few]span // the member names so far of all open objects, outermost first
	n     int           // how many of names are in use
}

// span is where a string stands in the text, between its quotes.
type span struct {
	from, to int
	escaped  bool
}

// text is the decoded string at sp, part of the body unless it has escapes.
func (s *scanner) text(sp span) []byte {
	if sp.escaped {
		return unescape(s.b[sp.from:sp.to])
	}
	return s.b[sp.from:sp.to]
}

func (s *scanner) fail(fault string) bool {
	s.fault = fault
	return false
}

func (s *scanner) space() {
	for s.i < len(s.b) && s.b[s.i] <= ' ' && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// peek is the next byte, 0 at the end; a NUL is no part of any JSON token, so the two need no telling apart.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// value reads the value that begins at i.
func (s *scanner) value() bool {
	switch c := s.peek(); {
	case c == '"':
		_, ok := s.str()
		return ok
	case c == '{' || c == '[':
		if s.depth == maxDepth {
			return s.fail("there are more than 64 levels")
		}
		s.depth++
		s.i++
		ok := c == '{' && s.object() || c == '[' && s.array()
		s.depth--
		return ok
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail("a value is missing")
}

// array and object read on from behind the bracket.
func (s *scanner) array() bool {
	s.space()
	if s.peek() == ']' {
		s.i++
		return true
	}
	for {
		if s.space(); !s.value() {
			return false
		}
		if more, ok := s.next(']'); !more {
			return ok
		}
	}
}

func (s *scanner) object() bool {
	base := s.n
	var many map[string]struct{}
	s.space()
	if s.peek() == '}' {
		s.i++
		return true
	}
	for {
		s.space()
		at := s.i
		if s.peek() != '"' {
			return s.fail("a member name is missing")
		}
		name, ok := s.str()
		if !ok {
			return false
		}
		if many, ok = s.note(base, many, name); !ok {
			s.i = at
			return s.fail("a member name occurs twice in one object")
		}
		if s.space(); s.peek() != ':' {
			return s.fail("a colon is missing")
		}
		s.i++
		if s.space(); !s.value() {
			return false
		}
		if more, ok := s.next('}'); !more {
			s.n = base
			return ok
		}
	}
}

// note adds name to those of the object whose names begin at base, and reports false if it is there already. Past a few
// it keeps them in a map, so that the work stays linear in the body.
func (s *scanner) note(base int, many map[string]struct{}, name span) (map[string]struct{}, bool) {
	text := s.text(name)
	if many == nil && s.n-base < few && s.n < len(s.names) {
		for _, earlier := range s.names[base:s.n] {
			if bytes.Equal(s.text(earlier), text) {
				return nil, false
			}
		}
		s.names[s.n] = name
		s.n++
		return nil, true
	}
	if many == nil {
		many = make(map[string]struct{}, 2*few)
		for _, earlier := range s.names[base:s.n] {
			many[string(s.text(earlier))] = struct{}{}
		}
	}
	_, twice := many[string(text)]
	many[string(text)] = struct{}{}
	return many, !twice
}

// next reads what follows an element: a comma, then more is true, or the end.
func (s *scanner) next(end byte) (more, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.i++
		return true, true
	case end:
		s.i++
		return false, true
	}
	return false, s.fail("a comma or a closing bracket is missing")
}

func (s *scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.fail("a value is misspelt")
	}
	s.i += len(word)
	return true
}

// number reads RFC 8259 section 6.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for '0' <= s.peek() && s.peek() <= '9' {
		s.i++
	}
	return s.i > from || s.fail("a digit is missing")
}
