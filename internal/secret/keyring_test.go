package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	hexA = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	hexB = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

func loaded(t *testing.T, content string) *Keyring {
	t.Helper()
	k, err := LoadKeyring(keyFile(t, content, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLoadKeyring(t *testing.T) {
	k := loaded(t, "# comment\n\n7 "+hexA+"\r\n3 "+hexB)
	if got := k.IDs(); !slices.Equal(got, []uint8{7, 3}) {
		t.Errorf("IDs = %v", got)
	}
	if k.Current() != 3 {
		t.Errorf("Current = %d, want the last line's", k.Current())
	}
	key, _ := hex.DecodeString(hexA)
	for _, s := range []string{"", "x", known, strings.Repeat("0123456789", 30)} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		got, ok := k.Digest(7, s)
		if !ok || !bytes.Equal(got[:], h.Sum(nil)) {
			t.Errorf("Digest(7, %.20q) = %x, %v, want the HMAC-SHA-256", s, got, ok)
		}
		other, _ := k.Digest(3, s)
		if got.Equal(other) || !got.Equal(got) {
			t.Error("keys 7 and 3 must give different digests")
		}
	}
	if _, ok := k.Digest(1, known); ok {
		t.Error("a digest under a key that is not there")
	}
	if got := k.Fingerprint(7); got != "812a974a341ac407" {
		t.Errorf("Fingerprint(7) = %q: what databases hold must not change", got)
	}
	if k.Fingerprint(3) == k.Fingerprint(7) || k.Fingerprint(1) != "" {
		t.Error("fingerprints tell keys apart, and an absent key has none")
	}
}

func TestZeroKeyring(t *testing.T) {
	var k Keyring
	if _, ok := k.Digest(0, known); ok || k.Current() != 0 || len(k.IDs()) != 0 || k.Fingerprint(0) != "" {
		t.Error("the zero Keyring holds a key")
	}
}

// Under -race this also shows that rotation and use go together.
func TestDigestWhileRotating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	k, err := CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := k.Digest(1, known)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if d, ok := k.Digest(1, known); !ok || !d.Equal(want) {
					t.Error("the digest under key 1 has changed")
					return
				}
				if _, ok := k.Digest(k.Current(), known); !ok {
					t.Error("no digest under the current key")
					return
				}
			}
		})
	}
	for range 5 {
		if err := k.Rotate(path); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestKeyringPrintsNoKey(t *testing.T) {
	k := loaded(t, "1 "+hexA)
	raw, _ := hex.DecodeString(hexA)
	k.Digest(1, known)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, x := range []any{k, struct{ k *Keyring }{k}} {
			out := fmt.Sprintf(verb, x)
			for _, form := range []string{hexA[:16], string(raw[:8]), "0, 1, 2, 3, 4", "0 1 2 3 4", "0x0, 0x1, 0x2, 0x3"} {
				if strings.Contains(out, form) {
					t.Errorf("%s prints the key: %s", verb, out)
				}
			}
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	k, err := CreateKeyring(filepath.Join(b.TempDir(), "instance.key"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k.Digest(1, known)
		}
	})
}
