package e2e_test

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// walkFiles visits every file below root.
func walkFiles(root fs.FS, visit func(name string, info os.FileInfo, content io.Reader) error) error {
	return fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return visit(name, info, f)
	})
}

func TestInstanceKey(t *testing.T) {
	t.Parallel()
	in := serveNew(t, "")
	keyFile := filepath.Join(in.dir, "instance.key")
	for name, mode := range map[string]os.FileMode{keyFile: 0o600, filepath.Join(in.dir, "counterfoil.db"): 0o600, filepath.Join(in.dir, "counterfoil.db-wal"): 0o600, in.dir: fs.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if out, err := in.run("serve", "--listen", "127.0.0.1:0", "--admin-listen", "-"); err == nil || !bytes.Contains(out, []byte("another counterfoil is using")) {
		t.Errorf("a second server on the same directory: %v, %s", err, out)
	}
	if out, err := in.run("setup", "--organization", "Other", "--email", "x@other.example"); err == nil {
		t.Errorf("setup beside a server: %s", out)
	}
	in.stop(syscall.SIGTERM)

	before := hash(t, in.dir)
	for range 2 {
		out, err := in.run("setup", "--json", "--organization", "Other", "--email", "x@other.example", "--catalogue", "../../examples/catalogue.yaml")
		if err == nil || !bytes.Contains(out, []byte("set up already")) {
			t.Errorf("a second setup: %v, %s", err, out)
		}
	}
	if !maps.Equal(before, hash(t, in.dir)) {
		t.Error("a second setup changed the data directory")
	}

	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	good := regexp.MustCompile(`[0-9a-f]{64}`).FindString(string(key))
	fingerprint := regexp.MustCompile(`fingerprint ([0-9a-f]{16})`)
	expected := ""
	for _, test := range []struct {
		name, want string
		change     func() error
	}{
		{"another key", "does not belong to this database", func() error {
			return os.WriteFile(keyFile, bytes.ReplaceAll(key, []byte(good), []byte(strings.Repeat("ab", 32))), 0o600)
		}},
		{"no key", "is missing", func() error { return os.Remove(keyFile) }},
		{"an empty key", "instance key", func() error { return os.WriteFile(keyFile, nil, 0o600) }},
		{"a key that others may read", "instance key", func() error {
			if err := os.WriteFile(keyFile, key, 0o600); err != nil {
				return err
			}
			return os.Chmod(keyFile, 0o644)
		}},
	} {
		if err := test.change(); err != nil {
			t.Fatal(err)
		}
		out, err := in.run("serve", "--listen", "127.0.0.1:0", "--admin-listen", "-")
		if err == nil || !strings.Contains(string(out), test.want) || strings.Contains(string(out), good) {
			t.Errorf("%s: %v, %s", test.name, err, out)
		}
		if found := fingerprint.FindSubmatch(out); test.name == "another key" || test.name == "no key" {
			if found == nil || expected != "" && expected != string(found[1]) {
				t.Errorf("%s: the expected fingerprint is not told: %s", test.name, out)
			} else {
				expected = string(found[1])
			}
		}
	}
	if err := os.Chmod(keyFile, 0o600); err != nil {
		t.Fatal(err)
	}
	in.start()
	if _, err := in.system().CurrentToken(t.Context()); err != nil {
		t.Errorf("with its own key again: %v", err)
	}
}
