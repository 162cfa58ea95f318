package console

import (
	"slices"
	"strings"
	"testing"
)

// TestWithoutTLS: over plain http browsers keep no session but at the machine itself, and do not say where a form comes from. Whoever
// tries to sign in there is told so, and no organization is made by somebody who could not go on.
func TestWithoutTLS(t *testing.T) {
	w := empty(t)
	link, err := w.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, w.url)
	p.open(strings.Replace(link, "localhost", "tokens.test", 1))
	p.fill("Organization", "Acme")
	p.fill("Your name", "Ada Lovelace")
	p.fill("Your e-mail address", ada)
	p.fill("Password", password)
	p.follow("button", "Set up")
	p.sees("Open the page over https, or at the server's own machine as http://localhost")
	p.open(link)
	p.sees("Set up Counterfoil")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = slices.DeleteFunc(p.faults, func(f string) bool { return strings.Contains(f, "the URL's origin was untrustworthy") })
}
