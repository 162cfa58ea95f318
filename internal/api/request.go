package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/web"
)

// bodyLimit is the size of a request's body in bytes.
const bodyLimit = web.MaxBody

// readBody reads the body and checks its form: JSON without duplicate members, of the route's schema. Faults of schema
// are gathered, so that the operation can add what it finds wrong with the rest.
func (c *call) readBody() error {
	if c.route.bodyOptional && (c.r.ContentLength == 0 || c.r.Header.Get("Content-Type") == "") {
		body, err := web.ReadBody(c.w, c.r, bodyLimit) // its length may not be announced
		if err != nil {
			return err
		}
		if len(body) == 0 {
			c.body = []byte("{}")
			return nil
		}
	}
	if err := web.RequireJSON(c.r); err != nil {
		return err
	}
	body, err := web.ReadBody(c.w, c.r, max(bodyLimit, c.route.limit))
	if err != nil {
		return err
	}
	if err := web.CheckJSON(body); err != nil {
		return err
	}
	c.body = body
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return counterfoil.Refuse(counterfoil.CodeMalformedJSON, "The body is not JSON.")
	}
	escaped, before := bytes.Contains(body, []byte(`\u`)), len(c.faults)
	if escaped || bytes.Contains(body, []byte(c.Verifier.Prefix+"_")) {
		c.findValue("", value)
	}
	if len(c.faults) > before {
		return counterfoil.Invalid(c.faults) // and nothing else is said: no answer repeats a value
	}
	path, result := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	huma.Validate(c.schemas, c.route.schema, path, huma.ModeWriteToServer, value, result)
	for _, e := range result.Errors[:min(len(result.Errors), maxFaults)] {
		if d, ok := e.(*huma.ErrorDetail); ok {
			if name, missing := strings.CutPrefix(d.Message, "expected required property "); missing {
				name, _, _ = strings.Cut(name, " ")
				d.Location, d.Message = d.Location+"."+name, "this is required"
			}
			c.faults = append(c.faults, counterfoil.Problem{Pointer: pointer(d.Location), Code: counterfoil.CodeValidationFailed, Detail: plainWords(d.Message)})
		}
	}
	if escaped {
		eachText("", value, func(at, text string) {
			if strings.ContainsRune(text, 0) {
				c.fault(at, "text holds no NUL character") // no database column takes it
			}
		})
	}
	return nil
}

// wordings says in plain words what the schema library says of a value.
var wordings = []struct{ from, to string }{
	{"expected string to be RFC 5322 email", "this is not an e-mail address"},
	{"expected string to be RFC 3339", "give a time such as 2026-01-31T12:00:00Z"},
	{"expected string to be", "give"},
	{"expected string", "give text"},
	{"expected integer", "give a whole number"},
	{"expected number >=", "give at least"},
	{"expected number <=", "give at most"},
	{"expected number", "give a number"},
	{"expected boolean", "give true or false"},
	{"expected array length >=", "the shortest list has"},
	{"expected array length <=", "the longest list has"},
	{"expected array", "give a list"},
	{"expected object", "give an object"},
	{"expected length >= 1", "this is empty"},
	{"expected length <=", "the most characters are"},
	{"expected value to be one of", "give one of"},
	{"unexpected property", "there is no such member"},
}

func plainWords(message string) string {
	for _, w := range wordings {
		rest, ok := strings.CutPrefix(message, w.from)
		switch {
		case !ok:
		case strings.HasSuffix(w.from, "=") || strings.HasSuffix(w.from, "of") || strings.HasSuffix(w.from, "be"):
			return w.to + rest
		default:
			return w.to
		}
	}
	return message
}

// findValue reports texts that hold a token's value: somebody has pasted it where it would be kept (S1).
func (c *call) findValue(at string, value any) {
	eachText(at, value, func(at, text string) {
		if c.Verifier.HoldsValue(text) {
			c.fault(at, "this holds a token's value, which is never kept: take it out, and revoke that token if anyone has seen it")
		}
	})
}

// eachText calls see with every string of a JSON value and where it is. A member whose name is too long to be one of
// ours is seen at the object that holds it.
func eachText(at string, value any, see func(at, text string)) {
	switch v := value.(type) {
	case string:
		see(at, v)
	case []any:
		for i, e := range v {
			eachText(at+"/"+strconv.Itoa(i), e, see)
		}
	case map[string]any:
		for name, e := range v {
			inside := at
			if len(name) <= longestName {
				inside += "/" + pointerEscape.Replace(name)
			}
			eachText(inside, e, see)
		}
	}
}

// maxFaults is more than a person reads; it bounds the answer to a hostile body.
const maxFaults = 100

// longestName is longer than any member's name of ours and shorter than any token: a longer one may be a misplaced
// secret and is not repeated.
const longestName = 40

// pointerEscape escapes a member's name (RFC 6901 section 3).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer turns a location such as permissions[3].name into a JSON Pointer (RFC 6901).
func pointer(location string) string {
	if location == "" {
		return ""
	}
	var b strings.Builder
	for _, part := range strings.FieldsFunc(location, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if len(part) > longestName {
			break
		}
		b.WriteByte('/')
		b.WriteString(pointerEscape.Replace(part))
	}
	return b.String()
}

