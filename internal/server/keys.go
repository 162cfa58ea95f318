package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// keysSetting is where the database keeps the fingerprints of the instance keys, by key id.
const keysSetting = "instance_keys"

// openKeys loads the instance key and makes sure that it is the one that the database's digests were made with. A
// database that has none yet gets a new one.
func openKeys(ctx context.Context, s *store.Store, path string) (*secret.Keyring, error) {
	text, known, err := s.Setting(ctx, keysSetting)
	if err != nil {
		return nil, err
	}
	expected := map[uint8]string{}
	if known {
		if err := json.Unmarshal([]byte(text), &expected); err != nil {
			return nil, fmt.Errorf("reading which instance key the database expects: %w", err)
		}
	}
	keys, err := secret.LoadKeyring(path)
	if errors.Is(err, fs.ErrNotExist) && !known {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		keys, err = secret.CreateKeyring(path)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the instance key %s is missing; the database expects the key with fingerprint %s", path, expected[highest(expected)])
		}
		return nil, fmt.Errorf("reading the instance key: %w", err)
	}
	changed := false
	for id, fingerprint := range expected {
		if got := keys.Fingerprint(id); got != fingerprint {
			if got == "" {
				got = "none"
			}
			return nil, fmt.Errorf("the instance key %s does not belong to this database: for key %d it expects fingerprint %s, the file has %s", path, id, fingerprint, got)
		}
	}
	for _, id := range keys.IDs() {
		if expected[id] == "" {
			expected[id], changed = keys.Fingerprint(id), true
		}
	}
	if !changed {
		return keys, nil
	}
	raw, err := json.Marshal(expected)
	if err != nil {
		return nil, err
	}
	var ours bool
	err = s.Update(ctx, "", store.ForRules, func(tx *store.Tx) (err error) {
		if known {
			ours = true
			return tx.SetSetting(keysSetting, string(raw))
		}
		ours, err = tx.SetSettingOnce(keysSetting, string(raw))
		return err
	})
	if err == nil && !ours { // another node was first: its key counts
		return openKeys(ctx, s, path)
	}
	return keys, err
}

func highest(m map[uint8]string) (id uint8) {
	for k := range m {
		id = max(id, k)
	}
	return id
}
