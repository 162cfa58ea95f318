package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var kinds = []string{Personal, Organization, Integration, System}

// known is a token string worked out apart from this code (zlib.crc32 of Python), so that the format cannot drift with the code.
const known = "cfl_pat_0123456789AB" + "abcdefghijklmnopqrstuvwxyz0123" + "3I6rG8"

func TestFormatIsFixed(t *testing.T) {
	p, ok := Parse(known)
	if !ok || p.Prefix != "cfl" || p.Kind != Personal || string(p.ID[:]) != "0123456789AB" {
		t.Fatalf("Parse(%q) = %+v, %v", known, p, ok)
	}
	if got, want := Hint(known), "cfl_pat_01234567…6rG8"; got != want {
		t.Errorf("Hint = %q, want %q", got, want)
	}
}

func TestMintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringMatching(`[a-z0-9]{2,8}`).Draw(t, "prefix")
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		v := Mint(prefix, kind)
		p, ok := Parse(v.Reveal())
		if !ok || p.Prefix != prefix || p.Kind != kind || string(p.ID[:]) != v.ID() || len(v.ID()) != idLen {
			t.Fatalf("Parse = %+v, %v", p, ok)
		}
		if v.Prefix() != prefix || v.Kind() != kind {
			t.Fatalf("Prefix, Kind = %q, %q", v.Prefix(), v.Kind())
		}
		again := Remint(prefix, kind, v.ID())
		if again.ID() != v.ID() || again.Reveal() == v.Reveal() {
			t.Fatal("Remint wants the same id and another secret")
		}
	})
}

func TestHintHoldsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Mint(rapid.StringMatching(`[a-z0-9]{2,8}`).Draw(t, "prefix"), rapid.SampledFrom(kinds).Draw(t, "kind"))
		s := v.Reveal()
		if want := v.Prefix() + "_" + v.Kind() + "_" + v.ID()[:8] + "…" + s[len(s)-4:]; v.Hint() != want {
			t.Fatalf("Hint = %q, want %q", v.Hint(), want)
		}
	})
}

func TestEveryChangeOfOneCharacterIsRefused(t *testing.T) {
	v := Mint("cfl", System).Reveal()
	for i := range len(v) {
		for c := range 256 {
			if byte(c) == v[i] {
				continue
			}
			if forged := v[:i] + string([]byte{byte(c)}) + v[i+1:]; valid(forged) {
				t.Errorf("character %d changed to byte %d is accepted", i, c)
			}
		}
		if valid(v[:i]) || valid(v[:i]+v[i+1:]) || valid(v[:i]+"x"+v[i:]) {
			t.Errorf("a cut, a missing or an extra character at %d is accepted", i)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	sealed := func(s string) string { sum := checksum(s); return s + string(sum[:]) }
	body := strings.Repeat("a", idLen+secretLen)
	if !valid(sealed("cfl_pat_" + body)) {
		t.Fatal("the table's base is not valid")
	}
	for _, s := range []string{
		"", "cfl", "_", strings.Repeat("_", 56), strings.Repeat("a", 1<<20),
		sealed("c_pat_" + body), sealed("abcdefghi_pat_" + body), sealed("CFL_pat_" + body), sealed("cf-_pat_" + body),
		sealed("cfl_PAT_" + body), sealed("cfl_foo_" + body), sealed("cfl-pat_" + body), sealed("cfl_pat-" + body),
		sealed("cfl_pat_" + body[1:]), sealed("cfl_pat_" + body + "a"), sealed("cfl_pat_é" + body[2:]),
		" " + sealed("cfl_pat_"+body), sealed("cfl_pat_"+body) + "\n",
	} {
		if valid(s) {
			t.Errorf("Parse(%.80q) is accepted", s)
		}
		if h := Hint(s); h != "" {
			t.Errorf("Hint(%.80q) = %q", s, h)
		}
	}
}

// TestIDsFollowTheClock: ids made later sort later, until the clock of 41 hours begins again; the rest is random.
func TestIDsFollowTheClock(t *testing.T) {
	begin := time.UnixMilli(10 * 62 * 62 * 62 * 62 * 12_000)
	last := ""
	for _, later := range []time.Duration{0, 10, 20, 61 * 10, 62 * 10, 62 * 62 * 10, 40 * 3_600_000} {
		id := newID(begin.Add(later * time.Millisecond))
		if len(id) != idLen || !base62(id) || id <= last {
			t.Errorf("%s after %s", id, last)
		}
		if again := newID(begin.Add(later*time.Millisecond + 9*time.Millisecond)); again[:clockLen] != id[:clockLen] || again == id {
			t.Errorf("in the same step: %s and %s", id, again)
		}
		last = id
	}
	if id := newID(begin.Add(62 * 62 * 62 * 62 * 10 * time.Millisecond)); id[:clockLen] != "0000" {
		t.Errorf("the clock does not begin again: %s", id)
	}
}

func TestChecksumIsCRC32(t *testing.T) {
	for n := range 130 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.IntN(256))
		}
		if got, want := crc(string(b)), crc32.ChecksumIEEE(b); got != want {
			t.Fatalf("crc of %x = %08x, want %08x", b, got, want)
		}
	}
}

