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
		if len(crossed) != len(text) || strings.Contains(crossed, value) || strings.Contains(crossed, value[len("cfl_pat_")+12:]) {
			t.Errorf("%q became %q", text, crossed)
		}
		if !strings.HasPrefix(crossed, before+"cfl_pat_"+value[8:20]+"x") {
			t.Errorf("of %q more than the secret was crossed out: %q", text, crossed)
		}
		kept := plain(crossed)
		if !utf8.ValidString(kept) || strings.Contains(kept, "\x00") || len(kept) > maxKeptText+len("…") {
			t.Errorf("%q is kept as %q", crossed, kept)
		}
		if masked(before+after, value) != before+after && !strings.Contains(before+after, "cfl_") {
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
		if got := v.HoldsValue(text); got != want || want == (v.Masked(text) == text) {
			t.Errorf("%q: %t", text, got)
		}
	}
}
