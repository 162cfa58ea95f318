package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/counterfoil/counterfoil"
)

// big is an update that wants space.
func big(s *fixture, org string) error {
	return s.Update(context.Background(), org, ForTokens, func(tx *Tx) error {
		tx.Append(counterfoil.Event{Type: "tokens", Action: "big", Initiator: strings.Repeat("x", 20_000)})
		return tx.InsertToken(newToken(tokenID()))
	})
}

// whole checks that exactly the acknowledged updates are there.
func whole(t testing.TB, s *fixture, org string, acknowledged int) {
	t.Helper()
	list := tokensOf(t, s, org)
	entries, bad, err := s.VerifyChain(context.Background())
	if len(list) != acknowledged || entries != int64(acknowledged) || bad != 0 || err != nil {
		t.Errorf("%d tokens, %d entries, first bad %d, %v; %d were acknowledged", len(list), entries, bad, err, acknowledged)
	}
}

func TestSQLiteDatabaseFull(t *testing.T) {
	t.Parallel()
	config := Config{Dir: t.TempDir()}
	s := open(t, config)
	limit := func(pages int) {
		s.write(t, "", func(tx *Tx) error {
			var n int
			return tx.q.row(fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(&n)
		})
	}
	acknowledged := 0
	fill := func(n int, wantErr bool) {
		t.Helper()
		for range n {
			err := big(s, "org_1")
			switch {
			case err == nil && !wantErr:
				acknowledged++
			case err == nil || !wantErr || !isUnavailable(err):
				t.Fatalf("an update ended with %v", err)
			}
		}
	}
	fill(5, false)
	limit(1) // that is: no more than there are
	fill(3, true)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := big(s, "org_1"); !isUnavailable(err) {
				t.Errorf("without space: %v", err)
			}
		})
	}
	group.Wait()
	whole(t, s, "org_1", acknowledged)
	limit(1 << 30)
	fill(5, false)
	whole(t, s, "org_1", acknowledged)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole(t, open(t, config), "org_1", acknowledged)
}

// fullDiskDir is the environment variable that makes this binary the child of TestSQLiteDiskFull.
const fullDiskDir = "COUNTERFOIL_STORE_FULL_DISK"

// The write-ahead log itself finds no space, in the middle of a commit. A limit on the size of files is a process's
// own, so this happens in another one.
func TestSQLiteDiskFull(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fullDiskDir+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.HasSuffix(out, []byte("PASS\n")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillDisk(dir string) {
	test := func(t *testing.T) {
		s := open(t, Config{Dir: dir})
		signal.Ignore(unix.SIGXFSZ)
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		acknowledged := 0
		for _, room := range []int64{0, 1_000, 10_000, 30_000} {
			for range 3 {
				if err := big(s, "org_1"); err != nil {
					t.Fatal(err)
				}
				acknowledged++
			}
			wal, err := os.Stat(filepath.Join(dir, "counterfoil.db-wal"))
			if err != nil {
				t.Fatal(err)
			}
			limit(t, unix.Rlimit{Cur: uint64(wal.Size() + room), Max: old.Max})
			var failed error
			for range 20 {
				if failed = big(s, "org_1"); failed != nil {
					break
				}
				acknowledged++
			}
			if !isUnavailable(failed) || errors.Is(failed, ErrTaken) {
				t.Errorf("with %d bytes left: %v", room, failed)
			}
			whole(t, s, "org_1", acknowledged)
			limit(t, old)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		whole(t, open(t, Config{Dir: dir}), "org_1", acknowledged)
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "FullDisk", F: test}}, nil, nil)
}

func limit(t *testing.T, l unix.Rlimit) {
	t.Helper()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}
