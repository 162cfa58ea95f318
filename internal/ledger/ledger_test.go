package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T) *Ledger {
	t.Helper()
	l, err := Open(filepath.Join(t.TempDir(), "revocations"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func backward(t *testing.T, l *Ledger) (tokens []string) {
	t.Helper()
	if err := l.Backward(Mark{}, func(e Entry) error {
		tokens = append(tokens, e.Token)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestEveryAppendedEntryIsThere(t *testing.T) {
	l := open(t)
	var group sync.WaitGroup
	var want []string
	for i := range 16 {
		for j := range 50 {
			want = append(want, fmt.Sprintf("tok_%d_%d", i, j))
		}
		group.Go(func() {
			for j := range 50 {
				if err := l.Append(Entry{Token: fmt.Sprintf("tok_%d_%d", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := backward(t, l)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d entries are there of %d", len(got), len(want))
	}
}

// Behind a mark are the entries that came later, newest first; where the file is not the one that was marked, all of them.
func TestNewestFirstBehindAMark(t *testing.T) {
	l := open(t)
	add := func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			if err := l.Append(Entry{Token: id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	behind := func(m Mark) (got []string) {
		t.Helper()
		if err := l.Backward(m, func(e Entry) error { got = append(got, e.Token); return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if m, err := l.End(); err != nil || m != (Mark{}) {
		t.Errorf("%+v, %v: a mark in nothing", m, err)
	}
	add("a", "b")
	m, err := l.End()
	if err != nil || m.Ledger == "" {
		t.Fatal(m, err)
	}
	if got := behind(m); len(got) != 0 {
		t.Errorf("behind the end: %v", got)
	}
	add("c", "d")
	if got, want := behind(m), []string{"d", "c"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	text, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	for what, other := range map[string]string{
		"another before the mark": strings.Replace(string(text), `"b"`, `"x"`, 1),
		"another first":           strings.Replace(string(text), `"a"`, `"x"`, 1),
		"cut off before the mark": string(text[:m.Offset-3]),
	} {
		if err := os.WriteFile(l.path, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, all := behind(m), behind(Mark{}); !slices.Equal(got, all) {
			t.Errorf("%s: %v of %v", what, got, all)
		}
	}
}

// A crash may cut a line off, and a file may hold what is no entry.
func TestLinesThatAreNoEntriesArePassedOver(t *testing.T) {
	l := open(t)
	text := "\n{}\n[]\n{\"token\":\"a\"}\n\x00\x00\n{\"token\":\"b\",\"at\":\"now\"}\n{\"token\":\"c\"}\n{\"token\":\"d"
	if err := os.WriteFile(l.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := backward(t, l), []string{"c", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The first line after a crash does not join one that was cut off.
func TestOpenEndsALineThatWasCutOff(t *testing.T) {
	l := open(t)
	if err := os.WriteFile(l.path, []byte("{\"token\":\"a\"}\n{\"tok"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Append(Entry{Token: "b"}); err != nil {
		t.Fatal(err)
	}
	if got, want := backward(t, again), []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatCouldNotBeWrittenIsWrittenWithTheNext(t *testing.T) {
	l := open(t)
	good := l.file
	broken, err := os.Open(l.path) // for reading
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	l.file = broken
	for _, id := range []string{"a", "b"} {
		if err := l.Append(Entry{Token: id}); err == nil {
			t.Error("no error")
		}
	}
	l.file = good
	if err := l.Append(Entry{Token: "c"}); err != nil {
		t.Fatal(err)
	}
	if got, want := backward(t, l), []string{"c", "b", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	l.file = broken
	if err := l.Append(Entry{Token: "d"}); err == nil {
		t.Error("no error")
	}
	if _, err := l.End(); err == nil {
		t.Error("the end is said to be there")
	}
	l.file = good
	m, err := l.End() // as at a stop, with nothing more to append
	if err != nil {
		t.Fatal(err)
	}
	if got, want := backward(t, l), []string{"d", "c", "b", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := l.Backward(m, func(e Entry) error { return fmt.Errorf("%s is behind the end", e.Token) }); err != nil {
		t.Error(err)
	}
}

// What lies before a mark is not read: a ledger only grows, and this is done every hour.
func TestWhatIsKnownIsNotRead(t *testing.T) {
	l := open(t)
	many := strings.Repeat("{\"token\":\"tok_aaaaaaaaaaaa\",\"at\":\"2026-11-27T01:02:03.123456Z\"}\n", 100_000)
	if err := os.WriteFile(l.path, []byte(many), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := l.End()
	if err != nil || m.Offset != int64(len(many)) {
		t.Fatal(m, err)
	}
	if err := l.Backward(m, func(Entry) error { return errors.New("it is known") }); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if read := after.TotalAlloc - before.TotalAlloc; read > 1<<20 {
		t.Errorf("%d bytes were read of a ledger of %d", read, len(many))
	}
}
