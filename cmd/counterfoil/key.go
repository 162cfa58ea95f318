package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/counterfoil/counterfoil/internal/secret"
)

type keyCmd struct {
	Show   keyShowCmd   `cmd:"" help:"List the instance keys: ids and fingerprints, never a key."`
	Rotate keyRotateCmd `cmd:"" help:"Append a new instance key, for the digests made from the next start on."`
}

// keyRow is what may be known of an instance key.
type keyRow struct {
	ID          uint8  `json:"id"`
	Fingerprint string `json:"fingerprint"` // the check value that the database expects
	Current     bool   `json:"current"`     // new digests are made under it
}

type keyShowCmd struct {
	keyPlace `embed:""`
	JSON     bool `name:"json" help:"Print JSON."`
}

func (keyShowCmd) Help() string {
	return "Example:\n\n\tcounterfoil key show --data /var/lib/counterfoil"
}

func (c *keyShowCmd) Run(s *session) error {
	keys, err := secret.LoadKeyring(c.keyPath())
	if err != nil {
		return err
	}
	return list(s, c.JSON, keyRows(keys), "", []string{"ID", "FINGERPRINT", "CURRENT"}, func(k keyRow) []string {
		return []string{strconv.Itoa(int(k.ID)), k.Fingerprint, yes(k.Current)}
	})
}

func keyRows(keys *secret.Keyring) (rows []keyRow) {
	for _, id := range keys.IDs() {
		rows = append(rows, keyRow{ID: id, Fingerprint: keys.Fingerprint(id), Current: id == keys.Current()})
	}
	return rows
}

type keyRotateCmd struct {
	keyPlace `embed:""`
	JSON     bool `name:"json" help:"Print JSON."`
}

func (keyRotateCmd) Help() string {
	return `A server that runs goes on with the keys that it has. From its next start on, new and rotated values are under the new key, and the database expects that key for good. The old keys stay: without its key no token made before can be checked.

Example:

	counterfoil key rotate --data /var/lib/counterfoil`
}

func (c *keyRotateCmd) Run(s *session) error {
	path, err := filepath.EvalSymlinks(c.keyPath()) // the file itself is replaced, not a link to it
	if err != nil {
		return fmt.Errorf("opening the instance key file: %w", err)
	}
	before, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("opening the instance key file: %w", err)
	}
	keys, err := secret.LoadKeyring(path)
	if err != nil {
		return err
	}
	if err := keys.Rotate(path); err != nil {
		return err
	}
	if err := giveBack(path, before); err != nil {
		return fmt.Errorf("the new key is in %s, but the file's owner has changed; give it back before the next start: %w", path, err)
	}
	rows := keyRows(keys)
	added := rows[len(rows)-1]
	if c.JSON {
		return s.json(added)
	}
	_, err = fmt.Fprintf(s.out, `Key %d, fingerprint %s, is now the last of %s in %s.

The server uses it from its next start on: restart it, after every other copy of the file has the new line as well.
The old keys must stay: tokens made under them need them.
`, added.ID, added.Fingerprint, count(len(rows), "key"), path)
	return err
}

// giveBack gives a file that was replaced to the owner that it had: root may rotate the key of a server that is not.
func giveBack(path string, before os.FileInfo) error {
	owner, ok := before.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
