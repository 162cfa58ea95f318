package secret

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func keyFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "instance.key")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadKeyringRefuses(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "holds no key"},
		{"comments only", "# nothing\n\n", "holds no key"},
		{"no id", hexA, "line 1: want a key id"},
		{"id zero", "0 " + hexA, "line 1: want a key id"},
		{"id too large", "256 " + hexA, "line 1: want a key id"},
		{"id negative", "-1 " + hexA, "line 1: want a key id"},
		{"short key", "# c\n1 " + hexA[2:], "line 2: key 1 does not have 64 hex digits"},
		{"long key", "1 " + hexA + "00", "line 1: key 1 does not have"},
		{"bad hex", "1 " + hexA[:62] + "zz", "line 1: key 1 is not hexadecimal"},
		{"id twice", "1 " + hexA + "\n1 " + hexB, "line 2: key id 1 is there twice"},
		{"cut in the second line", "1 " + hexA + "\n2 " + hexB[:20], "line 2: key 2 does not have"},
		{"too large", strings.Repeat("#", keyFileLimit+1), "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadKeyring(keyFile(t, c.content, 0o600))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), hexA[10:20]) || strings.Contains(err.Error(), hexB[:10]) {
				t.Errorf("the error holds key material: %v", err)
			}
		})
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644, 0o620} {
		path := keyFile(t, "1 "+hexA, 0o600)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeyring(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := LoadKeyring(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := LoadKeyring(t.TempDir()); err == nil {
		t.Error("a directory is loaded")
	}
}

func TestCreateKeyring(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	k, err := CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again, err := LoadKeyring(path)
	if err != nil || again.Current() != 1 || k.Current() != 1 || again.Fingerprint(1) != k.Fingerprint(1) {
		t.Errorf("what was created is not what is loaded: %v", err)
	}
	before, _ := os.ReadFile(path)
	if _, err := CreateKeyring(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second creation: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused creation changed the file")
	}
	other, err := CreateKeyring(filepath.Join(t.TempDir(), "instance.key"))
	if err != nil || other.Fingerprint(1) == k.Fingerprint(1) {
		t.Errorf("two instances have the same key: %v", err)
	}
}

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	k, err := CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := k.Digest(1, known)
	for range 2 {
		if err := k.Rotate(path); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(k.IDs(), []uint8{1, 2, 3}) || k.Current() != 3 {
		t.Errorf("IDs = %v, Current = %d", k.IDs(), k.Current())
	}
	if d, ok := k.Digest(1, known); !ok || d != old {
		t.Error("digests under the old key have changed")
	}
	again, err := LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range k.IDs() {
		if again.Fingerprint(id) != k.Fingerprint(id) || again.Fingerprint(id) == "" {
			t.Errorf("key %d in the file is not the one in use", id)
		}
	}
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestRotateRefuses(t *testing.T) {
	for _, c := range []struct {
		name, content, want string
		prepare             func(path string) error
	}{
		{"another rotation", "1 " + hexA, "another rotation", func(p string) error { return os.WriteFile(p+".new", nil, 0o600) }},
		{"a key added meanwhile", "1 " + hexA, "restart", func(p string) error { return os.WriteFile(p, []byte("1 "+hexA+"\n2 "+hexB), 0o600) }},
		{"another file's key", "1 " + hexA, "restart", func(p string) error { return os.WriteFile(p, []byte("1 "+hexB), 0o600) }},
		{"no id left", "255 " + hexA, "end at 255", func(string) error { return nil }},
		{"file gone", "1 " + hexA, "no such file", os.Remove},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := keyFile(t, c.content, 0o600)
			k, err := LoadKeyring(path)
			if err != nil {
				t.Fatal(err)
			}
			ids := k.IDs()
			if err := c.prepare(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			if err := k.Rotate(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			after, _ := os.ReadFile(path)
			if !bytes.Equal(before, after) || !slices.Equal(ids, k.IDs()) {
				t.Error("a refused rotation changed something")
			}
			if _, err := os.Stat(path + ".new"); c.name != "another rotation" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("a refused rotation left its file behind")
			}
		})
	}
}
