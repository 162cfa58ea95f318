package client_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var activityRows = []row{
	{"WriteEvents", "POST /v1/organizations/{org}/events", func(t *testing.T, w *world) {
		at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		events := []counterfoil.EventDraft{
			{Type: "devices", Action: "device_seen", Time: &at, User: &counterfoil.DraftUser{UUID: "u-1", Email: "eve@example.com"}, Metadata: json.RawMessage(`{"n":1}`), ID: "seen-1"},
			{Type: "backups", Action: "backup_done", Initiator: "scheduler"},
		}
		first := must(w.owner.WriteEvents(t.Context(), current, events))(t)
		if again := must(w.owner.WriteEvents(t.Context(), current, events[:1]))(t); len(first) != 2 || again[0] != first[0] {
			t.Errorf("written as %v, again as %v", first, again)
		}
		read := must(w.Client().ListEvents(t.Context(), current, client.EventQuery{Type: "devices"}))(t)
		if len(read.Data) != 1 || read.Data[0].ID != first[0].ID || !read.Data[0].OccurredAt.Equal(at) {
			t.Errorf("read as %+v", read.Data)
		}
	}},
	{"QueryActivity", "POST /activities/query", func(t *testing.T, w *world) {
		made := must(w.Client().CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationCustom, Name: "siem"}))(t)
		now := time.Now().Unix()
		q := counterfoil.ActivityQuery{TimestampFrom: new(now - 60), TimestampTo: new(now + 60), UserUUIDs: []string{"nobody"}, Page: new(int64(1)), PerPage: new(int64(10))}
		if none := must(w.as(made.Secret).QueryActivity(t.Context(), q))(t); none.Metadata.Total != 0 || none.Metadata.PerPage != 10 || none.Data == nil {
			t.Errorf("of nobody it reads %+v", none)
		}
		if all := must(w.as(made.Secret).QueryActivity(t.Context(), counterfoil.ActivityQuery{}))(t); all.Metadata.Total < 3 || len(all.Data) < 3 {
			t.Errorf("it reads %+v", all)
		}
	}},
	{"SplunkEvents", "GET /v1/integrations/splunk/events", func(t *testing.T, w *world) {
		made := must(w.Client().CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "splunk"}))(t)
		first := must(w.as(made.Secret).SplunkEvents(t.Context(), "", 2))(t)
		if len(first.Data) != 2 || !first.More {
			t.Fatalf("the first page is %+v", first)
		}
		if next := must(w.as(made.Secret).SplunkEvents(t.Context(), *first.NextCursor, 2))(t); len(next.Data) == 0 || next.Data[0].Number <= first.Data[1].Number {
			t.Errorf("the next page is %+v", next)
		}
	}},
}
