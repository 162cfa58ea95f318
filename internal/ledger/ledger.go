// Package ledger is the file of what may never come back: which tokens were revoked, and which value took the place of
// another. A database that was restored from a backup has forgotten; this file lies beside it and has not (promise S5 in
// SECURITY.md). It refuses to decide: the registry replays it. It holds digests and ids, no secret.
package ledger

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"
)

// Entry is one line of the file: the end of a token, of the value that it had, of a provider's key, or of an organization.
type Entry struct {
	Token        string    `json:"token,omitempty"`        // tok_…
	ProviderKey  string    `json:"provider_key,omitempty"` // key_…
	Organization string    `json:"organization,omitempty"` // that was deleted
	Ledger       string    `json:"ledger,omitempty"`       // the first line: no end, but which file this is
	At           time.Time `json:"at"`
	// Of a rotation or its end, the value that took the place, when, in microseconds since 1970, which grows with each of a token,
	// and the token's version with it, which is all that entries before it have. Zero: revoked.
	KeyID     uint8  `json:"key_id,omitempty"`
	Digest    []byte `json:"digest,omitempty"`
	RotatedAt int64  `json:"rotated_at,omitempty"`
	Version   int64  `json:"version,omitempty"`
}

// Ledger is the file, open for appending. It is safe for concurrent use.
type Ledger struct {
	path string
	file *os.File

	writing sync.Mutex // one write and sync at a time; who waits for it joins the next
	unsaved []byte     // of writes that failed
	torn    bool       // the file may end within a line

	mu   sync.Mutex // guards next
	next *batch
}

// batch is what is written and synced together.
type batch struct {
	lines []byte
	done  bool
	err   error
}

// Open opens the file at path, or makes it, for this user alone.
func Open(path string) (*Ledger, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of revocations: %w", err)
	}
	// The first write begins a line of its own: a crash may have cut the last one off.
	return &Ledger{path: path, file: f, next: &batch{}, torn: true}, nil
}

// Begin gives a file without a whole line its first one, by which it can be told from others; false: it has one.
func (l *Ledger) Begin(now time.Time) (began bool, err error) {
	if end, err := l.End(); err != nil || end.Ledger != "" {
		return false, err
	}
	return true, l.Append(Entry{Ledger: rand.Text(), At: now})
}

// Append returns when the entries are durable. What could not be written is written with the next ones.
func (l *Ledger) Append(entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var lines []byte
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	l.mu.Lock()
	mine := l.next
	mine.lines = append(mine.lines, lines...)
	l.mu.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	if mine.done {
		return mine.err
	}
	l.mu.Lock()
	l.next = &batch{}
	l.mu.Unlock()
	mine.done, mine.err = true, l.write(append(l.unsaved, mine.lines...))
	return mine.err
}

// write is called by one at a time. A line that was cut off is ended first; Backward passes over it.
func (l *Ledger) write(lines []byte) error {
	l.unsaved = lines
	if l.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	l.torn = true
	if _, err := l.file.Write(lines); err != nil {
		return fmt.Errorf("writing the ledger of revocations: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("syncing the ledger of revocations: %w", err)
	}
	l.unsaved, l.torn = nil, false
	return nil
}

// Mark is a place in a ledger: everything before it is known to whoever keeps the mark.
type Mark struct {
	Ledger string // which one: by its first line; empty: it has none yet
	Offset int64  // in bytes
	Before string // by what lies before: another file has something else there
}

// End is the mark behind the last entry, those included that could not be written before: they are written now. Take it before
// what is kept with it is committed.
func (l *Ledger) End() (Mark, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if len(l.unsaved) > 0 {
		if err := l.write(l.unsaved); err != nil {
			return Mark{}, err
		}
	}
	info, err := l.file.Stat()
	if err != nil {
		return Mark{}, fmt.Errorf("reading the ledger of revocations: %w", err)
	}
	last, err := l.part(info.Size()-block, info.Size())
	if err != nil {
		return Mark{}, err
	}
	return l.markAt(info.Size() - int64(len(last)-bytes.LastIndexByte(last, '\n')-1))
}

const (
	sampled = 256      // how many bytes before a mark tell one file from another
	block   = 16 << 10 // bytes, in which a line fits
)

// markAt is the mark at the end of a line; the zero one where there is no such place.
func (l *Ledger) markAt(offset int64) (Mark, error) {
	start, err := l.part(0, block)
	if err != nil {
		return Mark{}, err
	}
	before, err := l.part(offset-sampled, offset)
	first, _, whole := bytes.Cut(bytes.TrimLeft(start, "\n"), []byte{'\n'})
	if err != nil || !whole || offset <= 0 || int64(len(before)) < min(offset, sampled) {
		return Mark{}, err
	}
	return Mark{digest(first), offset, digest(before)}, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Backward shows the entries behind a mark, the newest first, until see fails; all of them where the mark is not of this file as
// it is. Lines that are no entries are passed over: a crash may have cut the last one off before anything in it was acknowledged.
func (l *Ledger) Backward(known Mark, see func(Entry) error) error {
	there, err := l.markAt(known.Offset)
	if err != nil {
		return err
	}
	from := int64(0)
	if there == known {
		from = known.Offset
	}
	text, err := l.part(from, math.MaxInt64)
	if err != nil {
		return err
	}
	for len(text) > 0 {
		text = bytes.TrimRight(text, "\n")
		start := bytes.LastIndexByte(text, '\n') + 1
		line := text[start:]
		text = text[:start]
		var e Entry
		if json.Unmarshal(line, &e) != nil || e.Token+e.ProviderKey+e.Organization == "" {
			continue
		}
		if err := see(e); err != nil {
			return err
		}
	}
	return nil
}

// part reads the bytes from one offset to another, as far as they are there.
func (l *Ledger) part(from, to int64) ([]byte, error) {
	from = max(from, 0)
	text, err := io.ReadAll(io.NewSectionReader(l.file, from, max(to-from, 0)))
	if err != nil {
		return nil, fmt.Errorf("reading the ledger of revocations: %w", err)
	}
	return text, nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.file.Close() }
