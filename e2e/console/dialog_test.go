package console

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// token makes an organization token without the browser.
func (w *world) token(name string) counterfoil.Token {
	w.t.Helper()
	made, err := w.Registry.CreateToken(w.t.Context(), registry.Operator(), w.org, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name, Permissions: []string{"devices:read"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Token
}

func TestDialog(t *testing.T) {
	w, p := founded(t)
	token := w.token("backup")
	p.open("/o/acme/organization-tokens")
	list := eval[string](p, `location.href`)
	for _, leave := range []func(){func() { p.keys(kb.Escape) }, func() { p.click("link", "Keep it") }} {
		p.click("link", "Delete backup")
		p.finds("dialog", "Delete “backup”?")
		p.sees("It was not used in the last 30 days.")
		if role, name := p.focus(); role != "link" || name != "Keep it" {
			t.Errorf("the dialog begins at the %s %q, want what changes nothing", role, name)
		}
		leave()
		p.gone("dialog", "Delete “backup”?")
		if role, name := p.focus(); role != "link" || name != "Delete backup" {
			t.Errorf("afterwards the focus is on the %s %q", role, name)
		}
	}
	if got := eval[string](p, `location.href`); got != list {
		t.Errorf("the dialog led to %s", got)
	}
	p.keys(kb.Enter)
	p.fill("Reason (kept in the log; may stay empty)", "not needed")
	p.follow("button", "Delete token")
	p.sees("“backup” was revoked at", "Confirmed by 1 of 1 node")
	p.at("/o/acme/organization-tokens")
	p.open("/o/acme/tokens/" + token.ID)
	p.sees("Revoked on", "“not needed”")
}
