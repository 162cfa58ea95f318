package registry

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hec"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	standardSource     = "counterfoil"
	standardSourcetype = "counterfoil:activity"
)

// SplunkExport shows where the organization's log is pushed to, and how far that has come (N12).
func (r *Registry) SplunkExport(ctx context.Context, c Caller, org string) (out counterfoil.SplunkExport, err error) {
	err = r.view(ctx, c, org, OpReadExport, func(w *work) error {
		e, err := w.splunkExport()
		if err != nil {
			return err
		}
		out, err = w.exportFace(e)
		return err
	})
	return out, err
}

func (w *work) splunkExport() (store.SplunkExport, error) {
	if w.rules == nil {
		return store.SplunkExport{}, errNotFound
	}
	e, found, err := w.tx.SplunkExport()
	if err == nil && !found {
		err = errNotFound
	}
	return e, err
}

func (w *work) exportFace(e store.SplunkExport) (out counterfoil.SplunkExport, err error) {
	out = counterfoil.SplunkExport{URL: e.URL, TokenSet: len(e.Sealed) > 0, Index: e.Index, Source: e.Source, Sourcetype: e.Sourcetype, Backfill: e.Backfill,
		CreatedAt: e.CreatedAt.Time(), UpdatedAt: e.UpdatedAt.Time(), Status: e.State, DeliveredTo: e.DeliveredTo, DeliveredAt: e.DeliveredAt.Ptr(),
		Missing: e.Missing, LastMissing: e.LastMissing, NextAttemptAt: e.NextAttempt.Ptr()}
	if e.ErrorAt != 0 {
		out.LastError = &counterfoil.ExportError{At: e.ErrorAt.Time(), Code: e.ErrorCode, Detail: e.ErrorDetail}
	}
	var oldest counterfoil.Instant
	if out.LagEvents, oldest, err = w.tx.EventsBehind(e.After); err != nil {
		return out, err
	}
	if out.LagEvents > 0 {
		out.LagSeconds = int64(max(w.tx.Now()-oldest, 0)) / 1_000_000
	}
	if out.Status == "" {
		out.Status = counterfoil.ExportUpToDate
		if out.LagEvents > 0 {
			out.Status = counterfoil.ExportDelivering
		}
	}
	return out, nil
}

// SetSplunkExport makes the organization's export or writes its settings anew. The collector's token is for one place: where
// scheme, host or port change and no other comes with them, it is forgotten.
func (r *Registry) SetSplunkExport(ctx context.Context, c Caller, org string, draft counterfoil.SplunkExportDraft) (out counterfoil.SplunkExport, err error) {
	_, err = r.do(ctx, c, org, OpWriteExport, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		e, found, err := w.tx.SplunkExport()
		if err != nil {
			return err
		}
		before, after := w.exportSettings(e, found), draft
		after.Source, after.Sourcetype = cmp.Or(draft.Source, standardSource), cmp.Or(draft.Sourcetype, standardSourcetype)
		place, problems := w.exportProblems(after)
		if !found && draft.Token == "" {
			problems = append(problems, invalid("/token", "give the collector's token"))
		}
		if err := counterfoil.Invalid(problems); err != nil {
			return err
		}
		if err := w.exportToken(&e, place, draft.Token); err != nil {
			return err
		}
		if e.After, err = w.exportStart(e, found, draft.Backfill); err != nil {
			return err
		}
		if !found {
			e.CreatedAt = w.tx.Now()
		}
		e.URL, e.Index, e.Source, e.Sourcetype, e.Backfill = draft.URL, after.Index, after.Source, after.Sourcetype, draft.Backfill
		e.State, e.NextAttempt, e.ErrorAt, e.ErrorCode, e.ErrorDetail = "", 0, 0, "", ""
		e.UpdatedAt, e.Revision = w.tx.Now(), store.NewID("rev")
		if w.recordExport(before, w.exportSettings(e, true), draft.Token != "") {
			err = w.tx.SetSplunkExport(e)
		}
		if err != nil {
			return err
		}
		out, err = w.exportFace(e)
		return err
	})
	if err == nil {
		r.Exports.Look(org) // settings that change nothing ask for another try
	}
	return out, err
}

