package acceptance

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// expiredEvents: N9. An expiry is noted once, and again when the token was renewed and expires again.
func expiredEvents(t *testing.T, o *tenant) {
	short, revoked, long := o.draftWith(t, time.Minute), o.draftWith(t, time.Minute), o.draftWith(t, time.Hour)
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+revoked.id, ""), "200")
	of := func(id string) []counterfoil.Event {
		return o.eventsOf(t, o.token, "&type=tokens/token_expired&token="+id)
	}
	time.Sleep(1200 * time.Millisecond) // the clock that has not come to it yet is looked at meanwhile
	if n := len(of(short.id)); n != 0 {
		t.Fatalf("%d events say that the token has expired before it has", n)
	}
	o.advance(2 * time.Minute)
	eventually(t, "the expiry is noted", func() bool { return len(of(short.id)) == 1 })
	e := of(short.id)[0]
	if e.Actor.Kind != "system" || e.Initiator != "expiry" || e.User != (counterfoil.EventUser{}) || e.Target.ID != short.id {
		t.Errorf("the event is %+v", e)
	}
	must(t, "renew", o.ask(t, o.token, "PATCH tokens/"+short.id, `{"expires_at":`+inJSON(o.now().Add(time.Minute).UTC().Format(time.RFC3339))+`}`), "200")
	o.advance(2 * time.Minute)
	eventually(t, "the second expiry is noted", func() bool { return len(of(short.id)) == 2 })
	for what, id := range map[string]string{"revoked": revoked.id, "long": long.id} {
		if n := len(of(id)); n != 0 {
			t.Errorf("%d events say that the %s token has expired", n, what)
		}
	}
}

// refusedEvents: what was refused is in the organization's log, folded.
func refusedEvents(t *testing.T, o *tenant) {
	sensor := o.orgToken(t, "devices:read")
	for range 5 {
		o.expectVerdict(t, "a permission that is not held", sensor.secret, "missing_permission", "permission", "devices:write", "ip", "192.0.2.7")
	}
	reference := o.world.ask(t, o.SystemToken, "POST /v1/verify", question(sensor.secret, "permission", "devices:write", "ip", "192.0.2.7")).at("reference")
	must(t, "the reference", o.ask(t, o.token, "GET refusals/"+reference, ""), "200")
	refused := func() []counterfoil.Event {
		return o.eventsOf(t, o.token, "&type=tokens/token_refused&token="+sensor.id)
	}
	if n := len(refused()); n != 0 {
		t.Errorf("within the minute there are %d events of refusals", n)
	}
	o.advance(61 * time.Second)
	eventually(t, "the refusals are in the log", func() bool { return len(refused()) > 0 })
	events := refused()
	var m struct {
		Code      string
		IPAddress string `json:"ip_address"`
		Count     int
		Reference string
	}
	if err := json.Unmarshal(events[0].Metadata, &m); err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || m.Code != "missing_permission" || m.IPAddress != "192.0.2.7" || m.Count != 6 || m.Reference != reference || events[0].Actor.IP != "192.0.2.7" {
		t.Errorf("%d events, the first with %s", len(events), events[0].Metadata)
	}
}
