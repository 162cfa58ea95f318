package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

type batch struct {
	Questions []counterfoil.Question `json:"questions"`
	Note      string                 `json:"note,omitempty"`
}

func problemsOf(t *testing.T, err error) []string {
	t.Helper()
	var e *counterfoil.Error
	if err != nil && (!errors.As(err, &e) || e.Code != counterfoil.CodeValidationFailed) {
		t.Fatalf("got %v, want validation_failed", err)
	}
	if e == nil {
		return nil
	}
	var out []string
	for _, p := range e.Problems {
		out = append(out, p.Pointer+": "+p.Detail)
	}
	return out
}

func TestDecodeStrictReportsEveryFault(t *testing.T) {
	long := strings.Repeat("x", 41)
	tests := []struct {
		body string
		want []string
	}{
		{question, nil},
		{`{"token":""}`, nil}, // any text is a question
		{`{"token":"a","permissions":null,"ip":null}`, nil},
		{`{"tok\u0065n":"a"}`, nil},
		{`{}`, []string{`/token: "token" is required.`}},
		{`{"token":null}`, []string{`/token: "token" must be a string.`}},
		{`{"Token":"a"}`, []string{`/Token: The member is unknown.`, `/token: "token" is required.`}},
		{`{"a/b~":{"x":[1]},"token":7,"permissions":["ok",1,"ok",null],"ip":[],"endpoint":{}}`, []string{
			`/a~1b~0: The member is unknown.`, `/token: "token" must be a string.`, `/permissions/1: Each of "permissions" must be a string.`,
			`/permissions/3: Each of "permissions" must be a string.`, `/ip: "ip" must be a string.`, `/endpoint: "endpoint" must be a string.`}},
		{`{"token":"a","permissions":"devices:read"}`, []string{`/permissions: "permissions" must be an array.`}},
		{`{"token":"a","` + long + `":1,"":2}`, []string{`: A member is unknown.`, `: A member is unknown.`}},
		{`["token"]`, []string{`: The body must be an object.`}},
		{`null`, []string{`: The body must be an object.`}},
	}
	for _, tt := range tests {
		var q counterfoil.Question
		if got := problemsOf(t, web.DecodeStrict([]byte(tt.body), &q)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.body, got, tt.want)
		}
	}
}

func TestDecodeStrictPointsIntoABatch(t *testing.T) {
	body := `{"questions":[{"token":"a"},{"token":"b","ip":1,"oops":2},3,{"token":"c","permissions":[{}]}],"note":4}`
	want := []string{`/questions/1/ip: "ip" must be a string.`, `/questions/1/oops: The member is unknown.`,
		`/questions/2: Each of "questions" must be an object.`, `/questions/3/permissions/0: Each of "permissions" must be a string.`,
		`/note: "note" must be a string.`}
	var b batch
	if got := problemsOf(t, web.DecodeStrict([]byte(body), &b)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestDecodeStrictBoundsItsAnswer(t *testing.T) {
	var q counterfoil.Question
	if got := problemsOf(t, web.DecodeStrict([]byte(manyMembers(5000, `"token":"a"`)), &q)); len(got) != 100 {
		t.Errorf("%d problems, want 100", len(got))
	}
}

func TestDecodeStrictRefusesMalformedFirst(t *testing.T) {
	var q counterfoil.Question
	for _, body := range []string{`{"oops":1,"oops":2}`, `{"token":"a"} x`, "{\"token\":\"\xff\"}"} {
		if err := web.DecodeStrict([]byte(body), &q); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeMalformedJSON}) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestDecodeStrictKeepsNothingOfTheBody(t *testing.T) {
	body := []byte(question)
	var q counterfoil.Question
	if err := web.DecodeStrict(body, &q); err != nil {
		t.Fatal(err)
	}
	want := q.Token
	want = strings.Clone(want)
	clear(body)
	if q.Token != want || q.Permissions[0] != "devices:read" || q.IP != "10.1.2.3" {
		t.Errorf("the question changed with the body: %q", q)
	}
}

func TestDecodeStrictPanicsForOtherStructs(t *testing.T) {
	for _, dst := range []any{
		&struct {
			N int `json:"n"`
		}{},
		&struct{ NoName string }{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was served", dst)
				}
			}()
			_ = web.DecodeStrict([]byte(`{}`), dst)
		}()
	}
}

// What DecodeStrict accepts is what encoding/json accepts, to the same effect; what has only known members of the right
// types, it accepts.
func FuzzDecodeStrict(f *testing.F) {
	var big []string
	for i := range 100 {
		big = append(big, fmt.Sprintf(`{"token":"t%d","ip":"10.0.0.%d"}`, i, i))
	}
	for _, seed := range []string{question, `{"questions":[` + question + `,` + question + `]}`, `{"questions":[],"note":"\u00e9\ud83d\ude00\n"}`,
		`{"questions":[{"token":"a","permissions":[]}],"note":null}`, `{"questions":null}`, `{"questions":[{"token":1}]}`, `{"questions":[null]}`,
		`{"questions":[{"token":"\ud800x","endpoint":"GET \/a"}]}`, `{"questions":[` + strings.Join(big, ",") + `]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want batch
		err := web.DecodeStrict(body, &got)
		if err == nil {
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q:\n got %#v\nwant %#v, %v", body, got, want, err)
			}
		}
		if wellFormed := acceptable(body); wellFormed && (err == nil) != isBatch(body) || !wellFormed && err == nil {
			t.Fatalf("%q: %v; well-formed %v", body, err, wellFormed)
		}
	})
}

// isBatch is the model: the members of a generic value, one by one.
func isBatch(body []byte) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return false
	}
	isText := func(v any) bool { _, ok := v.(string); return ok }
	members := func(v any, check map[string]func(any) bool, required string) bool {
		m, ok := v.(map[string]any)
		for name, value := range m {
			f := check[name]
			ok = ok && f != nil && (value == nil && name != required || f(value))
		}
		_, has := m[required]
		return ok && has
	}
	all := func(f func(any) bool) func(any) bool {
		return func(v any) bool {
			list, ok := v.([]any)
			for _, e := range list {
				ok = ok && f(e)
			}
			return ok
		}
	}
	q := func(v any) bool {
		return members(v, map[string]func(any) bool{"token": isText, "permissions": all(isText), "endpoint": isText, "ip": isText}, "token")
	}
	return members(v, map[string]func(any) bool{"questions": all(q), "note": isText}, "questions")
}

func BenchmarkDecodeStrict(b *testing.B) {
	b.ReportAllocs()
	for body := []byte(question); b.Loop(); {
		var q counterfoil.Question
		if err := web.DecodeStrict(body, &q); err != nil {
			b.Fatal(err)
		}
	}
}
