package acceptance

import (
	"fmt"
	"testing"
)

// lastOwner: the last owner who can sign in is neither removed, suspended nor demoted, by anybody.
func lastOwner(t *testing.T, o *tenant) {
	second := o.person(t, "owner")
	must(t, "the second is suspended", o.ask(t, o.token, "PATCH members/"+second.id, `{"status":"suspended"}`), "200")
	invited := must(t, "a third is invited", o.ask(t, o.token, "POST members", `{"email":"third@`+o.slug+`.example","name":"T","roles":["owner"]}`), "201").at("id")
	for who, token := range map[string]string{"the owner": o.token, "the instance": o.SystemToken} {
		for _, test := range []struct{ line, body string }{
			{"PATCH", `{"roles":["admin"]}`}, {"PATCH", `{"roles":[]}`}, {"PATCH", `{"status":"suspended"}`}, {"DELETE", ``}, {"PATCH", `{"roles":["viewer"],"status":"suspended"}`},
		} {
			expect(t, who+": "+test.line+" "+test.body, o.ask(t, token, test.line+" members/"+o.owner, test.body), "409 last_owner")
		}
	}
	expect(t, "a suspended owner may go", o.ask(t, o.token, "DELETE members/"+second.id, ``), "204")
	must(t, "the invited one joins", o.ask(t, o.token, "PATCH members/"+invited, `{"status":"active"}`), "200")
	expect(t, "now the first may step down", o.ask(t, o.token, "PATCH members/"+o.owner, `{"roles":["viewer"]}`), "200")
	expect(t, "and acts as owner no more", o.ask(t, o.token, "PATCH members/"+invited, `{"status":"suspended"}`), "403 missing_permission")
	expect(t, "the new one is the last", o.ask(t, o.SystemToken, "DELETE members/"+invited, ``), "409 last_owner")
}

// lastOwnerRace: two owners who go at the same moment, in every way: one stays.
func lastOwnerRace(t *testing.T, o *tenant) {
	ways := []struct{ method, body string }{{"PATCH", `{"roles":["viewer"]}`}, {"PATCH", `{"status":"suspended"}`}, {"DELETE", ""}}
	for round := range 6 {
		here := o.world.tenant(t)
		second := here.person(t, "owner")
		targets := []string{here.owner, second.id}
		counts := together(2, func(i int) answer {
			way := ways[(round+i)%len(ways)]
			return here.ask(t, o.SystemToken, way.method+" members/"+targets[i], way.body)
		})
		if counts["409 last_owner"] != 1 {
			t.Errorf("round %d: two owners go at once: %v", round, counts)
		}
		active := 0
		list := here.ask(t, o.SystemToken, "GET members", "")
		for i := range list.count("data") {
			row := fmt.Sprintf("data.%d.", i)
			if list.at(row+"roles") == `["owner"]` && list.at(row+"status") == "active" {
				active++
			}
		}
		if active != 1 {
			t.Errorf("round %d: %d active owners are left", round, active)
		}
	}
}
