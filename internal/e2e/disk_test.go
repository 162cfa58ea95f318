package e2e_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/store"
)

// smallDisk mounts a file system of its own, as large as a floppy disk or a few.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root, or whoever may mount, can have a disk that is full")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes what space is left and returns what gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 1 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	if info, err := f.Stat(); err != nil || info.Size() < 1<<20 {
		t.Fatalf("the disk was all but full before: %v, %v", info.Size(), err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// unavailable says whether err is a 503 that says when to try again.
func unavailable(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Status == 503 && refused.RetryAfter > 0 && refused.Err.Code == counterfoil.CodeUnavailable
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "8m")
	in := setUp(t, filepath.Join(dir, "data"), "")
	in.start()
	var made []counterfoil.Created
	create := func() error {
		c, err := in.system().CreateToken(t.Context(), in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "disk", Permissions: []string{"devices:read"}})
		if err == nil {
			made = append(made, c)
		}
		return err
	}
	revoked := in.create(t, counterfoil.Draft{})
	for range 100 {
		if err := create(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.system().RevokeToken(t.Context(), in.Organization.ID, revoked.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	in.stop(syscall.SIGTERM)
	in.start() // with an empty cache
	check := func(c counterfoil.Created, want counterfoil.Code) {
		t.Helper()
		v, err := in.system().Verify(t.Context(), counterfoil.Question{Token: c.Secret, Endpoint: "GET /api/devices/7"})
		if err == nil && v.Code != want || err != nil && !unavailable(err) {
			t.Errorf("the verdict is %q, %v; want %q or 503", v.Code, err, want)
		}
	}
	for round := range 3 {
		check(made[0], counterfoil.CodeOK)
		free := fill(t, dir)
		var err error
		for deadline := time.Now().Add(patience); err == nil && time.Now().Before(deadline); {
			err = create() // there may be room inside the files
		}
		if !unavailable(err) {
			t.Errorf("a creation without space: %v", err)
		}
		_, err = in.system().EditToken(t.Context(), in.Organization.ID, made[1].Token.ID, counterfoil.Edit{Name: new("renamed")})
		if err != nil && !unavailable(err) {
			t.Errorf("an edit without space: %v", err)
		}
		for range 3 {
			check(made[0], counterfoil.CodeOK)            // from the cache
			check(made[10*(round+1)], counterfoil.CodeOK) // never asked for before
			check(revoked, counterfoil.CodeTokenRevoked)
		}
		if status, _, err := in.page("healthz"); status != 200 {
			t.Errorf("healthz: %d, %v", status, err)
		}
		if _, text, err := in.page("metrics"); !regexp.MustCompile(`(?m)^counterfoil_failed_writes_total [1-9]`).MatchString(text) {
			t.Errorf("the metrics do not say that writes fail: %v", err)
		}
		if !strings.Contains(in.logs(), "is the disk of the data directory full") {
			t.Error("the log does not say that the disk may be full")
		}
		free()
		for range 10 {
			if err := create(); err != nil {
				t.Errorf("with space again: %v", err)
			}
		}
	}
	in.stop(syscall.SIGKILL)
	checkTokens(t, in, made)
}

// checkTokens opens the database: every one of the acknowledged tokens is there, and the log is whole.
func checkTokens(t *testing.T, in *instance, made []counterfoil.Created) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: in.dir, DatabaseURL: in.databaseURL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range made {
		if _, found, err := s.LookUp(t.Context(), c.Token.ID); err != nil || !found {
			t.Errorf("%s was acknowledged; it is there: %v, %v", c.Token.ID, found, err)
		}
	}
	if entries, bad, err := s.VerifyChain(t.Context()); err != nil || bad != 0 || entries < int64(len(made)) {
		t.Errorf("the log has %d good entries for %d tokens, the first bad one is %d, %v", entries, len(made), bad, err)
	}
}

// hash is that of everything in a directory: names, modes and contents.
func hash(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS(dir)
	err := walkFiles(root, func(name string, info os.FileInfo, content io.Reader) error {
		text, err := io.ReadAll(content)
		found[name] = info.Mode().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
