package console

import (
	"errors"
	"strconv"
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
		if s.integration == counterfoil.IntegrationSplunk {
			if in.push, err = v.push(); err != nil {
				return err
			}
		}
		all = append(all, in)
	}
	return v.show(200, "Events reporting", integrationsPage(v, all))
}

// push is the export to Splunk, where there is one and the person may see it.
func (v *visit) push() (*counterfoil.SplunkExport, error) {
	if !v.may(counterfoil.PermExportsRead) {
		return nil, nil
	}
	e, err := v.c.Registry.SplunkExport(v.r.Context(), v.caller(), v.org())
	var refusal *counterfoil.Error
	if errors.As(err, &refusal) && refusal.Code == counterfoil.CodeNotFound {
		return nil, nil
	}
	return &e, err
}

// pushState says how a push does: a tone, a word, and the rest.
func pushState(e *counterfoil.SplunkExport) (tone, word, rest string) {
	rest = "Delivered to #" + strconv.FormatInt(e.DeliveredTo, 10) + ", " + thousands(e.Missing) + " missing."
	if e.DeliveredTo == 0 {
		rest = "Nothing delivered yet."
	}
	if e.LagEvents > 0 {
		rest += " " + plural(e.LagEvents, "event") + " to go."
	}
	switch e.Status {
	case counterfoil.ExportUpToDate:
		return "good", "Pushing", rest
	case counterfoil.ExportDelivering:
		return "good", "Catching up", rest
	}
	tone, word = "warn", "Retrying"
	if e.Status == counterfoil.ExportPaused {
		tone, word = "bad", "Push stopped"
	}
	if e.LastError != nil {
		rest += " " + sentence(e.LastError.Detail)
	}
	return tone, word, rest
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