func valid(s string) bool { _, ok := Parse(s); return ok }

func FuzzParse(f *testing.F) {
	for _, kind := range kinds {
		f.Add(Mint("cfl", kind).Reveal())
	}
	f.Add(known)
	f.Add(known[:len(known)-1])
	f.Add("cfl_pat_")
	f.Add(strings.Repeat("_", 61))
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := Parse(s)
		if !ok {
			if Hint(s) != "" {
				t.Fatal("a hint of an invalid string")
			}
			return
		}
		v := newValue(s)
		if p.Prefix != v.Prefix() || p.Kind != v.Kind() || string(p.ID[:]) != v.ID() {
			t.Fatalf("Parse and Value disagree: %+v", p)
		}
		body := s[len(s)-bodyLen:]
		sum := checksum(s[:len(s)-checksumLen])
		if s != p.Prefix+"_"+p.Kind+"_"+string(p.ID[:])+body[idLen:idLen+secretLen]+string(sum[:]) {
			t.Fatal("the parts do not make the whole")
		}
	})
}

func TestMintPanicsOnProgrammingErrors(t *testing.T) {
	for name, f := range map[string]func(){
		"prefix": func() { Mint("CFL", Personal) },
		"kind":   func() { Mint("cfl", "personal") },
		"id":     func() { Remint("cfl", Personal, "tok_4fZr81bQx0Lm") },
		"id set": func() { Remint("cfl", Personal, "4fZr81bQx0L-") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// A modulo without rejection would give the first 8 characters 5/256 each instead of 4/248: 21 % too many.
func TestRandomIsUnbiased(t *testing.T) {
	const n = 620_000
	var count [256]int
	for _, c := range random(n) {
		count[c]++
	}
	for _, c := range []byte(alphabet) {
		if got := count[c]; got < 9_200 || got > 10_800 { // 10,000 expected, eight standard deviations
			t.Errorf("%q occurs %d times in %d", c, got, n)
		}
	}
}

// holder keeps a Value in both kinds of field: fmt calls methods on the exported one only.
type holder struct {
	Open   Value
	hidden Value
	Ptr    *Value
	List   []Value
	Map    map[string]Value
}

func TestNothingPrintsAValue(t *testing.T) {
	v := Mint("cfl", Personal)
	h := holder{v, v, &v, []Value{v}, map[string]Value{"k": v}}
	leaks := func(t *testing.T, out string) {
		t.Helper()
		s := v.Reveal()
		secret := s[len(s)-checksumLen-secretLen:][:secretLen]
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprint([]byte(secret))} {
			if strings.Contains(out, strings.Trim(form, "[]")) {
				t.Errorf("the secret is in %s", out)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%U", "%t", "%p", "%T", "%20s"} {
		for _, x := range []any{v, &v, h, &h, []holder{h}, map[int]holder{1: h}, struct{ v Value }{v}, fmt.Errorf("x: %v", v)} {
			leaks(t, fmt.Sprintf(verb, x))
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, v); got != v.Hint() {
			t.Errorf("%s gives %s, want the hint", verb, got)
		}
	}

	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, "h", h, "p", &h)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, "h", h, "p", &h)
	leaks(t, text.String())
	leaks(t, js.String())
	for _, out := range []string{text.String(), js.String()} {
		if !strings.Contains(out, v.Hint()) {
			t.Errorf("the hint is not in %s", out)
		}
	}

	out, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	leaks(t, string(out))
	if want := `{"Open":"` + v.Hint() + `"`; !strings.HasPrefix(string(out), want) {
		t.Errorf("JSON is %s", out)
	}
	out, err = xml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	leaks(t, string(out))
}

func TestZeroValue(t *testing.T) {
	var v Value
	if got := v.Hint() + v.String() + v.Reveal() + v.ID() + v.Kind() + v.Prefix() + fmt.Sprint(v); got != "" {
		t.Errorf("the zero Value gives %q", got)
	}
	if out, err := json.Marshal(v); string(out) != `""` || err != nil {
		t.Errorf("JSON is %s, %v", out, err)
	}
}

func BenchmarkParse(b *testing.B) {
	s := Mint("cfl", Personal).Reveal()
	b.ReportAllocs()
	for b.Loop() {
		Parse(s)
	}
}
