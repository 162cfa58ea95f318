package acceptance

import (
	"strings"
	"testing"
	"time"
)

// cutOver: who still uses the value before a rotation, from where and since when, and the end of it when it has been quiet.
func cutOver(t *testing.T, o *tenant) {
	made := o.orgToken(t, "devices:read")
	at := "tokens/" + made.id + "/previous"
	read := func() answer { t.Helper(); return must(t, "the value before", o.ask(t, o.token, "GET "+at, ""), "200") }
	nothing := func(what string) {
		t.Helper()
		a := read()
		expectAt(t, what, a, "valid_until", "null")
		expectAt(t, what, a, "last_used", "null")
		expectAt(t, what, a, "uses", "[]")
	}
	rotate := func() (value string) {
		t.Helper()
		return must(t, "rotate", o.ask(t, o.token, "POST tokens/"+made.id+"/rotate", `{"grace_seconds":604800}`), "200").at("secret")
	}
	use := func(value, ip string) { t.Helper(); o.expectVerdict(t, "a use from "+ip, value, "ok", "ip", ip) }

	nothing("of a token that was never rotated")
	use(made.secret, "192.0.2.9")
	second := rotate()
	a := read()
	expectAt(t, "just rotated", a, "uses", "[]") // what was used before the rotation is no use of an old value
	expectAt(t, "just rotated", a, "valid_until", o.ask(t, o.token, "GET tokens/"+made.id, "").at("previous_valid_until"))

	if since, err := time.Parse(time.RFC3339Nano, a.at("watched_since")); err != nil || o.now().Sub(since).Abs() > time.Minute {
		t.Errorf("watched since %s (%v)", a.at("watched_since"), err)
	}
	early := o.ask(t, o.token, "DELETE "+at, `{"quiet_seconds":600}`) // it was used a moment before the rotation
	expect(t, "the end right after the rotation", early, "409 in_use")
	if detail := early.at("detail"); !strings.Contains(detail, "The rotation was only") {
		t.Errorf("the refusal says %s", detail)
	}

	use(second, "192.0.2.1")
	use(made.secret, "198.51.100.7")
	began := o.now()
	read() // which has noted uses written, each with its own time
	o.advance(time.Hour)
	use(made.secret, "198.51.100.7")
	o.advance(time.Minute)
	use(made.secret, "2001:db8::1")
	expect(t, "a use of this API", o.ask(t, made.secret, "GET /v1/tokens/current", ""), "200") // from here
	a = read()
	expectAt(t, "in use", a, "uses.2.ip", "198.51.100.7")
	expectAt(t, "in use", a, "uses.2.count", "2")
	for name, want := range map[string]time.Time{"first_at": began, "last_at": began.Add(time.Hour)} {
		if got, err := time.Parse(time.RFC3339Nano, a.at("uses.2."+name)); err != nil || want.Sub(got).Abs() > time.Minute {
			t.Errorf("%s is %s, want about %s (%v)", name, a.at("uses.2."+name), want, err)
		}
	}
	if !strings.Contains(string(a.body), `"2001:db8::1"`) || strings.Contains(string(a.body), "192.0.2.") {
		t.Errorf("the old value is used so: %s", a.body)
	}
	expectAt(t, "in use", a, "last_used.ip", a.at("uses.0.ip"))

	busy := o.ask(t, o.token, "DELETE "+at, `{"quiet_seconds":600}`)
	expect(t, "the end while it is in use", busy, "409 in_use")
	if detail := busy.at("detail"); !strings.Contains(detail, "was used") || !strings.Contains(detail, "stays good until") {
		t.Errorf("the refusal says %s", detail)
	}
	for body, want := range map[string]string{`{"quiet_seconds":-1}`: "422 validation_failed /quiet_seconds", `{"quiet_seconds":604801}`: "422 validation_failed /quiet_seconds", `{"quiet":1}`: "422 validation_failed /quiet"} {
		expect(t, body, o.ask(t, o.token, "DELETE "+at, body), want)
	}
	expect(t, "the end by somebody who may only read", o.ask(t, o.orgToken(t, "counterfoil.tokens:read").secret, "DELETE "+at, ""), "403 missing_permission")
	o.expectVerdict(t, "the old value after all that", made.secret, "ok")
	o.advance(11 * time.Minute)
	use(second, "192.0.2.1") // the new one does not disturb
	ended := must(t, "the end when it is quiet", o.ask(t, o.token, "DELETE "+at, `{"quiet_seconds":600}`), "200")
	expectAt(t, "the end", ended, "receipt.complete", "true")
	expectAt(t, "the end", ended, "token.previous_valid_until", "null")
	o.expectVerdict(t, "the old value", made.secret, "token_revoked")
	o.expectVerdict(t, "the new value", second, "ok")
	nothing("after the end")
	expect(t, "the end again", o.ask(t, o.token, "DELETE "+at, ""), "200")
	last := o.eventsOf(t, o.token, "&type=tokens/token_updated&token="+made.id)
	if len(last) != 1 || !strings.Contains(string(last[0].Metadata), `"after":{"previous_valid_until":null}`) {
		t.Errorf("the log has %+v", last)
	}

	rotate()
	use(second, "203.0.113.1")
	third := rotate() // what was the old value is dead now
	expectAt(t, "after another rotation", read(), "uses", "[]")
	must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+made.id, ""), "200")
	o.expectVerdict(t, "a revoked token", third, "token_revoked")
	nothing("of a revoked token")
	expect(t, "the end of a revoked token's", o.ask(t, o.token, "DELETE "+at, ""), "409 already_revoked")
}
