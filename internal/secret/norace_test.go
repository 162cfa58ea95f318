//go:build !race

package secret

import "testing"

func TestParseAllocatesNothing(t *testing.T) {
	s := Mint("cfl", Personal).Reveal()
	if n := testing.AllocsPerRun(1000, func() { Parse(s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDigestAllocatesNothing(t *testing.T) {
	k := loaded(t, "1 "+hexA)
	want, _ := k.Digest(1, known)
	n := testing.AllocsPerRun(1000, func() {
		if d, _ := k.Digest(1, known); !d.Equal(want) {
			t.Error("the digest has changed")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
