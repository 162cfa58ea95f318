package e2e_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A token that somebody pastes as a name, a reason or a comment is refused, not kept and not repeated.
func TestPastedSecret(t *testing.T) {
	t.Parallel()
	a := &aviary{instance: serveNew(t, "", "--log-level", "debug"), t: t}
	org := "/v1/organizations/" + a.Organization.ID
	token := org + "/tokens/" + a.create(t, counterfoil.Draft{Name: "fodder"}).Token.ID
	for _, q := range [][3]string{ // method, path, body: ☃ is the canary
		{"POST", org + "/tokens", `{"kind":"organization","name":"☃","permissions":["devices:read"]}`},
		{"POST", org + "/tokens", `{"kind":"organization","name":"my token is ☃, keep it","permissions":["devices:read"]}`},
		{"POST", org + "/tokens", `{"kind":"integration","integration":"splunk","name":"☃"}`},
		{"POST", org + "/tokens", `{"kind":"organization","name":"x","permissions":["☃"]}`},
		{"POST", "/v1/system/tokens", `{"kind":"system","name":"☃","permissions":["☃"]}`},
		{"PATCH", token, `{"name":"☃"}`},
		{"PATCH", token, `{"ip_filter":"☃"}`},
		{"POST", org + "/roles", `{"name":"☃","permissions":[]}`},
		{"POST", org + "/roles", `{"name":"x","permissions":["☃"]}`},
		{"POST", org + "/members", `{"email":"ada@acme.example","name":"☃","roles":["member"]}`},
		{"POST", org + "/members", `{"email":"☃@acme.example","name":"Ada","roles":["☃"]}`},
		{"POST", org + "/members", `{"email":"bob@acme.example","name":"Bob","roles":["member"],"external_id":"☃"}`},
		{"POST", org + "/ip-filters", `{"name":"☃","rules":"deny all"}`},
		{"POST", org + "/ip-filters", `{"name":"comment","rules":"# ☃\ndeny all"}`},
		{"POST", org + "/ip-filters", `{"name":"rule","rules":"allow ☃"}`},
		{"POST", org + "/ip-filters/test", `{"rules":"☃","ip":"127.0.0.1"}`},
		{"PATCH", org, `{"name":"☃"}`},
		{"POST", "/v1/organizations", `{"name":"☃"}`},
		{"POST", "/v1/organizations", `{"name":"Other","plan":"☃"}`},
		{"PUT", "/v1/catalogue", `{"source":"permissions: [{name: \"a:b\", title: ☃}]"}`},
		{"PUT", "/v1/catalogue", `{"source":"☃"}`},
		{"DELETE", token, `{"reason":"☃"}`},
	} {
		c := a.canary(strings.Join(q[:], " "))
		r := send(t, a.address, request{line: q[0] + " " + q[1], headers: []string{bearer(a.SystemToken), "Content-Type: application/json"}, body: strings.ReplaceAll(q[2], "☃", c)})
		if r.StatusCode != 422 || r.code() != counterfoil.CodeValidationFailed {
			t.Errorf("%v: %d %q", q, r.StatusCode, r.code())
		}
		a.answers.WriteString(r.Body)
	}
	a.look("an answer", a.answers.Bytes())
	a.stop(syscall.SIGKILL)
	a.search("after a kill")
}
