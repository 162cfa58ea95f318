package registry

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// One entry of one organization cannot be read. Usage is closed all the same, everybody's: it would never be again.
func TestUsagePastAnEntryThatCannotBeRead(t *testing.T) {
	h := newHouse(t)
	second, err := h.CreateOrganization(t.Context(), Operator(), counterfoil.OrganizationDraft{Name: "Second", Provider: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateManaged(t.Context(), Operator(), second.ID, counterfoil.ManagedDraft{Name: "Theirs"}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec("UPDATE events SET body = 'no JSON' WHERE seq = (SELECT MIN(seq) FROM events WHERE organization = $1)", h.alpha.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := r.RowsAffected(); n != 1 {
		t.Fatal(n)
	}
	h.tokens(t, "tok_laterlaterla")
	if _, err := h.RevokeToken(t.Context(), Operator(), h.alpha.ID, "tok_laterlaterla", ""); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(24 * time.Hour)
	if err := h.CloseUsage(t.Context()); err != nil {
		t.Errorf("closing usage, of all organizations: %v", err)
	}
	if page, err := h.Usage(t.Context(), Operator(), second.ID, UsageQuery{From: "2026-03-01", Through: "2026-03-01", Limit: 50}); err != nil {
		t.Errorf("the usage of another provider, which has no part in it: %d rows, %v", len(page.Data), err)
	}
}
