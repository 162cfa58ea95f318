package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

func manyMembers(n int, more string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"m%d":%d,`, i, i)
	}
	return b.String() + more + "}"
}

func TestCheckJSON(t *testing.T) {
	tests := []struct{ body, fault string }{
		{`{"token":"x","permissions":["a","b"],"n":-1.5e+3,"t":true,"f":false,"z":null}`, ""},
		{" [ ] ", ""}, {`"a"`, ""}, {`0`, ""}, {`{"a":{"a":1},"b":[{"a":1},{"a":1}]}`, ""},
		{`"\ud83d\ude00 é 😀 \/"`, ""}, {`"\ud800"`, ""},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), ""},
		{manyMembers(40, `"last":{"m1":1}`), ""},
		{`{"x":{"a":1},"a":2}`, ""}, // an inner name is not an outer one
		{strings.Repeat(`{"a":1,"b":`, 40) + `{"c":1,"d":2}` + strings.Repeat("}", 40), ""},
		{strings.Repeat(`{"a":1,"b":`, 40) + `{"c":1,"c":2}` + strings.Repeat("}", 40), "twice"},
		{strings.Repeat(`{"a":1,"b":`, 40) + `1` + strings.Repeat("}", 39) + `,"a":2}`, "twice"},
		{``, "empty"}, {"  ", "empty"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), "64 levels at byte 64"},
		{`{"a":1,"b":2,"a":3}`, "twice in one object at byte 13"},
		{`{"a":1,"\u0061":3}`, "twice in one object at byte 7"},
		{`{"\ud800":1,"\udfff":3}`, "twice in one object at byte 12"}, // both U+FFFD to a decoder
		{`{"\b\f\n\r\t":1,"\u0008\u000C\u000a\u000D\u0009":3}`, "twice"}, {`{"a":1,"b`, "no end"},
		{`[{"x":{"a":1,"a":3}}]`, "twice"},
		{manyMembers(40, `"m3":1`), "twice"}, {manyMembers(16, `"m15":1`), "twice"}, {manyMembers(17, `"m16":1`), "twice"},
		{`{} {}`, "more after the value at byte 3"}, {`{}x`, "more after"}, {`1 2`, "more after"}, {`01`, "more after"},
		{"\ufeff{}", "a value is missing at byte 0"},
		{"{\"a\":\"\xff\"}", "not UTF-8 at byte 6"}, {"\"\xed\xa0\x80\"", "not UTF-8"}, {"\"\xc0\xaf\"", "not UTF-8"},
		{"\"a\nb\"", "control character"}, {"\"a\x00b\"", "control character"}, {`"\x"`, "escape is not known"}, {`"\u12g4"`, "hexadecimal digit"},
		{`"abc`, "no end"}, {`"abc\`, "escape is not known"}, {`"\u12`, "hexadecimal"},
		{`{"a":1,}`, "member name is missing"}, {`{a:1}`, "member name is missing"}, {`{"a" 1}`, "colon"}, {`{"a":}`, "a value is missing"},
		{`[1,]`, "a value is missing"}, {`[1 2]`, "comma or a closing"}, {`[1}`, "comma or a closing"}, {`{"a":1]`, "comma or a closing"},
		{`[`, "a value is missing"}, {`{`, "member name is missing"}, {`{"a":1`, "comma"},
		{`-`, "digit"}, {`1.`, "digit"}, {`1e`, "digit"}, {`.5`, "a value"}, {`+1`, "a value"}, {`NaN`, "a value"}, {`nul`, "misspelt"}, {`truE`, "misspelt"},
	}
	for _, tt := range tests {
		err := web.CheckJSON([]byte(tt.body))
		if (err != nil) != (tt.fault != "") {
			t.Errorf("CheckJSON(%.60q) = %v, want %q", tt.body, err, tt.fault)
			continue
		}
		if err != nil && (!errors.Is(err, &counterfoil.Error{Code: "malformed_json"}) || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("CheckJSON(%.60q) = %q, want malformed_json with %q", tt.body, err, tt.fault)
		}
	}
}

// A body made to be slow is checked in linear time: comparing each pair of its names would take minutes.
func TestCheckJSONManyNames(t *testing.T) {
	if err := web.CheckJSON([]byte(manyMembers(200_000, `"last":1`))); err != nil {
		t.Error(err)
	}
}

// acceptable is the model that CheckJSON is held against, built from encoding/json.
func acceptable(body []byte) bool {
	if !json.Valid(body) || !utf8.Valid(body) {
		return false
	}
	type open struct {
		names map[string]bool // nil for an array
		value bool            // a value is next, not a name
	}
	var stack []open
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		d.UseNumber()
		token, err := d.Token()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		delim, _ := token.(json.Delim)
		if delim == '}' || delim == ']' {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := &stack[n-1]
			if !top.value {
				name := token.(string)
				if top.names[name] {
					return false
				}
				top.names[name] = true
			}
			top.value = !top.value
		}
		switch delim {
		case '{':
			stack = append(stack, open{names: map[string]bool{}})
		case '[':
			stack = append(stack, open{})
		}
		if len(stack) > 64 {
			return false
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":[1,-0.5e1,null,{"b":"\u00e9"}],"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud800":1,"\ud801":2}`, `"\ud83d\ude00\ud83d\u0041"`,
		"\"\xff\"", ` [true , false] `, strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65),
		manyMembers(20, `"m7":1`), manyMembers(20, `"x":{"m7":1}`), `1.0E+2`, `-`, `{"a":1}}`,
		`{"x":{"a":1},"a":2}`, strings.Repeat(`{"a":1,"b":`, 40) + `{"c":1,"c":2}` + strings.Repeat("}", 40)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := web.CheckJSON(body)
		if (err == nil) != acceptable(body) {
			t.Fatalf("CheckJSON(%q) = %v, the model says %v", body, err, acceptable(body))
		}
	})
}

const question = `{"token":"cfl_pat_4fZr81bQx0Lm0123456789abcdefghijklmnopqrst","permissions":["devices:read"],"ip":"10.1.2.3"}`

func BenchmarkCheckJSON(b *testing.B) {
	b.ReportAllocs()
	for body := []byte(question); b.Loop(); {
		if err := web.CheckJSON(body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCheckJSONAllocatesNothing(t *testing.T) {
	body := []byte(question)
	if n := testing.AllocsPerRun(100, func() { _ = web.CheckJSON(body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
