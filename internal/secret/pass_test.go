package secret

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

func TestPass(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := MintPass()
		d, ok := PassDigest(p)
		if !ok || len(d) != 32 || seen[p] || bytes.Contains(d, []byte(p[:8])) {
			t.Fatalf("the pass %q: digest %x, %v", p, d, ok)
		}
		seen[p] = true
		for _, bad := range []string{p[1:], p + "a", "", p[:42] + "-", p[:42] + " ", Mint("cfl", Personal).Reveal()} {
			if _, ok := PassDigest(bad); ok {
				t.Errorf("%q passes for a pass", bad)
			}
		}
	}
}

func TestSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	keys, err := CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("JBSWY3DPEHPK3PXP")
	id, sealed, err := keys.Seal("totp", "usr_1", plain)
	if err != nil || id != 1 || bytes.Contains(sealed, plain) {
		t.Fatalf("sealed %x under %d: %v", sealed, id, err)
	}
	if _, again, _ := keys.Seal("totp", "usr_1", plain); bytes.Equal(again, sealed) {
		t.Error("the same text is sealed alike twice")
	}
	if err := keys.Rotate(path); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Unseal(id, "totp", "usr_1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("after a rotation it opens as %q: %v", got, err)
	}
	broken := bytes.Clone(sealed)
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		key              uint8
		purpose, context string
		sealed           []byte
	}{
		"another key":     {2, "totp", "usr_1", sealed},
		"a key not held":  {9, "totp", "usr_1", sealed},
		"another purpose": {1, "other", "usr_1", sealed},
		"another person":  {1, "totp", "usr_2", sealed},
		"damaged":         {1, "totp", "usr_1", broken},
		"cut":             {1, "totp", "usr_1", sealed[:5]},
		"empty":           {1, "totp", "usr_1", nil},
	} {
		if got, err := keys.Unseal(c.key, c.purpose, c.context, c.sealed); !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%s: opens as %q, %v", name, got, err)
		}
	}
	if _, _, err := new(Keyring).Seal("totp", "usr_1", plain); !errors.Is(err, ErrSealed) {
		t.Errorf("without a key: %v", err)
	}
}
