package web

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// plan says how a struct is read. It is a pure function of the type, so plans may remember it for good.
type plan struct{ fields []field }

type field struct {
	name     string
	index    int
	kind     fieldKind
	required bool
	elem     *plan // of isStructs
}

type fieldKind uint8

const (
	isString fieldKind = iota
	isStrings
	isStructs
)

var plans sync.Map // reflect.Type to *plan

// planOf panics for a struct that DecodeStrict does not serve: that is a mistake in the program, not in a request.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		f := field{name: name, index: i, required: options != "omitempty"}
		switch ft := sf.Type; {
		case ft.Kind() == reflect.String:
			f.kind = isString
		case ft == reflect.TypeFor[[]string]():
			f.kind = isStrings
		case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
			f.kind, f.elem = isStructs, planOf(ft.Elem())
		default:
			panic(fmt.Sprintf("web: field %s.%s: strict decoding reads strings, []string and slices of structs, not %s", t, sf.Name, ft))
		}
		if name == "" || !sf.IsExported() || i == 64 {
			panic(fmt.Sprintf("web: field %s.%s: strict decoding wants up to 64 exported fields with json names", t, sf.Name))
		}
		p.fields = append(p.fields, f)
	}
	plans.Store(t, p)
	return p
}

// find is the index of the field called name, or -1.
func (p *plan) find(name []byte) int {
	for i := range p.fields {
		if p.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}
