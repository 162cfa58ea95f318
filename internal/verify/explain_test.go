package verify

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil/internal/secret"
)

// FuzzKeptText holds what is kept of a caller's text to its promise: short, text that every database takes, and without
// the presented value, wherever in it that stands.
func FuzzKeptText(f *testing.F) {
	for _, s := range []string{"", "/api/devices/7", "\x00\xff", "cfl_", "cfl_pat_", "cfl_cfl_pat_", strings.Repeat("é", 200)} {
		f.Add(s, "", 0)
		f.Add(s, s, 2)
	}
	f.Fuzz(func(t *testing.T, before, after string, twice int) {
		value := secret.Mint("cfl", secret.Personal).Reveal()
		text := before + value + after
		if twice%2 == 1 {
			text += value + before
		}
		crossed := masked(text, value)
		if !strings.Contains(text, "%") && len(crossed) != len(text) || strings.Contains(crossed, value) || strings.Contains(crossed, value[len("cfl_pat_")+12:]) {
			t.Errorf("%q became %q", text, crossed)
		}
		if !strings.Contains(text, "%") && masked(before, value) == before && !strings.HasPrefix(crossed, before+"cfl_pat_"+value[8:20]+"x") {
			t.Errorf("of %q more than the secret was crossed out: %q", text, crossed)
		}
		kept := plain(crossed)
		if !utf8.ValidString(kept) || strings.Contains(kept, "\x00") || len(kept) > maxKeptText+len("…") {
			t.Errorf("%q is kept as %q", crossed, kept)
		}
		if masked(before+after, value) != before+after && !strings.Contains(strings.ToLower(before+after), "cfl_") && !strings.Contains(before+after, "%") {
			t.Errorf("a text without a value was changed: %q", before+after)
		}
	})
}

func TestHoldsValue(t *testing.T) {
	v := &Verifier{Config: Config{Prefix: "cfl"}}
	value := secret.Mint("cfl", secret.System).Reveal()
	for text, want := range map[string]bool{
		value: true, "my " + value + "!": true, value + value: true, "": false, "cfl_sys_": false, value[:len(value)-1]: false,
		secret.Hint(value): false, secret.Mint("other", secret.System).Reveal(): false,
	} {
		if got := v.HoldsValue(text); got != want || want && v.Masked(text) == text {
			t.Errorf("%q: %t, masked %q", text, got, v.Masked(text))
		}
	}
}

// What begins like a value is no value for being cut short or mistyped, but most of its secret is there.
func TestMasked(t *testing.T) {
	v := &Verifier{Config: Config{Prefix: "cfl"}}
	const id, rest = "cfl_pat_0123456789ab", "CDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
	crossed := func(n int) string { return id + strings.Repeat("x", n) }
	hidden := func(n int) string { return "cfl_pat_" + strings.Repeat("x", n) }
	encoded := func(times int) string { return "cfl%" + strings.Repeat("25", times-1) + "5Fpat_0123456789ab" + rest }
	for text, want := range map[string]string{
		"":                                   "",
		"cfl_":                               "cfl_",
		"cfl_pat_":                           "cfl_pat_",
		id:                                   hidden(12), // the first of a secret, where the id was lost
		"/a/" + id:                           "/a/" + hidden(12),
		"/a/cfl_pat_" + rest:                 "/a/" + hidden(len(rest)),
		"/a/cfl_pta_0123456789ab" + rest:     "/a/cfl_pta_0123456789ab" + strings.Repeat("x", len(rest)),
		"/a/cfl_0rg_0123456789ab" + rest:     "/a/cfl_0rg_0123456789ab" + strings.Repeat("x", len(rest)),
		"other_pat_0123456789abCDEF":         "other_pat_0123456789abCDEF",
		"cfl_patio_0123456789abCDEF":         "cfl_patio_0123456789abCDEF",
		"a%20b%zz/%41":                       "a%20b%zz/%41",
		id + rest:                            crossed(len(rest)),
		id + rest[:20]:                       hidden(12 + 20),
		"GET /a/" + id + rest[:7] + "/b?x":   "GET /a/" + hidden(12+7+4),
		id + "-" + rest:                      hidden(12 + 1 + len(rest)),
		id + rest[:5] + " " + rest[5:]:       hidden(12 + 1 + len(rest)),
		"cfl_pat_01234-56789ab" + rest:       hidden(13 + len(rest)),
		"cfl_pat_01234567…9f3a":              hidden(8 + 7), // a hint
		id + rest + id + rest:                crossed(len(rest)) + crossed(len(rest)),
		"cfl_" + id + rest:                   "cfl_" + crossed(len(rest)),
		strings.ToUpper(id + rest):           strings.ToUpper(id) + strings.Repeat("x", len(rest)),
		"/a/cfl%5Fpat%5f0123456789ab" + rest: "/a/" + crossed(len(rest)),
		"/%zz/cfl%255Fpat_0123456789ab" + rest + "%2F": "/%zz/" + crossed(len(rest)+1),
		"cfl%5Fpat_0123456789ab" + rest + " " + id:     crossed(len(rest)+1) + hidden(12),
		encoded(5): crossed(len(rest)),
		encoded(6): strings.Repeat("x", len(encoded(6))),
		encoded(7): strings.Repeat("x", len(encoded(6))+2),
		"%1b[31m%0aEVIL%00%c2%9b" + id[:3] + "%5Fpat_0123456789ab" + rest: "%1b[31m%0aEVIL%00%c2%9b" + crossed(len(rest)),
	} {
		if got := v.Masked(text); got != want {
			t.Errorf("%q is masked as %q, not %q", text, got, want)
		}
	}
}

// Of the value that was presented, pieces of the secret are known for what they are, whatever stands before them.
func TestMaskedPieces(t *testing.T) {
	const id, rest = "0123456789ab", "CDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
	for text, want := range map[string]string{
		"/a/cf1_pat_" + id + rest:                  "/a/cf1_pat_" + id + strings.Repeat("x", len(rest)),
		"/a/cfl-pat-" + id + rest:                  "/a/cfl-pat-" + id + strings.Repeat("x", len(rest)),
		"/a/cfl_pat" + id + rest:                   "/a/cfl_pat" + id + strings.Repeat("x", len(rest)),
		"/a/" + rest[:6] + "/" + rest[20:27]:       "/a/xxxxxx/xxxxxxx",
		"/a/" + rest[:5] + "%48" + rest[6:]:        "/a/" + strings.Repeat("x", len(rest)),
		"/a/" + rest[:5] + "/" + rest[5:10] + "/b": "/a/" + rest[:5] + "/" + rest[5:10] + "/b",
		"/a/" + id: "/a/" + id,
	} {
		if got := masked(text, "cfl_pat_"+id+rest); got != want {
			t.Errorf("%q is masked as %q, not %q", text, got, want)
		}
	}
	for _, presented := range []string{"", "cfl", "cfl_", "cfl_pat_", "cfl_pat_" + id, "cfl_pat_" + id + "CDEFG"} {
		if got := masked("/a/CDEFGHI", presented); got != "/a/CDEFGHI" {
			t.Errorf("for %q: %q", presented, got)
		}
	}
}
