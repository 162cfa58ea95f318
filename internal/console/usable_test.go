package console_test

import (
	"net/http"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestOffersWhatIsOfUse: what a provider alone can do is no choice for a token anywhere else, and is no row of its page; a token that
// holds it all the same can be rid of it.
func TestOffersWhatIsOfUse(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	for _, path := range []string{"/tokens/new", "/tokens/" + d.Token(t, "devices:read").Token.ID} {
		owner.get(path).says(http.StatusOK, "Check tokens", "!Change provider keys", "!Read usage")
	}
	held := must[counterfoil.Created](t)(d.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "old", Permissions: []string{counterfoil.PermUsageRead, "devices:read"}}))
	at := "/tokens/" + held.Token.ID
	for _, path := range []string{at, at + "/edit"} {
		owner.get(path).says(http.StatusOK, "Read usage", "!Change provider keys")
	}
	owner.does(at+"/edit", "name", "new", "expiry", "keep", "permissions", "devices:read").says(http.StatusOK, "Saved.", "!Read usage")
	_, provider := d.provider()
	provider.get("/tokens/new").says(http.StatusOK, "Change provider keys", "Read usage")
}
