package acceptance

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestRetention: what an organization keeps no longer goes, and a reader who is too late is told.
func TestRetention(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) { retention(t, newWorld(t, database).tenant(t)) })
}

func retention(t *testing.T, o *tenant) {
	owner := o.draft(t, counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: o.owner, Permissions: []string{counterfoil.PermOrganizationsWrite, counterfoil.PermOrganizationsRead, counterfoil.PermActivityRead}})
	auditor := o.systemToken(t, counterfoil.PermActivityRead)
	splunk := o.integration(t, counterfoil.IntegrationSplunk)
	for body, want := range map[string]string{`{"days":29}`: "422 validation_failed /days", `{"days":-1}`: "422 validation_failed /days", `{}`: "422 validation_failed /days", `{"days":30}`: "200"} {
		expect(t, "a retention of "+body, o.ask(t, owner.secret, "PUT retention", body), want)
	}
	page := func(token, line string) (p counterfoil.EventPage) {
		t.Helper()
		if err := json.Unmarshal(must(t, line, o.ask(t, token, line, ""), "200").body, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := page(owner.secret, "GET events?limit=2")
	if len(before.Data) != 2 {
		t.Fatalf("%+v", before)
	}
	o.advance(35 * 24 * time.Hour)
	removed := func() []counterfoil.Event {
		return page(owner.secret, "GET events?type=organization/events_removed").Data
	}
	eventually(t, "the log says what is removed", func() bool { return len(removed()) == 1 })
	eventually(t, "it is removed", func() bool { return page(owner.secret, "GET events?limit=1").Data[0].Action != before.Data[0].Action })
	for line, token := range map[string]string{"GET events?after=" + *before.NextCursor: owner.secret, "GET /v1/integrations/splunk/events?after=" + *before.NextCursor: splunk.secret} {
		a := o.ask(t, token, line, "")
		expect(t, line, a, "410 cursor_expired")
	}
	var state counterfoil.Retention
	if err := json.Unmarshal(must(t, "the retention", o.ask(t, owner.secret, "GET retention", ""), "200").body, &state); err != nil {
		t.Fatal(err)
	}
	if state.Days == nil || *state.Days != 30 || state.EffectiveDays != 30 || state.RemovedThrough == nil {
		t.Fatalf("%+v", state)
	}
	rest := page(owner.secret, "GET events?after="+*state.RemovedThrough)
	first := page(owner.secret, "GET events")
	if len(rest.Data) == 0 || rest.Data[0].ID != first.Data[0].ID {
		t.Errorf("what is behind the cut begins with %+v, without a cursor with %+v", rest.Data, first.Data)
	}
	if e := removed()[0]; e.Actor.Kind != "system" || e.Initiator != "retention" {
		t.Errorf("the event is %+v", e)
	}
	// An export of the instance is whole, and says what went.
	var chain store.Chain
	for after, more := "", true; more; {
		var part counterfoil.LogPage
		if err := json.Unmarshal(must(t, "the log", o.world.ask(t, auditor.secret, "GET /v1/system/events?limit=100"+after, ""), "200").body, &part); err != nil {
			t.Fatal(err)
		}
		for _, e := range part.Data {
			if !chain.Add(e) {
				t.Fatalf("the chain is broken behind entry %d", chain.Number)
			}
		}
		after, more = "&after="+part.NextCursor, part.More
	}
	if bad := chain.Unaccounted(); bad != 0 || chain.Removed == 0 {
		t.Errorf("%d entries were removed, the first that nothing accounts for is %d", chain.Removed, bad)
	}
	expect(t, "the default again", o.ask(t, owner.secret, "DELETE retention", ""), "204")
	if got := page(owner.secret, "GET events?type=organization/retention_updated"); len(got.Data) != 1 { // the first one went
		t.Errorf("%d events say that the retention was changed", len(got.Data))
	}
}
