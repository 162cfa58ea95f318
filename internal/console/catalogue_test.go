package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/counterfoiltest"
)

func TestPermissionsPage(t *testing.T) {
	d := newDesk(t, counterfoiltest.WithCatalogue(strings.Replace(counterfoiltest.Catalogue, "title: Read devices", "title: <i>Read</i> devices", 1)))
	owner := d.sits(d.Owner.ID)
	page := owner.get("/permissions").says(http.StatusOK, "Devices Permission Opens Kinds of token Roles You <i>Read</i> devices devices:read List devices and show them. GET /api/devices GET /api/devices/{id} Personal and organization owner , admin , member , operator , viewer Held",
		"Change sites sites:write Add, change and remove sites. POST /api/sites PUT /api/sites/{id} Personal owner , admin Held", "counterfoil.console_sessions:write", "None but system tokens Not held")
	if strings.Contains(page.source, "<i>Read") {
		t.Error("a title is markup")
	}
	if to := page.attr(`<a href="#[^"]*">Sites \(2\)<`, "href"); !strings.Contains(page.source, `<h2 id="`+to[1:]+`">Sites</h2>`) {
		t.Errorf("the link to the sites leads to %s", to)
	}
	owner.get("/permissions?q=put+SITES").says(http.StatusOK, "1 of ", "sites:write", "!sites:read", "!devices:read")
	owner.get("/permissions?q=nowhere").says(http.StatusOK, "Nothing matches")
	viewer, _ := d.Member(t, "viewer")
	sees := d.sits(viewer.ID)
	sees.get("/permissions").says(http.StatusOK, "devices:write", "Kinds of token You", "!operator")
	sees.get("/permissions?held=yes").says(http.StatusOK, "2 of ", "devices:read", "sites:read", "!devices:write")
	sees.get("/permissions?held=no").says(http.StatusOK, "devices:write", "!devices:read")
}
