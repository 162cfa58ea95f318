package api

import "testing"

func TestPlainWords(t *testing.T) {
	for message, want := range map[string]string{
		"expected string":                          "give text",
		"expected length >= 1":                     "this is empty",
		"expected length <= 100":                   "the most characters are 100",
		"expected number >= 1":                     "give at least 1",
		"expected array":                           "give a list",
		"expected array length <= 500":             "the longest list has 500",
		"expected boolean":                         "give true or false",
		"unexpected property":                      "there is no such member",
		"expected string to be RFC 3339 date-time": "give a time such as 2026-01-31T12:00:00Z",
		"expected string to be RFC 5322 email: mail: missing '@'": "this is not an e-mail address",
		"expected string to be lower-case letters":                "give lower-case letters",
		`expected value to be one of "a, b"`:                      `give one of "a, b"`,
	} {
		if got := plainWords(message); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

func TestPointer(t *testing.T) {
	for location, want := range map[string]string{
		"": "", "name": "/name", "permissions[3]": "/permissions/3", "a.b[0].c": "/a/b/0/c", "x/y": "/x~1y",
		"cfl_pat_4fZr81bQx0Lm0123456789abcdefghijklmnopqrst": "",
	} {
		if got := pointer(location); got != want {
			t.Errorf("%q points at %q, want %q", location, got, want)
		}
	}
}

func TestAcceptsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": true, "*/*": true, "application/json": true, "application/*;q=0.1": true, "text/html, */*;q=0.5": true, "nonsense": true,
		"text/html": false, "application/json;q=0, */*": false, "text/html, application/xml": false, "*/*;q=0": false,
	} {
		if got := acceptsJSON([]string{accept}); got != want {
			t.Errorf("Accept: %s is %v", accept, got)
		}
	}
	if !acceptsJSON(nil) {
		t.Error("no Accept is refused")
	}
}