// exportToken keeps a new token, or forgets the one that is for another place.
func (w *work) exportToken(e *store.SplunkExport, place *url.URL, token string) error {
	if token != "" {
		return w.r.Exports.Seal(w.tx.Organization(), e, token)
	}
	if was, err := url.Parse(e.URL); err != nil || !outgoing.SamePlace(was, place) {
		e.Sealed, e.KeyID = nil, 0
	}
	return nil
}

// exportStart is the number behind which delivery goes on.
func (w *work) exportStart(e store.SplunkExport, found, backfill bool) (int64, error) {
	switch {
	case !found && !backfill:
		return w.tx.LastNumber()
	case found && (e.Backfill || !backfill):
		return e.After, nil
	}
	return 0, nil
}

// exportSettings is what an event says of settings.
func (w *work) exportSettings(e store.SplunkExport, found bool) map[string]any {
	if !found {
		return map[string]any{}
	}
	token := "none"
	if len(e.Sealed) > 0 {
		token = "set"
	}
	return map[string]any{"url": e.URL, "token": token, "index": e.Index, "source": e.Source, "sourcetype": e.Sourcetype, "backfill": e.Backfill}
}

// recordExport notes what differs; false: nothing does. newToken: another token was given, which the settings do not show.
func (w *work) recordExport(before, after map[string]any, newToken bool) bool {
	for member, value := range after {
		if was, there := before[member]; there && was == value && (member != "token" || !newToken) {
			delete(before, member)
			delete(after, member)
		}
	}
	if newToken {
		after["token"] = "new"
	}
	if len(before)+len(after) == 0 {
		return false
	}
	w.record("integrations", "splunk_export_updated", counterfoil.Target{Kind: "export", ID: "splunk", Name: "Splunk"}, map[string]any{"before": before, "after": after})
	return true
}

var indexName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$`)

func (w *work) exportProblems(d counterfoil.SplunkExportDraft) (place *url.URL, problems []counterfoil.Problem) {
	place, err := hec.Check(w.r.Exports.Client, d.URL)
	if err != nil {
		problems = append(problems, invalid("/url", err.Error()))
	}
	if len(d.Token) > 256 || strings.ContainsFunc(d.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		problems = append(problems, invalid("/token", "a collector's token is 1 to 256 visible ASCII characters"))
	}
	if d.Index != "" && !indexName.MatchString(d.Index) {
		problems = append(problems, invalid("/index", "an index's name is 1 to 80 letters, digits, _ and -, and does not begin with -"))
	}
	for _, text := range []struct{ pointer, value string }{{"/source", d.Source}, {"/sourcetype", d.Sourcetype}} {
		if utf8.RuneCountInString(text.value) > 200 || strings.ContainsFunc(text.value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			problems = append(problems, invalid(text.pointer, "this is at most 200 printable characters"))
		}
	}
	return place, problems
}

// DeleteSplunkExport ends the export and forgets its token. What the collector has stays there.
func (r *Registry) DeleteSplunkExport(ctx context.Context, c Caller, org string) error {
	_, err := r.do(ctx, c, org, OpDeleteExport, func(w *work) error {
		e, err := w.splunkExport()
		if err != nil {
			return err
		}
		if _, err := w.tx.DeleteSplunkExport(); err != nil {
			return err
		}
		w.recordExport(w.exportSettings(e, true), map[string]any{}, false)
		return nil
	})
	return err
}

// TestSplunkExport sends a test event and says in words what is wrong. Where it arrives, what had to wait is tried again.
func (r *Registry) TestSplunkExport(ctx context.Context, c Caller, org string) (out counterfoil.ExportTest, err error) {
	var e store.SplunkExport
	err = r.view(ctx, c, org, OpTestExport, func(w *work) (err error) {
		e, err = w.splunkExport()
		return err
	})
	if err != nil {
		return out, err
	}
	if out, err = r.Exports.Try(ctx, org, e); err == nil && out.OK && e.State != "" {
		r.Exports.Look(org)
	}
	return out, err
}
