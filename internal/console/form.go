package console

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/counterfoil/counterfoil"
)

// form is what somebody filled in and what was wrong with it: it is shown again with its values and its faults.
type form struct {
	values url.Values
	faults map[string][]string // by field
	other  []string            // faults that belong to no field
}

func newForm(values url.Values) *form { return &form{values: values, faults: map[string][]string{}} }

// filled makes a form of what is stored: name, value, name, value …
func filled(pairs ...string) *form {
	f := newForm(url.Values{})
	for i := 0; i+1 < len(pairs); i += 2 {
		f.values.Add(pairs[i], pairs[i+1])
	}
	return f
}

func (f *form) get(name string) string { return f.values.Get(name) }

func (f *form) is(name, value string) bool { return slices.Contains(f.values[name], value) }

func (f *form) fault(name string) string { return strings.Join(f.faults[name], " ") }

func (f *form) general() []string { return f.other }

func (f *form) bad() bool { return len(f.faults)+len(f.other) > 0 }

// everyFault is what is wrong, of the fields and of the form as a whole.
func (f *form) everyFault() []string {
	all := slices.Clone(f.other)
	for _, name := range slices.Sorted(maps.Keys(f.faults)) {
		all = append(all, f.fault(name))
	}
	return all
}

func (f *form) wrong(name, text string) { f.faults[name] = append(f.faults[name], sentence(text)) }

// take notes what a refused operation found wrong, each at the field that its pointer means, the rest above the form.
// It reports whether err was such a refusal; anything else is a page of its own.
func (f *form) take(err error, fields map[string]string) bool {
	var refusal *counterfoil.Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Code {
	case counterfoil.CodeUnavailable, counterfoil.CodeInternal, counterfoil.CodeMissingCredentials, counterfoil.CodeNotFound:
		return false
	}
	if len(refusal.Problems) == 0 {
		f.other = append(f.other, sentence(refusal.Detail))
		return true
	}
	for _, p := range refusal.Problems {
		top, _, _ := strings.Cut(strings.TrimPrefix(p.Pointer, "/"), "/")
		name, ok := fields[top]
		if !ok {
			f.other = append(f.other, sentence(p.Detail))
			continue
		}
		f.wrong(name, p.Detail)
	}
	return true
}

// inputAttrs are the attributes that tie an input to its label, hint and fault.
func inputAttrs(f *form, name, hint string) templ.Attributes {
	attrs := templ.Attributes{"id": "f-" + name, "name": name}
	var described []string
	if hint != "" {
		described = append(described, "h-"+name)
	}
	if f.fault(name) != "" {
		attrs["aria-invalid"] = "true"
		described = append(described, "e-"+name)
	}
	if len(described) > 0 {
		attrs["aria-describedby"] = strings.Join(described, " ")
	}
	return attrs
}

// address is a page with those of the form's fields that are filled in, and more: name, value, …
func (f *form) address(path string, fields []string, more ...string) string {
	q := url.Values{}
	for _, name := range fields {
		if value := f.get(name); value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?:") {
		s += "."
	}
	return s
}
