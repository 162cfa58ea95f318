package console

import (
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
)

const pushPath = "/integrations/splunk/push"

func exportPages() []page {
	const read, write = counterfoil.PermExportsRead, counterfoil.PermExportsWrite
	return []page{
		{method: get, path: "/o/{org}" + pushPath, who: member, needs: read, show: (*visit).export},
		{method: get, path: "/o/{org}" + pushPath + "/edit", who: member, needs: write, fresh: true, show: (*visit).editExport},
		{method: post, path: "/o/{org}" + pushPath + "/edit", who: member, needs: write, fresh: true, secret: true, form: pushPath + "/edit", show: (*visit).saveExport},
		{method: post, path: "/o/{org}" + pushPath + "/test", who: member, needs: write, form: pushPath, show: (*visit).testExport},
		{method: get, path: "/o/{org}" + pushPath + "/remove", who: member, needs: write, fresh: true, show: (*visit).askRemoveExport},
		{method: post, path: "/o/{org}" + pushPath + "/remove", who: member, needs: write, fresh: true, form: pushPath, show: (*visit).removeExport},
	}
}

// splunkExport is the organization's export; nil: there is none.
func (v *visit) splunkExport() (*counterfoil.SplunkExport, error) {
	e, err := v.c.Registry.SplunkExport(v.r.Context(), v.caller(), v.org())
	if errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
		return nil, nil
	}
	return &e, err
}

const pushTitle = "Push to a collector"

func (v *visit) export() error {
	e, err := v.splunkExport()
	if err != nil {
		return err
	}
	return v.show(200, pushTitle, pushPage(v, e))
}

func (v *visit) editExport() error {
	e, err := v.splunkExport()
	if err != nil {
		return err
	}
	f := filled()
	if e != nil {
		f = filled("url", e.URL, "index", e.Index, "source", e.Source, "sourcetype", e.Sourcetype)
		if e.Backfill {
			f.values.Set("backfill", "yes")
		}
	}
	return v.show(200, pushTitle, exportFormPage(v, e, f))
}

// exportFields says which field of the form a member of the request is.
var exportFields = map[string]string{"url": "url", "token": "token", "index": "index", "source": "source", "sourcetype": "sourcetype"}

func (v *visit) saveExport() error {
	draft := counterfoil.SplunkExportDraft{URL: v.field("url"), Token: v.field("token"), Index: v.field("index"), Source: v.field("source"),
		Sourcetype: v.field("sourcetype"), Backfill: v.field("backfill") == "yes"}
	saved, err := v.c.Registry.SetSplunkExport(v.r.Context(), v.caller(), v.org(), draft)
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, exportFields) {
			return err
		}
		e, err := v.splunkExport()
		if err != nil {
			return err
		}
		return v.show(422, pushTitle, exportFormPage(v, e, f))
	}
	if !saved.TokenSet {
		return v.say(v.path(pushPath), "warn", "Saved. The address is another one, so the token that was kept is forgotten: give the new collector's token.", nil)
	}
	return v.say(v.path(pushPath), "good", "Saved. It is in force. Send a test event to try it.", nil)
}

func (v *visit) testExport() error {
	got, err := v.c.Registry.TestSplunkExport(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return v.refused(v.path(pushPath), err)
	}
	if got.OK {
		return v.say(v.path(pushPath), "good", got.Detail, nil)
	}
	return v.say(v.path(pushPath), "bad", "The test event did not arrive. "+got.Detail, nil)
}

func (v *visit) askRemoveExport() error {
	e, err := v.splunkExport()
	if err != nil {
		return err
	}
	if e == nil {
		return errNothing
	}
	return v.show(200, "Stop the push", removeExportPage(v, e))
}

func (v *visit) removeExport() error {
	if err := v.c.Registry.DeleteSplunkExport(v.r.Context(), v.caller(), v.org()); err != nil {
		return err
	}
	return v.say(v.path(pushPath), "good", "Stopped. Nothing is pushed any more, and the collector's token is forgotten.", nil)
}

// exportHealth says how an export does: a tone and a word.
func exportHealth(e *counterfoil.SplunkExport) (tone, word string) {
	switch e.Status {
	case counterfoil.ExportUpToDate:
		return "good", "Up to date"
	case counterfoil.ExportDelivering:
		return "good", "Delivering"
	case counterfoil.ExportRetrying:
		return "warn", "Trying again"
	}
	return "bad", "Paused"
}

// delivered says how far it has come.
func delivered(e *counterfoil.SplunkExport) string {
	missing := thousands(e.Missing) + " missing"
	if e.DeliveredTo == 0 {
		return "Nothing delivered yet, " + missing
	}
	return fmt.Sprintf("Delivered to #%d, %s", e.DeliveredTo, missing)
}

// waiting says what the collector does not have yet.
func waiting(e *counterfoil.SplunkExport) string {
	if e.LagEvents == 0 {
		return "Nothing"
	}
	return plural(e.LagEvents, "event") + ", the oldest for " + length(time.Duration(max(e.LagSeconds, 1))*time.Second)
}

func exportTokenHint(e *counterfoil.SplunkExport) string {
	switch {
	case e == nil:
		return "The collector's. It is kept encrypted and never shown again."
	case e.TokenSet:
		return "Leave it empty to keep the one there is. With another scheme, host or port it is forgotten."
	}
	return "The collector's: there is none at the moment, so nothing is delivered."
}

func exportBeginHint(e *counterfoil.SplunkExport) string {
	switch {
	case e == nil:
		return "Off: from now on."
	case e.Backfill:
		return "It began there, and goes on where it is."
	}
	return "It goes on where it is. Ticked, it begins anew; what Splunk then has twice, “dedup id” leaves out."
}
