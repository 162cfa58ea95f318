package console_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// TestAdjustmentOnPage: a correction of a final month stands behind the organization's own row, and says what it corrects.
func TestAdjustmentOnPage(t *testing.T) {
	at := new(atomic.Int64)
	at.Store(time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC).UnixMicro())
	d := newDesk(t, counterfoiltest.WithClock(func() time.Time { return time.UnixMicro(at.Load()) }))
	p := d.NewProvider(t, "Northwind MSP")
	alpha := d.manages(p, "Alpha")
	const month = "2026-03"
	at.Add(time.Hour.Microseconds())
	owner := d.sitsIn(p.ID, p.Slug, p.Owner.ID)
	owner.get("/usage?from="+month+"&to="+month).says(http.StatusOK, "Alpha", "Final", "!Provisional")
	three := 3
	must[counterfoil.UsageAdjustments](t)(d.System().CorrectUsage(t.Context(), counterfoil.UsageCorrection{Provider: p.ID, Organization: alpha.ID, Month: month, Billable: &three, Reason: "<b>counted</b> by hand"}))
	page := owner.get("/usage").says(http.StatusOK, "3 Teams", "3 Adjustment adjusts "+month+" by +3", "<b>counted</b> by hand", "0 Provisional")
	if strings.Contains(page.source, "<b>counted") {
		t.Error("a reason is markup")
	}
	owner.get("/organizations/alpha").says(http.StatusOK, "Month by month", "adjusts "+month)
}

// TestUsageOfOne: the report of one organization, by name and by id.
func TestUsageOfOne(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	alpha := d.manages(p, "Alpha")
	d.manages(p, "Alpha Two")
	d.manages(p, "Beta")
	owner.get("/usage").says(http.StatusOK, "Alpha", "Alpha Two", "Beta", "History")
	owner.get("/usage?organization=bet").says(http.StatusOK, "Beta", "!Alpha")
	owner.get("/usage?organization=alpha").says(http.StatusOK, "Alpha", "!Alpha Two", "!Beta") // a whole name goes first
	owner.get("/usage?organization="+alpha.ID).says(http.StatusOK, "Alpha", "!Alpha Two")
	which := owner.get("/usage?organization=alph").says(http.StatusUnprocessableEntity, "Several organizations are meant", "Which organization?", "Alpha Two")
	if !strings.Contains(which.source, "organization="+alpha.ID) {
		t.Error("a choice does not lead to its report")
	}
	owner.get("/usage?organization=gamma").says(http.StatusUnprocessableEntity, "No organization that you manage now is called so")
	file := owner.get("/usage/export?organization=beta").source
	if lines := strings.Split(strings.TrimSpace(file), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "Beta") {
		t.Errorf("the file holds %q", file)
	}
	other := d.NewProvider(t, "Another MSP")
	theirs := d.manages(other, "Gamma")
	owner.get("/usage?organization="+theirs.ID).says(http.StatusOK, "No organization in these months", "!Gamma")
}
