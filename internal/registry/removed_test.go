package registry

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A verifier that is behind entries which retention has removed cannot be told of them: to it the log is another one. One that has
// applied them goes on, also where the last that it has applied was removed.
func TestChangesThatWereRemovedUnread(t *testing.T) {
	h := newHouse(t)
	end := func() (number int64, hash []byte) {
		t.Helper()
		number, hash, err := h.LogEnd(t.Context(), Operator())
		if err != nil {
			t.Fatal(err)
		}
		return number, hash
	}
	number, hash := end()
	text := "permissions:\n  - {name: \"devices:read\"}\n"
	if _, _, err := h.ApplyCatalogue(t.Context(), Operator(), text); err != nil { // verdicts go by it
		t.Fatal(err)
	}
	removed, removedHash := end()
	if _, err := h.DeleteOrganization(t.Context(), Operator(), h.beta.ID); err != nil { // something that is kept
		t.Fatal(err)
	}
	last, _ := end()
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"INSERT INTO removed_events (seq, organization, digest, hash) SELECT seq, organization, hash, hash FROM events WHERE seq = $1",
		"DELETE FROM events WHERE seq = $1"} {
		if _, err := db.Exec(statement, removed); err != nil {
			t.Fatal(err)
		}
	}
	expired := &counterfoil.Error{Code: counterfoil.CodeCursorExpired}
	events, err := h.ChangesAfter(t.Context(), Operator(), number, hash, 500)
	if !errors.Is(err, expired) {
		t.Errorf("it is told of %d entries, and not of the one that was removed (%v)", len(events), err)
	}
	if err := h.SameLog(t.Context(), Operator(), number, hash); !errors.Is(err, expired) {
		t.Errorf("a stream may begin behind which an entry was removed: %v", err)
	}
	if events, err = h.ChangesAfter(t.Context(), Operator(), removed, removedHash, 500); err != nil || len(events) == 0 || events[len(events)-1].Number != last {
		t.Errorf("one that has applied what was removed is told of %+v (%v)", events, err)
	}
	if _, err = h.ChangesAfter(t.Context(), Operator(), 0, nil, 500); !errors.Is(err, expired) {
		t.Errorf("one that begins at the first entry is told of what is left: %v", err)
	}
}
