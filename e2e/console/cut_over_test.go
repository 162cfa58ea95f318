package console

import (
	"net/netip"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// TestCutOver: who rotates a token sees on its page that the old value is still used, and ends it in the dialog that names where.
func TestCutOver(t *testing.T) {
	w, p := founded(t)
	made, err := w.Registry.CreateToken(t.Context(), registry.Operator(), w.org, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "Nightly sync", Permissions: []string{"devices:read"}})
	w.give(err)
	at := "/o/acme/tokens/" + made.Token.ID
	i := newInspector(p)
	p.open(at + "/rotate")
	p.tick("After a day")
	p.follow("button", "Rotate")
	p.sees("The new value of “Nightly sync”")
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.open(at)
	p.sees("Change to the new value", "Nobody has used the old value since the rotation just now.")
	i.inspect("an old value that nobody has used yet")
	attempt := counterfoil.Attempt{Audience: counterfoil.AudienceProduct, IP: netip.MustParseAddr("2001:db8::17")}
	if r, err := w.Verifier.Verify(t.Context(), &verify.Request{Token: made.Secret, Attempt: attempt}); err != nil || !r.Active() {
		t.Fatal(r.Code, err)
	}
	p.open(at)
	p.sees("In use", "2001:db8::17")
	i.inspect("an old value in use")
	p.click("link", "End the old value")
	p.finds("dialog", "End the old value of “Nightly sync”?")
	p.sees("What uses it is refused from then on.")
	i.inspect("the end of an old value")
	p.follow("button", "End the old value")
	p.sees("The old value has ended. The new one alone works.", "Confirmed by 1 of 1 node")
	p.missing("Change to the new value")
	if r, err := w.Verifier.Verify(t.Context(), &verify.Request{Token: made.Secret, Attempt: attempt}); err != nil || r.Code != counterfoil.CodeTokenRevoked {
		t.Errorf("the old value is %s (%v)", r.Code, err)
	}
}
