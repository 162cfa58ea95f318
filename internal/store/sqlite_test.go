package store

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func TestSQLiteRefusesASecondProcess(t *testing.T) {
	t.Parallel()
	config := Config{Dir: t.TempDir()}
	s := open(t, config)
	if _, err := tryOpen(t, config); err == nil || !strings.Contains(err.Error(), "another counterfoil is using "+config.Dir) {
		t.Errorf("a second one: %v", err)
	}
	appendOne(t, s, "org_1", "still")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expectChain(t, open(t, config), 1, 0)
}

// What is acknowledged survives the loss of power only with these.
func TestSQLiteIsDurable(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
		s.write(t, "", func(tx *Tx) error {
			var got string
			err := tx.q.row("PRAGMA " + pragma).Scan(&got)
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
			return err
		})
	}
}

func TestSQLiteDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "made/when absent", "50% off?#&mode=memory;é"} {
		dir := filepath.Join(t.TempDir(), name)
		s := open(t, Config{Dir: dir})
		appendOne(t, s, "org_1", "a")
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			t.Fatal(entries, err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has mode %v (%v), want 0600", name, e.Name(), info.Mode(), err)
			}
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v (%v), want 0700", name, info.Mode(), err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, Config{Dir: file}); err == nil || !strings.HasPrefix(err.Error(), "opening store: ") {
		t.Errorf("a directory that is a file: %v", err)
	}
}

// Writes that wait while one runs share its commit; those that fail among them take none along.
func TestSQLiteCommitsInGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fails func(i int) bool
		most  int64 // commits
	}{
		{"none fails", func(int) bool { return false }, 1},
		{"some are refused", func(i int) bool { return i%4 == 0 }, 1},
		{"some fail after writing", func(i int) bool { return i%20 == 7 }, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Config{Dir: t.TempDir()})
			w := s.engine.(*sqliteEngine).writer
			const waiting = 200
			before := w.commits.Load()
			begun, release := make(chan struct{}), make(chan struct{})
			begin := sync.OnceFunc(func() { close(begun) }) // what shares a commit with one that fails runs again
			var group sync.WaitGroup
			group.Go(func() {
				err := s.Update(t.Context(), "org_1", ForTokens, func(tx *Tx) error {
					begin()
					<-release
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			<-begun
			var want atomic.Int64
			for i := range waiting {
				group.Go(func() {
					err := s.Update(t.Context(), "org_1", ForTokens, func(tx *Tx) error {
						tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
						if c.fails(i) && c.most == 1 {
							return ErrStale
						}
						err := tx.InsertToken(newToken(tokenID()))
						if c.fails(i) {
							return ErrStale
						}
						return err
					})
					switch {
					case (err != nil) != c.fails(i):
						t.Errorf("write %d: %v", i, err)
					case err == nil:
						want.Add(1)
					}
				})
			}
			eventually(t, "all writes wait", longest, func() bool { return len(w.jobs) == waiting })
			close(release)
			group.Wait()
			if n := w.commits.Load() - before; n > c.most {
				t.Errorf("%d commits for %d writes that waited together, want at most %d", n, waiting+1, c.most)
			}
			whole(t, s, "org_1", int(want.Load()))
		})
	}
}
