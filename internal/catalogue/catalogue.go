// Package catalogue reads the file in which a product lists its permissions and roles (YAML), and says what is wrong with
// it line by line. It refuses to judge what the rows mean, which [counterfoil.NewCatalogue] does, and opens no file.
package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
	"go.yaml.in/yaml/v3"
)

// Limit is the size in bytes of the largest file that Parse reads.
const Limit = 1 << 20

// Error is everything that is wrong with a file, in the order of its lines.
type Error struct{ Problems []Problem }

// Problem is one fault. Line counts from 1; 0 means the file as a whole.
type Problem struct {
	Line   int
	Detail string
}

// Error lists the problems, one a line: the first hundred, and how many more there are.
func (e *Error) Error() string {
	const most = 100
	var lines []string
	for _, p := range e.Problems[:min(most, len(e.Problems))] {
		if p.Line > 0 {
			p.Detail = fmt.Sprintf("line %d: %s", p.Line, p.Detail)
		}
		lines = append(lines, p.Detail)
	}
	if more := len(e.Problems) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems", more))
	}
	return strings.Join(lines, "\n")
}

// Parse reads a catalogue file. An empty one is the catalogue of a product without permissions. Every error is an *Error.
// It knows no anchors, aliases and tags, so that no file is larger than it looks.
func Parse(src []byte) (*counterfoil.Catalogue, error) {
	if len(src) > Limit {
		return nil, &Error{[]Problem{{0, fmt.Sprintf("the file is larger than %d bytes", Limit)}}}
	}
	root, err := document(src)
	if err != nil {
		return nil, err
	}
	r := &reader{lines: map[string]int{}, faulty: map[string]bool{}}
	r.refuseAnchors(root)
	if len(r.problems) > 0 {
		return nil, r.err()
	}
	product, roles := r.file(root)
	c, problems := counterfoil.NewCatalogue(product, roles)
	for _, p := range problems {
		r.adopt(p)
	}
	if len(r.problems) > 0 {
		return nil, r.err()
	}
	return c, nil
}

// document returns the root node of the only document in src, a null node when there is nothing in it.
func document(src []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	} else if err != nil {
		return nil, syntaxError(err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{[]Problem{{second.Line, "a second document begins here; the file holds one"}}}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(err)
	}
	return doc.Content[0], nil
}

// syntaxError takes the line out of the text that the YAML package gives: "yaml: line 3: what". For some faults that is
// the line before.
func syntaxError(err error) *Error {
	detail := strings.TrimPrefix(err.Error(), "yaml: ")
	if after, ok := strings.CutPrefix(detail, "line "); ok {
		number, what, _ := strings.Cut(after, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return &Error{[]Problem{{line, "not YAML, here or just after: " + what}}}
		}
	}
	return &Error{[]Problem{{0, "not YAML: " + detail}}}
}

// adopt finds the line of a problem of the compiled catalogue: that of the value, or of what it is missing from. What
// could not be read has been reported already.
func (r *reader) adopt(p counterfoil.Problem) {
	line := 0
	for at := p.Pointer; ; at = at[:strings.LastIndexByte(at, '/')] {
		if r.faulty[at] {
			return
		}
		if line == 0 {
			line = r.lines[at]
		}
		if at == "" {
			break
		}
	}
	r.problems = append(r.problems, Problem{line, p.Detail})
}

func (r *reader) err() *Error {
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
	return &Error{r.problems}
}
