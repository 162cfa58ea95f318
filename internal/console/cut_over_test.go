package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// TestCutOver: the page of a rotated token says who still uses its old value, and ends it; what began to be used again since the
// page said that it was quiet keeps working.
func TestCutOver(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	made := d.Token(t, "devices:read")
	at := "/tokens/" + made.Token.ID
	use := func(value, ip string) counterfoil.Code {
		t.Helper()
		return must[counterfoil.Verdict](t)(d.System().Verify(t.Context(), counterfoil.Question{Token: value, IP: ip})).Code
	}
	owner.get(at).says(http.StatusOK, "!Change to the new value")
	if asked := owner.get(at + "/finish"); asked.status != http.StatusSeeOther {
		t.Errorf("the end of nothing is asked about: %d", asked.status)
	}
	rotated := must[counterfoil.Rotated](t)(d.Client().RotateToken(t.Context(), "current", made.Token.ID, 24*time.Hour))
	use(rotated.Secret, "192.0.2.1")
	owner.get(at).says(http.StatusOK, "Change to the new value", "Not known yet Nobody has used the old value since the rotation just now. It works until")
	if early := owner.get(at + "/finish"); !strings.Contains(early.source, `name="quiet" value="0"`) {
		t.Error("a value that was rotated just now counts as quiet")
	}
	use(made.Secret, "198.51.100.7")
	owner.get(at).says(http.StatusOK, "In use The old value is still used, the last time just now from 198.51.100.7. It works until", "First Last Accepted 198.51.100.7 just now just now 1")
	d.later.Add(time.Hour.Microseconds())
	use(made.Secret, "")
	owner.get(at).says(http.StatusOK, "In use", "no address given just now just now 1", "198.51.100.7 1 hour ago 1 hour ago 1")
	busy := owner.get(at+"/finish").says(http.StatusOK, "End the old value of “ "+made.Token.Name+" ”?", "What uses it is refused from then on.", "198.51.100.7")
	if !strings.Contains(busy.source, `name="quiet" value="0"`) {
		t.Error("the page of a value in use does not end it in any case")
	}

	d.later.Add((20 * time.Minute).Microseconds())
	quiet := owner.get(at+"/finish").says(http.StatusOK, "Quiet Nobody has used the old value for 20 minutes.", "If it is used before you answer, it stays.")
	if strings.Contains(quiet.source, `name="quiet"`) {
		t.Error("the page of a quiet value ends it in any case")
	}
	use(made.Secret, "203.0.113.9")
	owner.does(at+"/finish").says(http.StatusOK, "The value before the last rotation was used", "203.0.113.9")
	if code := use(made.Secret, "203.0.113.9"); code != counterfoil.CodeOK {
		t.Errorf("what was used again is %s", code)
	}
	owner.does(at+"/finish", "quiet", "0").says(http.StatusOK, "The old value has ended. The new one alone works.", "Confirmed by 1 of 1 node", "!Change to the new value", "Previous valid until")
	if code := use(made.Secret, "203.0.113.9"); code != counterfoil.CodeTokenRevoked {
		t.Errorf("the old value is %s", code)
	}
	if code := use(rotated.Secret, ""); code != counterfoil.CodeOK {
		t.Errorf("the new value is %s", code)
	}

	reader, _ := d.Member(t, d.role(t, "reads-tokens", counterfoil.PermTokensRead).Name)
	must[counterfoil.Rotated](t)(d.Client().RotateToken(t.Context(), "current", made.Token.ID, 24*time.Hour))
	reads := d.sits(reader.ID)
	reads.get(at).says(http.StatusOK, "Change to the new value", "!End the old value")
	reads.does(at+"/finish", "quiet", "0").says(http.StatusOK, "!has ended")
	if code := use(rotated.Secret, ""); code != counterfoil.CodeOK {
		t.Errorf("somebody who may only read has ended the old value: %s", code)
	}
}
