package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const (
	axeFile = "testdata/axe.min.js"
	axeSum  = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

func TestAxeIsAsPublished(t *testing.T) {
	b, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:]); got != axeSum {
		t.Errorf("%s has the SHA-256 %s, want that of axe-core 4.14.1, %s", axeFile, got, axeSum)
	}
}

// inspector looks at pages for what shuts people out.
type inspector struct {
	*person
	axe  string
	told map[string]bool // what was said once is not said again for every page
}

// watchShifts adds up what moves on a page by itself while it loads (Cumulative Layout Shift).
const watchShifts = `window.shifted = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifted += e.value; }).observe({ type: "layout-shift", buffered: true });`

func newInspector(p *person) *inspector {
	p.t.Helper()
	b, err := os.ReadFile(axeFile)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do("watching for shifts", chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(watchShifts).Do(ctx)
		return err
	}))
	return &inspector{p, string(b), map[string]bool{}}
}

func (i *inspector) look(theme string, width int64) {
	i.t.Helper()
	i.do("changing the window", chromedp.EmulateViewport(width, 900),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

// inspect looks at what is open, in both themes, wide and narrow.
func (i *inspector) inspect(what string) {
	i.t.Helper()
	i.look("light", 1440)
	if n := eval[float64](i.person, `window.shifted`); n != 0 {
		i.t.Errorf("%s: things move while it loads, by %v", what, n)
	}
	i.do("loading axe", chromedp.Evaluate(i.axe+";0", nil))
	i.fits(what, 1440)
	i.violations(what+", light", `{}`)
	i.look("dark", 1440)
	i.violations(what+", dark", `{ runOnly: ["color-contrast", "link-in-text-block"] }`)
	i.look("light", 360)
	i.fits(what, 360)
	i.violations(what+", narrow", `{ rules: { "color-contrast": { enabled: false } } }`)
	i.look("light", 1440)
}

func (i *inspector) fits(what string, width int) {
	i.t.Helper()
	const beyond = `(() => {
		const root = document.documentElement;
		if (root.scrollWidth <= root.clientWidth) return "";
		const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1);
		return out.slice(-3).map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40)).join(" | ") || "something";
	})()`
	if got := eval[string](i.person, beyond); got != "" {
		i.t.Errorf("%s: at %d px it scrolls sideways: %s", what, width, got)
	}
}

func (i *inspector) violations(what, options string) {
	i.t.Helper()
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML, FailureSummary string
		}
	}
	i.do("running axe", chromedp.Evaluate(`axe.run(document, Object.assign({ resultTypes: ["violations"] }, `+options+`)).then((r) => r.violations)`, &found, awaited))
	for _, v := range found {
		if about := v.ID + v.Nodes[0].HTML; i.told[about] {
			continue
		} else {
			i.told[about] = true
		}
		var where strings.Builder
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			fmt.Fprintf(&where, "\n\t%.300s\n\t\t%s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
		}
		i.t.Errorf("%s: %s: %s (%d)%s", what, v.ID, v.Help, len(v.Nodes), where.String())
	}
}
