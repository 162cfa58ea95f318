package console

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestProviderPagesWhenNarrow: at 360 px the picture of the usage can be read, and neither a row of the report nor a member of
// a JWT takes more height than its few words need.
func TestProviderPagesWhenNarrow(t *testing.T) {
	_, p, _ := busy(t)
	const at = "/o/northwind-msp"
	p.open(at + "/usage?from=2026-08&to=2026-10")
	for _, width := range []int64{360, 1440} {
		p.do("changing the window", chromedp.EmulateViewport(width, 900))
		pictures := eval[[]string](p, `[...document.querySelectorAll(".trend svg")].filter((e) => e.getClientRects().length).map((e) => e.getAttribute("aria-label"))`)
		if len(pictures) != 1 || pictures[0] != "Billable seats by month: August 2026 to October 2026" {
			t.Errorf("%d px: the pictures are %q", width, pictures)
		}
		sizes := eval[[]float64](p, `[...document.querySelectorAll(".trend text")].filter((e) => e.getClientRects().length).map((e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)`)
		if len(sizes) != 6 {
			t.Errorf("%d px: the picture has %d texts, want a number and a name for each month", width, len(sizes))
		}
		for _, size := range sizes {
			if size < 12 {
				t.Errorf("%d px: a text of the picture is %.1f px high", width, size)
			}
		}
	}
	p.do("changing the window", chromedp.EmulateViewport(360, 900))
	if tall := eval[float64](p, `Math.max(...[...document.querySelectorAll(".table.usage tbody tr")].map((e) => e.offsetHeight))`); tall > 150 {
		t.Errorf("a row of the report is %.0f px high", tall)
	}
	p.open(at + "/provider-api/inspect")
	p.fill("JWT", "Bearer eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImtleV8xMjMifQ.eyJpc3MiOiJvcmdfeCIsImF1ZCI6Imh0dHA6Ly9sb2NhbGhvc3QiLCJpYXQiOjE3OTA0MTkyMDAsImV4cCI6MTc5MDQxOTQwMCwianRpIjoiYWJjIn0.AAAA")
	p.follow("button", "Inspect")
	p.sees("No key of yours has this id", "abc")
	if tall := eval[float64](p, `Math.max(...[...document.querySelectorAll(".table.jwt tbody tr")].map((e) => e.offsetHeight))`); tall > 220 {
		t.Errorf("a member of the JWT is %.0f px high", tall)
	}
}
