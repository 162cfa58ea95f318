package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestPastedJWTStaysNowhere: somebody whose session has ended loses what they pasted, and the address has none of it.
func TestPastedJWTStaysNowhere(t *testing.T) {
	d := newDesk(t)
	p, _ := d.provider()
	stranger := &sitter{d: d, at: "/o/" + p.Slug, cookies: map[string]string{}}
	sent := stranger.post("/provider-api/inspect", "jwt", "eyJpasted.eyJpasted.x")
	if sent.status != http.StatusSeeOther || !strings.HasPrefix(sent.location, "/sign-in?next=") || strings.Contains(sent.location+sent.source+fmt.Sprint(sent.header)+d.Logs(), "pasted") {
		t.Errorf("answered %d to %s: %s", sent.status, sent.location, sent.source)
	}
}
