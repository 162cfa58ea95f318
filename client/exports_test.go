package client_test

import (
	"errors"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/hectest"
)

const collectorToken = "collector-token"

// exported is an organization whose log is pushed to a collector.
func exported(t *testing.T, w *world) (*counterfoiltest.Organization, *hectest.Collector) {
	t.Helper()
	o, c := w.NewOrganization(t, "Export"), hectest.New(t, hectest.Settings{Token: collectorToken})
	must(o.Client().SetSplunkExport(t.Context(), current, counterfoil.SplunkExportDraft{URL: c.URL, Token: collectorToken}))(t)
	return o, c
}

var exportRows = []row{
	{"SetSplunkExport", "PUT /v1/organizations/{org}/exports/splunk", func(t *testing.T, w *world) {
		c := hectest.New(t, hectest.Settings{Token: collectorToken})
		got := must(w.owner.SetSplunkExport(t.Context(), current, counterfoil.SplunkExportDraft{URL: c.URL, Token: collectorToken, Index: "security", Source: "here", Sourcetype: "json", Backfill: true}))(t)
		if got.URL != c.URL || !got.TokenSet || got.Index != "security" || got.Source != "here" || got.Sourcetype != "json" || !got.Backfill {
			t.Errorf("got %+v", got)
		}
	}},
	{"SplunkExport", "GET /v1/organizations/{org}/exports/splunk", func(t *testing.T, w *world) {
		o, c := exported(t, w)
		if got := must(w.as(o.OwnerToken).SplunkExport(t.Context(), current))(t); got.URL != c.URL || !got.TokenSet || got.Missing != 0 {
			t.Errorf("got %+v", got)
		}
	}},
	{"TestSplunkExport", "POST /v1/organizations/{org}/exports/splunk/test", func(t *testing.T, w *world) {
		o, c := exported(t, w)
		if got := must(w.as(o.OwnerToken).TestSplunkExport(t.Context(), current))(t); !got.OK || got.Code != "ok" {
			t.Errorf("got %+v", got)
		}
		c.Set(func(s *hectest.Settings) { s.Token = "another" })
		if got := must(w.as(o.OwnerToken).TestSplunkExport(t.Context(), current))(t); got.OK || got.Code != "token_unknown" {
			t.Errorf("got %+v", got)
		}
	}},
	{"DeleteSplunkExport", "DELETE /v1/organizations/{org}/exports/splunk", func(t *testing.T, w *world) {
		o, _ := exported(t, w)
		owner := w.as(o.OwnerToken)
		if err := owner.DeleteSplunkExport(t.Context(), current); err != nil {
			t.Error(err)
		}
		if err := owner.DeleteSplunkExport(t.Context(), current); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
			t.Errorf("again: %v", err)
		}
	}},
}
