package web

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
)

const (
	maxProblems = 100 // more than a person reads; bounds the answer to a hostile body
	maxName     = 40  // shorter than any token value, longer than any name of ours
)

// DecodeStrict reads body into dst, a pointer to a zero struct whose fields are strings, []string or slices of such
// structs. Names are those of the json tags, in exact case. Faults of form are those of CheckJSON; a member that is
// unknown, of the wrong type or missing is a validation_failed at its pointer, all of them in one error (the first 100).
// A field without omitempty is required; one with it may be absent or null. dst holds no part of body.
//
// A member name too long to be one of ours may be a misplaced secret: its problem points at the object and leaves it out.
func DecodeStrict(body []byte, dst any) error {
	if err := CheckJSON(body); err != nil {
		return err
	}
	var (
		place [64]byte
		v     = reflect.ValueOf(dst).Elem()
	)
	d := decoder{scanner: scanner{b: body}, path: place[:0]}
	d.space()
	d.object(planOf(v.Type()), v, nil)
	return counterfoil.Invalid(d.problems)
}

// decoder walks a body that CheckJSON has passed, so no read of its scanner can fail.
type decoder struct {
	scanner
	path     []byte // the pointer of the object at hand
	problems []counterfoil.Problem
}

func (d *decoder) report(name, detail string) {
	if len(d.problems) == maxProblems {
		return
	}
	pointer := string(d.path)
	if name != "" {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name) // RFC 6901 section 3
	}
	d.problems = append(d.problems, counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: detail})
}

// object reads the value at i into v. It is an element of list, or the body where list is nil.
func (d *decoder) object(p *plan, v reflect.Value, list *field) {
	if d.peek() != '{' {
		d.value()
		if list == nil {
			d.report("", "The body must be an object.")
		} else {
			d.report("", "Each of "+strconv.Quote(list.name)+" must be an object.")
		}
		return
	}
	d.i++
	var seen uint64
	for d.more('}') {
		at, _ := d.str()
		name := d.text(at)
		d.space()
		d.i++ // the colon
		d.space()
		n := p.find(name)
		if n < 0 {
			d.value()
			d.unknown(name)
			continue
		}
		seen |= 1 << n
		d.field(&p.fields[n], v.Field(p.fields[n].index))
	}
	for n := range p.fields {
		if f := &p.fields[n]; seen&(1<<n) == 0 && f.required {
			d.report(f.name, strconv.Quote(f.name)+" is required.")
		}
	}
}

func (d *decoder) unknown(name []byte) {
	if len(name) > maxName || len(name) == 0 {
		d.report("", "A member is unknown.")
		return
	}
	d.report(string(name), "The member is unknown.")
}

// more moves to the next element of the object or array whose opening bracket is behind i, or behind its end.
func (d *decoder) more(end byte) bool {
	d.space()
	switch d.peek() {
	case end:
		d.i++
		return false
	case ',':
		d.i++
		d.space()
	}
	return true
}

// string reads the value at i, if it is one.
func (d *decoder) string() (string, bool) {
	if d.peek() != '"' {
		d.value()
		return "", false
	}
	at, _ := d.str()
	return string(d.text(at)), true
}

func (d *decoder) field(f *field, v reflect.Value) {
	if d.peek() == 'n' && !f.required {
		d.value()
		return
	}
	if f.kind == isString {
		text, ok := d.string()
		if !ok {
			d.report(f.name, strconv.Quote(f.name)+" must be a string.")
		}
		v.SetString(text)
		return
	}
	if d.peek() != '[' {
		d.value()
		d.report(f.name, strconv.Quote(f.name)+" must be an array.")
		return
	}
	d.i++
	above := len(d.path)
	d.path = append(append(d.path, '/'), f.name...)
	if f.kind == isStrings {
		d.strings(f, v.Addr().Interface().(*[]string))
	} else {
		d.structs(f, v)
	}
	d.path = d.path[:above]
}

func (d *decoder) strings(f *field, dst *[]string) {
	list := make([]string, 0, 4)
	for d.more(']') {
		text, ok := d.string()
		if !ok {
			d.report(strconv.Itoa(len(list)), "Each of "+strconv.Quote(f.name)+" must be a string.")
		}
		list = append(list, text)
	}
	*dst = list
}

func (d *decoder) structs(f *field, v reflect.Value) {
	above := len(d.path)
	v.Set(reflect.MakeSlice(v.Type(), 0, 4))
	for n := 0; d.more(']'); n++ {
		if n == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		d.path = strconv.AppendInt(append(d.path, '/'), int64(n), 10)
		d.object(f.elem, v.Index(n), f)
		d.path = d.path[:above]
	}
}
