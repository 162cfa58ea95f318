package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

type eventsVerifyCmd struct {
	keyPlace        `embed:""`
	DatabaseURL     string `setting:"" placeholder:"URL" help:"PostgreSQL, postgres://…; without it, SQLite in the data directory."`
	DatabaseURLFile string `setting:"" placeholder:"FILE" help:"A file that holds the database URL."`
	File            string `placeholder:"FILE" help:"An export of the whole instance, in place of the database."`
	Checkpoint      string `placeholder:"FILE" help:"A checkpoint that the log must hold, as JSON."`
	PublicKey       string `placeholder:"HEX" help:"The key that signed it. Default: the one that the instance key here gives."`
	JSON            bool   `name:"json" help:"Print JSON."`
}

func (eventsVerifyCmd) Help() string {
	return `It reads alone, so a server may run on the database meanwhile. It exits with 1 and names the first entry that is not what was written.

Example:

	counterfoil events verify --file log.jsonl --checkpoint checkpoint.json`
}

// chainReport is the JSON of a chain that is good.
type chainReport struct {
	First      int64  `json:"first"`
	Entries    int64  `json:"entries"`
	Last       int64  `json:"last"`
	Hash       string `json:"hash"`
	Removed    int64  `json:"removed,omitempty"` // entries without a body
	Checkpoint *int64 `json:"checkpoint,omitempty"`
}

func (c *eventsVerifyCmd) Run(ctx context.Context, s *session) error {
	var point *counterfoil.Checkpoint
	if c.Checkpoint != "" {
		text, err := s.read(c.Checkpoint)
		if err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &point); err != nil || point == nil {
			return fmt.Errorf("%s is not a checkpoint: make one with \"counterfoil events checkpoint --json\"", c.Checkpoint)
		}
		if err := c.signed(s, point); err != nil {
			return err
		}
	}
	report, met := chainReport{}, point != nil && point.Number == 0
	see := func(number int64, hash []byte) {
		if report.Entries++; report.Entries == 1 {
			report.First = number
		}
		report.Last, report.Hash = number, hex.EncodeToString(hash)
		met = met || point != nil && point.Number == number && bytes.Equal(point.Hash, hash)
	}
	var chain store.Chain
	var bad int64
	var err error
	if c.File != "" {
		chain, bad, err = verifyFile(c.File, see)
	} else {
		chain, bad, err = store.Inspect(ctx, store.Config{Dir: c.Data, DatabaseURL: c.DatabaseURL}, see)
	}
	switch {
	case err != nil:
		return err
	case bad != 0 && bad <= chain.Number:
		return fmt.Errorf("entry %d has no content, and nothing in the log says that it was removed", bad)
	case bad != 0:
		return fmt.Errorf("the chain is broken at entry %d: it, or one before it, is not what was written", bad)
	case point != nil && !met:
		return fmt.Errorf("the log does not hold the checkpoint's entry %d with its hash: it was changed, or cut off before it (it ends with entry %d)", point.Number, report.Last)
	}
	if point != nil {
		report.Checkpoint = &point.Number
	}
	report.Removed = chain.Removed
	if c.JSON {
		return s.json(report)
	}
	text := fmt.Sprintf("The chain is whole: %d entries, the last is %d with hash %s.", report.Entries, report.Last, report.Hash)
	if report.First > 1 {
		text += fmt.Sprintf(" It begins with entry %d: those before it are not here, and nothing vouches for what that one says.", report.First)
	}
	if chain.Removed > 0 {
		text += fmt.Sprintf(" Of %d of them the retention has removed the content and kept the hash, as the log says.", chain.Removed)
	}
	if point != nil {
		text += fmt.Sprintf(" It holds the checkpoint at entry %d of %s.", point.Number, exact(point.Time))
	}
	_, err = fmt.Fprintln(s.out, text)
	return err
}

// signed checks a checkpoint's signature: with the key that was named, else with the instance key's, else with the one
// that it carries, which proves no more than that it is undamaged.
func (c *eventsVerifyCmd) signed(s *session, p *counterfoil.Checkpoint) error {
	key := ed25519.PublicKey(p.PublicKey)
	keys, err := secret.LoadKeyring(c.keyPath())
	switch {
	case c.PublicKey != "":
		if key, err = hex.DecodeString(c.PublicKey); err != nil || len(key) != ed25519.PublicKeySize {
			return misused("--public-key: give the 64 hexadecimal digits of an Ed25519 key")
		}
	case err == nil:
		private, ok := keys.SigningKey(uint8(p.KeyID))
		if !ok || p.KeyID < 1 || p.KeyID > 255 {
			return fmt.Errorf("the checkpoint was signed under instance key %d, which %s does not hold", p.KeyID, c.keyPath())
		}
		key = private.Public().(ed25519.PublicKey)
	case errors.Is(err, fs.ErrNotExist):
		s.say("There is no instance key here: the checkpoint is checked with the key that it carries itself. Name the one that you know with --public-key.")
	default:
		return err
	}
	if !p.SignedBy(key) {
		return errors.New("the checkpoint's signature is not good")
	}
	return nil
}

// verifyFile checks an export of the instance. One that does not begin with entry 1 is checked from its second entry on:
// the hash of the first is what the others are chained to.
func verifyFile(name string, see func(number int64, hash []byte)) (chain store.Chain, bad int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return chain, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for n := 1; lines.Scan(); n++ {
		var e counterfoil.LogEntry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return chain, 0, fmt.Errorf("%s, line %d: this is not an entry: %w", name, n, err)
		}
		if e.Body == "" && e.Digest == nil || e.Number < 1 {
			return chain, 0, fmt.Errorf("%s, line %d: this is not an entry of the instance's log. An organization's export cannot be verified, because the chain runs through all of them: use \"counterfoil events export --instance\"", name, n)
		}
		if chain.Number == 0 && e.Number > 1 {
			chain.Anchor(e)
		} else if !chain.Add(e) {
			return chain, chain.Number + 1, nil
		}
		see(e.Number, e.Hash)
	}
	if err := lines.Err(); err != nil {
		return chain, 0, fmt.Errorf("reading %s: %w", name, err)
	}
	if chain.Number == 0 {
		return chain, 0, fmt.Errorf("%s holds no entries", name)
	}
	return chain, chain.Unaccounted(), nil
}
