package console

import (
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// TestFromTheProduct: the product sends a member to the token pages, who finds the way back, on a phone too.
func TestFromTheProduct(t *testing.T) {
	w, _ := founded(t)
	members, err := w.Registry.Members(t.Context(), registry.Operator(), w.org, "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	session, err := w.Registry.CreateConsoleSession(t.Context(), registry.Operator(), w.org,
		counterfoil.ConsoleSessionDraft{Member: members.Data[0].ID, ReturnURL: "https://a-product-with-a-long-name.example.com/settings"})
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, w.URL)
	i := newInspector(p)
	p.open(session.URL)
	p.at("/o/acme/tokens")
	p.sees("API tokens", "Back to a-product-with-a-long-name.example.com")
	i.inspect("the tokens, from the product")
	p.open(session.URL)
	p.sees("This address was good once")
}
