package console

import (
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// TestActivity: somebody follows the log while things happen, narrows it, and opens an event.
func TestActivity(t *testing.T) {
	w, p := founded(t)
	w.token("backup")
	p.open("/o/acme/activity")
	p.sees("Created the token “backup”")
	p.missing("“nightly report”")
	p.tick("Follow: show new events as they happen")
	p.sees("Waiting for events")
	made := w.token("nightly report")
	p.sees("Created the token “nightly report”", "1 new event")
	if _, err := w.Registry.RevokeToken(t.Context(), registry.Operator(), w.org, made.ID, "not needed"); err != nil {
		t.Fatal(err)
	}
	p.sees("Revoked the token “nightly report”", "2 new events")

	p.fill("Item", "BACKUP")
	p.follow("button", "Search")
	p.sees("Created the token “backup”")
	p.missing("nightly report")
	p.follow("link", "Created the token “backup”")
	p.sees("Facts", "The operator", "Hash")
	p.open("/o/acme/activity?type=no-such-type")
	p.sees("Nothing matches")
	p.tick("Follow: show new events as they happen")
	if _, err := w.Registry.WriteEvents(t.Context(), registry.Operator(), w.org, []counterfoil.EventDraft{{Type: "no-such-type", Action: "thing_done"}}); err != nil {
		t.Fatal(err)
	}
	p.sees("Thing done (no-such-type)")
	p.missing("Nothing matches")
}
