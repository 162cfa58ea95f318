package secret

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const (
	keyFileMode  = 0o600
	keyFileLimit = 64 << 10
	keyFileIntro = "# Instance keys of counterfoil: an id and 64 hex digits a line, the last line is current. Tokens cannot be checked\n" +
		"# without them. Keep a copy, but not beside a backup of the database.\n"
)

// LoadKeyring reads the instance key file. It refuses a file that the group or others may read, and one that is empty
// or damaged; its errors name lines, never what is in them. A missing file is fs.ErrNotExist.
func LoadKeyring(path string) (*Keyring, error) {
	_, r, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	k := new(Keyring)
	k.ring.Store(r)
	return k, nil
}

// CreateKeyring makes the instance key file with one key, number 1. A file that exists is fs.ErrExist and stays as it
// is. On return without error the file is on disk.
func CreateKeyring(path string) (*Keyring, error) {
	r, key := new(ring), newKey()
	if err := writeNew(path, []byte(keyFileIntro+keyLine(1, key))); err != nil {
		return nil, fmt.Errorf("creating the instance key file: %w", err)
	}
	if err := syncDir(path); err != nil {
		return nil, fmt.Errorf("creating the instance key file: %w", err)
	}
	r.add(1, key)
	k := new(Keyring)
	k.ring.Store(r)
	return k, nil
}

// Rotate appends a new key to the file that k was loaded from and makes it current; the old keys stay, for the digests
// made under them. It replaces the file in one step: after an error or a crash the file is whole, either as before or
// with the new key, and k is unchanged. It refuses a file whose keys are not those of k. Nodes that lack the new key
// cannot check tokens made from now on.
func (k *Keyring) Rotate(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.rotate(path); err != nil {
		return fmt.Errorf("rotating the instance key: %w", err)
	}
	return nil
}

func (k *Keyring) rotate(path string) error {
	// The name is fixed so that two processes cannot rotate at once, each dropping the other's key.
	next := path + ".new"
	err := writeNew(next, nil)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: another rotation is running, or one was interrupted; if none is running, remove it", next)
	}
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = os.Remove(next)
		}
	}()
	src, r, err := readKeyFile(path)
	if err != nil {
		return err
	}
	if !sameKeys(k.state(), r) {
		return fmt.Errorf("%s is not the file that is in use, or has changed since: restart to load it", path)
	}
	last := slices.Max(r.ids)
	if last == 255 {
		return errors.New("key ids end at 255")
	}
	key := newKey()
	src = append(bytes.TrimRight(src, "\n"), '\n')
	if err := writeSync(next, os.O_TRUNC, append(src, keyLine(last+1, key)...)); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	renamed = true
	if err := syncDir(path); err != nil {
		return err
	}
	r = k.state().clone()
	r.add(last+1, key)
	k.ring.Store(r)
	return nil
}

func sameKeys(a, b *ring) bool {
	const probe = "counterfoil: the same key?"
	return slices.Equal(a.ids, b.ids) && !slices.ContainsFunc(a.ids, func(id uint8) bool {
		return !a.keys[id].digest(probe).Equal(b.keys[id].digest(probe))
	})
}

func readKeyFile(path string) ([]byte, *ring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the instance key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("opening the instance key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("instance key file %s: not a regular file", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, nil, fmt.Errorf("instance key file %s: others than its owner may use it; run chmod 600 %[1]s", path)
	}
	src, err := io.ReadAll(io.LimitReader(f, keyFileLimit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the instance key file: %w", err)
	}
	if len(src) > keyFileLimit {
		return nil, nil, fmt.Errorf("instance key file %s: larger than %d bytes", path, keyFileLimit)
	}
	r, err := parseKeys(string(src))
	if err != nil {
		return nil, nil, fmt.Errorf("instance key file %s: %w", path, err)
	}
	return src, r, nil
}

// parseKeys wraps no error of what it calls: those quote their input, which is a key.
func parseKeys(src string) (*ring, error) {
	r, n := new(ring), 0
	for line := range strings.Lines(src) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		idText, keyText, _ := strings.Cut(line, " ")
		id, err := strconv.ParseUint(idText, 10, 8)
		if err != nil || id == 0 {
			return nil, fmt.Errorf("line %d: want a key id from 1 to 255, a space and 64 hex digits", n)
		}
		var key [keyLen]byte
		if len(keyText) != hex.EncodedLen(keyLen) {
			return nil, fmt.Errorf("line %d: key %d does not have 64 hex digits", n, id)
		}
		if _, err := hex.Decode(key[:], []byte(keyText)); err != nil {
			return nil, fmt.Errorf("line %d: key %d is not hexadecimal", n, id)
		}
		if r.keys[id] != nil {
			return nil, fmt.Errorf("line %d: key id %d is there twice", n, id)
		}
		r.add(uint8(id), key)
	}
	if len(r.ids) == 0 {
		return nil, errors.New("it holds no key; restore it from its copy, or remove it if nothing was ever made with it")
	}
	return r, nil
}

func newKey() (key [keyLen]byte) {
	_, _ = rand.Read(key[:]) // never fails: it crashes the program instead
	return key
}

func keyLine(id uint8, key [keyLen]byte) string { return fmt.Sprintf("%d %x\n", id, key) }

// writeNew makes a file that must not exist, and leaves none behind when it fails.
func writeNew(path string, data []byte) error {
	err := writeSync(path, os.O_CREATE|os.O_EXCL, data)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		_ = os.Remove(path)
	}
	return err
}

func writeSync(path string, flag int, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flag, keyFileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes a new or renamed entry of path's directory last. Windows cannot, and does so by itself.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