// decode reads the body into dst. Of a body with faults it reads what is right, member by member: what the schema has
// refused stays zero, and is reported already.
func (c *call) decode(dst any) {
	if len(c.faults) == 0 {
		if err := json.Unmarshal(c.body, dst); err != nil {
			c.fault("", "the body does not have the form that this route takes")
		}
		return
	}
	loosely(c.body, dst)
}

// loosely reads what is right of an object, member by member; of what is none it reads nothing.
func loosely(object []byte, dst any) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return
	}
	for name, raw := range members {
		for _, attempt := range []json.RawMessage{raw, onlyStrings(raw)} {
			one, err := json.Marshal(map[string]json.RawMessage{name: attempt})
			if err != nil {
				continue
			}
			kept := reflect.New(reflect.TypeOf(dst).Elem())
			kept.Elem().Set(reflect.ValueOf(dst).Elem())
			if err := json.Unmarshal(one, kept.Interface()); err == nil {
				reflect.ValueOf(dst).Elem().Set(kept.Elem())
				break
			}
		}
	}
}

// onlyStrings empties the elements of a list that are not strings, so that the others are looked at in their places.
func onlyStrings(raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for i, e := range list {
		if len(e) == 0 || e[0] != '"' {
			list[i] = json.RawMessage(`""`)
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return out
}

// readOnce reads the Idempotency-Key: 1 to 255 visible ASCII characters.
func (c *call) readOnce() {
	keys := c.r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return
	}
	key := keys[0]
	bad := len(keys) > 1 || key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	if !bad && c.Verifier.HoldsValue(key) {
		c.fault("Idempotency-Key:", "this holds a token's value; make a random key")
		return
	}
	if bad {
		c.fault("Idempotency-Key:", "an idempotency key is 1 to 255 visible ASCII characters, given once")
		return
	}
	h := sha256.New()
	h.Write([]byte(c.r.Method + " " + c.r.URL.Path + "\n"))
	h.Write(c.body)
	c.caller.Once = &registry.Once{Key: key, Digest: hex.EncodeToString(h.Sum(nil))}
}

func (c *call) fault(pointer, detail string) {
	c.faults = append(c.faults, counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: detail})
}

// readQuery checks the query against the route's parameters: none unknown, none twice, none malformed.
func (c *call) readQuery() {
	c.query = map[string]string{}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		c.fault("?", "the query string cannot be read")
		return
	}
	for name, given := range values {
		p, known := c.route.param(name)
		switch {
		case !known:
			if len(name) > longestName {
				name = ""
			}
			c.fault("?"+name, "there is no such query parameter")
		case len(given) > 1:
			c.fault("?"+name, "give this parameter once")
		default:
			if fault := p.check(given[0]); fault != "" {
				c.fault("?"+name, fault)
				continue
			}
			c.query[name] = given[0]
		}
	}
}

// param is one query parameter.
type param struct {
	name, doc string
	enum      []string
	min, max  int64 // of an integer; max 0: it is text
	address   bool  // an IP address
	standard  string
}

func (p param) check(value string) string {
	if p.max > 0 {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < p.min || n > p.max {
			return "give a whole number from " + strconv.FormatInt(p.min, 10) + " to " + strconv.FormatInt(p.max, 10)
		}
		return ""
	}
	if len(value) > 500 {
		return "this is too long"
	}
	if !plainText(value) {
		return "this is not plain text"
	}
	if p.address {
		if _, err := netip.ParseAddr(value); err != nil {
			return "this is not an IP address"
		}
	}
	if len(p.enum) == 0 {
		return ""
	}
	for _, e := range p.enum {
		if e == value {
			return ""
		}
	}
	return "give one of " + strings.Join(p.enum, ", ")
}

// limit is the page size that was asked for.
func (c *call) limit() int {
	if n, err := strconv.Atoi(c.query["limit"]); err == nil {
		return n
	}
	return defaultLimit
}

const defaultLimit = 50

var paging = []param{
	{name: "limit", doc: "How many entries at most.", min: 1, max: 200, standard: strconv.Itoa(defaultLimit)},
	{name: "cursor", doc: "next_cursor of the page before."},
}

// plainText reports whether s is UTF-8 without control characters.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// acceptsJSON reports whether the Accept header, if there is one, allows JSON (RFC 9110 section 12.5.1). A range that
// cannot be read is passed over.
func acceptsJSON(accept []string) bool {
	ranges := strings.Split(strings.Join(accept, ","), ",")
	best, given := -1, false // how narrow the range is that decides
	allowed := false
	for _, r := range ranges {
		media, params, err := mime.ParseMediaType(r)
		if err != nil || !strings.Contains(media, "/") {
			continue
		}
		given = true
		narrow := slices.Index([]string{"*/*", "application/*", "application/json"}, media)
		if narrow > best {
			q, err := strconv.ParseFloat(params["q"], 64)
			best, allowed = narrow, err != nil || q > 0
		}
	}
	return !given || allowed
}
