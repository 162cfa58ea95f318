package console

import (
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// quietAfter is how long an integration may pull nothing before the page points it out.
const quietAfter = 24 * time.Hour

// integration is a tool that reads the log, and how it does.
type integration struct {
	*shelf
	active int64                     // tokens
	latest *counterfoil.Token        // the one that was used last; nil: there is none
	push   *counterfoil.SplunkExport // nil: none, or not for this person to see
}

func (v *visit) integrations() error {
	var all []integration
	for i := range shelves {
		s := &shelves[i]
		if !s.integrates() {
			continue
		}
		ctx, q := v.r.Context(), registry.TokenQuery{Kind: s.kind, Integration: s.integration, Sort: "last_used_at", Limit: 1}
		counts, err := v.c.Registry.CountTokens(ctx, v.caller(), v.org(), q)
		if err != nil {
			return err
		}
		page, err := v.c.Registry.ListTokens(ctx, v.caller(), v.org(), q)
		if err != nil {
			return err
		}
		in := integration{shelf: s, active: counts.Active}
		if len(page.Data) > 0 {
			in.latest = &page.Data[0]
		}
		if s.integration == counterfoil.IntegrationSplunk && v.may(counterfoil.PermExportsRead) {
			if in.push, err = v.splunkExport(); err != nil {
				return err
			}
		}
		all = append(all, in)
	}
	return v.show(200, "Events reporting", integrationsPage(v, all))
}

// health says how an integration does: a tone and a word; nothing where it is pushed to and nobody means to pull.
func (in *integration) health(now time.Time) (tone, word string) {
	switch {
	case in.active == 0 && in.push != nil:
		return "", ""
	case in.active == 0:
		return "", "Not set up"
	case in.latest == nil || in.latest.LastUsed == nil:
		return "warn", "Never pulled"
	case now.Sub(in.latest.LastUsed.At) > quietAfter:
		return "warn", "Quiet"
	}
	return "good", "Pulling"
}
