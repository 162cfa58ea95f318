package console

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// TestWithoutScript goes through what a form can do with scripts switched off.
func TestWithoutScript(t *testing.T) {
	w, _ := founded(t)
	w.token("backup")
	p := newPerson(t, w.url)
	p.do("switching scripts off", emulation.SetScriptExecutionDisabled(true))
	p.signIn(ada, password)
	p.at("/o/acme/tokens")
	p.follow("link", "New token")
	if eval[bool](p, `[...document.querySelectorAll("[data-scripted]")].some((e) => e.checkVisibility())`) {
		t.Error("something is shown that wants a script")
	}
	p.fill("Name", "by hand")
	p.click("checkbox", "Read devices devices:read")
	p.click("radio", "30 days")
	p.follow("button", "Create token")
	value := p.value()
	if got := w.works(value); got != "ok" {
		t.Errorf("the token is %s", got)
	}
	p.click("button", "Done") // the browser itself asks for the tick
	p.at("/o/acme/tokens/new")
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.sees("by hand", "in 30 days")
	p.follow("link", "Edit by hand")
	p.fill("Name", "by pen")
	p.follow("button", "Save")
	p.follow("button", "Pause")
	p.sees("Paused. It is refused until it is resumed.")
	p.follow("link", "Delete") // a page here, no dialog
	p.sees("Delete “by pen”?")
	p.follow("link", "Keep it")
	p.follow("link", "Rotate")
	p.click("radio", "At once")
	p.follow("button", "Rotate")
	if next := p.value(); next == value || w.works(value) == "ok" {
		t.Error("rotated at once, the old value works")
	}
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.follow("link", "Delete by pen")
	p.follow("button", "Delete token")
	p.sees("“by pen” was revoked at")

	p.open("/o/acme/all-tokens")
	p.click("checkbox", "Choose backup")
	p.follow("button", "Revoke the chosen tokens…")
	p.follow("button", "Revoke 1 token")
	p.sees("backup: Revoked.")
	p.open("/o/acme/policies/organization")
	p.tick("Allowed")
	p.follow("button", "Preview")
	p.sees("No token that works now would be refused.")
	p.follow("button", "Save")
	p.sees("Not allowed")
	p.open("/o/acme/members/new")
	p.fill("E-mail address", "bob@example.com")
	p.fill("Name", "Bob")
	p.follow("button", "Send the invitation")
	p.sees("Bob", "Invited")
	if l := address(t, w.letter()); !strings.Contains(l, "/invitation?ticket=") {
		t.Errorf("the letter leads to %s", l)
	}
	p.open("/account")
	p.follow("button", "Sign out the session of Chrome on Linux")
	p.sees("You are signed out.")
}
