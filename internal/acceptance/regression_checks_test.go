package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// asked are n permissions; those before unheld are held.
func asked(n, unheld int) []string {
	var out []string
	for i := range n {
		name := "devices:read"
		if i >= unheld {
			name = fmt.Sprintf("devices:nothing%d", i)
		}
		out = append(out, "permission", name)
	}
	return out
}

// tooManyAsked: one question asks for a hundred permissions at most.
func tooManyAsked(t *testing.T, o *tenant) {
	token := o.orgToken(t, "devices:read")
	for n, want := range map[int]string{100: "200 ok", 101: "422 validation_failed /permissions", 3000: "422 validation_failed /permissions"} {
		expect(t, fmt.Sprint(n), o.ask(t, o.SystemToken, "POST /v1/verify", question(token.secret, asked(n, n)...)), want)
	}
	a := o.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[{"token":"x"},`+question(token.secret, asked(101, 101)...)+`]}`)
	expect(t, "in a batch", a, "422 validation_failed /questions/1/permissions")
	a = o.ask(t, o.SystemToken, "POST /v1/verify/batch", `{"questions":[{"token":"x"},`+question(token.secret, asked(100, 100)...)+`]}`)
	expectAt(t, "a hundred in a batch", a, "verdicts.1.code", "ok")
}

// boundedTraces: what is kept of a refused check does not grow with what was asked.
func boundedTraces(t *testing.T, o *tenant) {
	for _, n := range []int{1, 20, 31, 100} {
		token := o.orgToken(t, "devices:read")
		v := must(t, "check", o.ask(t, o.SystemToken, "POST /v1/verify", question(token.secret, asked(n, n-1)...)), "200 missing_permission")
		refusal := must(t, "refusal", o.ask(t, o.token, "GET refusals/"+v.at("reference"), ""), "200")
		steps := refusal.count("trace")
		if steps == 0 || steps > 30 || refusal.count("permissions") > 20 {
			t.Errorf("asked for %d permissions: %d steps and %d permissions are kept", n, steps, refusal.count("permissions"))
		}
		last := fmt.Sprintf("trace.%d.", steps-1)
		expectAt(t, "the last step", refusal, last+"passed", "false")
		if detail := refusal.at(last + "detail"); !strings.Contains(detail, fmt.Sprintf("nothing%d", n-1)) {
			t.Errorf("asked for %d permissions: the deciding step says %s", n, detail)
		}
	}
	token := o.orgToken(t, "devices:read")
	line := "GET /v1/authorize?permission=" + strings.Repeat("devices:read&permission=", 99) + "devices:nothing"
	gate := must(t, "gateway", o.ask(t, token.secret, line, ""), "403 missing_permission")
	_, found, _ := strings.Cut(gate.at("detail"), "Reference: ")
	refusal := must(t, "refusal", o.ask(t, o.token, "GET refusals/"+found, ""), "200")
	if n := refusal.count("trace"); n == 0 || n > 30 {
		t.Errorf("of a gateway's question %d steps are kept", n)
	}
}

// revokedByItselfAtOnce: a token that revokes itself many times at once gets a clear answer each time.
func revokedByItselfAtOnce(t *testing.T, o *tenant) {
	for round := range 5 {
		for _, token := range []made{o.orgToken(t, "devices:read"), o.personal(t, o.owner, "devices:read")} {
			got := together(8, func(int) answer { return o.ask(t, token.secret, "DELETE /v1/tokens/current", "") })
			if got["200"] < 1 || got["200"]+got["401 token_revoked"] != 8 {
				t.Errorf("round %d: eight revocations at once: %v", round, got)
			}
			o.expectVerdict(t, "afterwards", token.secret, "token_revoked")
		}
		token := o.orgToken(t, "devices:read", counterfoil.PermTokensWrite)
		got := together(8, func(i int) answer {
			return o.ask(t, token.secret, "PATCH tokens/"+token.id, fmt.Sprintf(`{"name":"edit %d"}`, i))
		})
		if got["200"] != 8 {
			t.Errorf("round %d: eight edits of itself at once: %v", round, got)
		}
		got = together(8, func(int) answer {
			return o.ask(t, token.secret, "POST tokens/"+token.id+"/rotate", `{"grace_seconds":0}`)
		})
		if got["200"] != 1 || got["401 token_revoked"] != 7 {
			t.Errorf("round %d: eight rotations of itself at once: %v", round, got)
		}
	}
}

// revokedWithItsMember: revoking what was revoked with its removed member shows that removal's receipt.
func revokedWithItsMember(t *testing.T, o *tenant) {
	m := o.person(t, "operator")
	second := o.personal(t, m.id, "devices:read")
	removed := o.ask(t, o.token, "DELETE members/"+m.id, "")
	receipt, _, found := strings.Cut(removed.header.Get("Counterfoil-Receipt"), ";")
	if removed.status >= 300 || !found || !strings.HasPrefix(receipt, "rcp_") {
		t.Fatalf("removing the member: %s with the receipt %q", removed, receipt)
	}
	for name, id := range map[string]string{"the first token": m.tokenID, "the second token": second.id} {
		again := must(t, name, o.ask(t, o.token, "DELETE tokens/"+id, `{"reason":"once more"}`), "200")
		for path, want := range map[string]string{"receipt.id": receipt, "receipt.complete": "true", "token.status": "revoked"} {
			expectAt(t, name, again, path, want)
		}
		if header := again.header.Get("Counterfoil-Receipt"); !strings.HasPrefix(header, receipt+"; complete; ") {
			t.Errorf("%s: the receipt in the header is %q, want %s", name, header, receipt)
		}
		if reason := again.at("token.revoked_reason"); !strings.Contains(reason, "left") {
			t.Errorf("%s: the reason is %q", name, reason)
		}
	}
	expect(t, "the receipt", o.ask(t, o.token, "GET /v1/receipts/"+receipt, ""), "200")
}

// reactivation: making a suspended member active hands back what their roles hold, so one must hold as much (S7).
func reactivation(t *testing.T, o *tenant) {
	narrow := o.personal(t, o.owner, counterfoil.PermMembersRead, counterfoil.PermMembersWrite, "devices:read", "sites:read")
	machine := o.orgToken(t, counterfoil.PermMembersWrite, "devices:read", "sites:read")
	for name, token := range map[string]string{"a narrow personal token": narrow.secret, "an organization token": machine.secret} {
		strong, weak := o.person(t, "viewer", "operator"), o.person(t, "viewer")
		for _, m := range []person{strong, weak} {
			expect(t, name+" suspends", o.ask(t, token, "PATCH members/"+m.id, `{"status":"suspended"}`), "200")
		}
		for body, want := range map[string]string{
			`{"status":"active"}`:                               "422 permission_not_held /status",
			`{"status":"active","roles":["operator","viewer"]}`: "422 permission_not_held /roles/0",
		} {
			expect(t, name+" reactivates the stronger by "+body, o.ask(t, token, "PATCH members/"+strong.id, body), want)
			expectAt(t, name, o.ask(t, o.token, "GET members/"+strong.id, ""), "status", "suspended")
			o.expectVerdict(t, name+": the stronger's token", strong.token, "owner_inactive")
		}
		expect(t, name+" reactivates its like", o.ask(t, token, "PATCH members/"+weak.id, `{"status":"active"}`), "200")
		expect(t, name+" reactivates with fewer roles", o.ask(t, token, "PATCH members/"+strong.id, `{"status":"active","roles":["viewer"]}`), "200")
	}
}
