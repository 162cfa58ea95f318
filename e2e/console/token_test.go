package console

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// value is the token's value that a page reveals.
func (p *person) value() string {
	p.t.Helper()
	p.finds("button", "Done")
	return eval[string](p, `document.getElementById("secret").textContent`)
}

// works asks the check about a value.
func (w *world) works(value string) counterfoil.Code {
	w.t.Helper()
	v, err := w.Verifier.Verify(w.t.Context(), &verify.Request{Token: value, Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{"devices:read"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Code
}

func TestToken(t *testing.T) {
	w, p := founded(t)
	p.open("/o/acme/tokens")
	p.follow("link", "New token")
	p.fill("Name", "collector")
	p.sees("collector may do nothing yet")
	ticked := func(want string) {
		t.Helper()
		if got := eval[string](p, `[...document.querySelectorAll("[name=permissions]:checked")].map((b) => b.value).join(" ")`); got != want {
			t.Errorf("ticked is %q, want %q", got, want)
		}
	}
	p.click("button", "Read only")
	if got := eval[int](p, `document.querySelectorAll("[name=permissions]:checked:not([value$=':read'])").length`); got != 0 {
		t.Errorf("read only ticked %d that do more", got)
	}
	p.sees("may read devices, read sites, read reports")
	p.click("button", "None")
	ticked("")
	p.fill("Search permissions", "measure")
	p.click("button", "Select all")
	ticked("collectors:write")
	p.fill("Search permissions", "")
	p.click("button", "All of Devices")
	ticked("devices:read devices:write collectors:write")
	p.sees("collector may read devices, change devices and send measurements, from anywhere", "expires on")
	p.click("radio", "7 days")
	p.sees("in 7 days")
	p.click("radio", "On a date")
	p.fill("Date of expiry", time.Now().AddDate(0, 2, 0).Format("01022006"))
	p.sees("expires on " + time.Now().AddDate(0, 2, 0).UTC().Format("2 January 2006"))
	p.follow("button", "Create token")

	value := p.value()
	if !strings.HasPrefix(value, "cfl_pat_") {
		t.Fatalf("the value is %q", value)
	}
	if eval[bool](p, `!document.querySelector("[data-gate]").disabled`) {
		t.Error("Done is open before the box is ticked")
	}
	p.click("button", "Copy Token")
	p.sees("Copied")
	if got := eval[string](p, `(() => { getSelection().selectAllChildren(document.body); return getSelection().toString() })()`); !strings.Contains(got, value) || strings.Contains(got, "Save your token") {
		t.Errorf("what can be selected is %q, want the value alone", got)
	}
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.at("/o/acme/tokens")
	p.sees("collector", "Never")
	if code := w.works(value); code != counterfoil.CodeOK { // a use: not before "Never" was seen
		t.Errorf("the value %q is %s", value, code)
	}
	kept := eval[string](p, `document.documentElement.outerHTML + location.href + document.referrer + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie + JSON.stringify(history.state)`)
	if got := p.paste("Search"); got != value {
		t.Errorf("copied was %q", got)
	}
	if secret := value[len("cfl_pat_")+12 : len(value)-6]; strings.Contains(kept, secret) {
		t.Error("the secret is still in the browser")
	}

	p.follow("link", "Edit collector")
	p.click("checkbox", "Change devices devices:write")
	p.click("radio", "30 days")
	p.follow("button", "Save")
	p.sees("Saved. The value of the token stays the same.", "Confirmed by 1 of 1 node", "in 30 days")
	if w.works(value) != counterfoil.CodeOK {
		t.Error("an edit changed the value")
	}
	p.follow("button", "Pause")
	p.sees("Paused. It is refused until it is resumed.")
	if got := w.works(value); got != counterfoil.CodeTokenPaused {
		t.Errorf("a paused token is %s", got)
	}
	p.follow("button", "Resume")
	p.sees("Resumed. It works again.")

	p.follow("link", "Rotate")
	p.click("radio", "After an hour")
	p.follow("button", "Rotate")
	next := p.value()
	p.sees("The old value works until")
	if next == value || w.works(next) != counterfoil.CodeOK || w.works(value) != counterfoil.CodeOK {
		t.Errorf("with a grace the old value is %s, the new one %s", w.works(value), w.works(next))
	}
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.click("link", "Delete collector")
	p.finds("dialog", "Delete “collector”?")
	p.follow("button", "Delete token")
	p.sees("“collector” was revoked at", "No tokens yet")
	if w.works(next) != counterfoil.CodeTokenRevoked || w.works(value) != counterfoil.CodeTokenRevoked {
		t.Errorf("deleted, the values are %s and %s", w.works(value), w.works(next))
	}
}

// TestUnsavedValue: leaving a value that nobody has saved asks first, and coming back does not show it again.
func TestUnsavedValue(t *testing.T) {
	_, p := founded(t)
	p.open("/o/acme/organization-tokens/new")
	p.fill("Name", "lost")
	p.click("checkbox", "Read devices devices:read")
	p.follow("button", "Create token")
	value := p.value()
	p.do("reloading", chromedp.Reload())
	if got := p.boxes(); len(got) == 0 {
		t.Error("reloading an unsaved value asked nothing")
	}
	p.sees("created already, and its value was shown then")
	p.missing(value)
}

// TestTokenByKeys makes a token without a mouse.
func TestTokenByKeys(t *testing.T) {
	w, p := founded(t)
	p.open("/o/acme/tokens")
	p.tab("link", "Skip to the content")
	p.leaving(func() {
		p.tab("link", "New token")
		p.keys(kb.Enter)
	})
	if role, name := p.focus(); role != "textbox" || name != "Name" {
		t.Errorf("the form begins at the %s %q", role, name)
	}
	p.keys("keyboard")
	p.tab("searchbox", "Search permissions")
	p.keys("read")
	p.tab("button", "Select all")
	p.keys(kb.Enter)
	p.tab("radio", "90 days")
	p.keys(kb.ArrowLeft)
	p.tab("button", "Create token")
	p.leaving(func() { p.keys(kb.Enter) })
	value := p.value()
	p.tab("button", "Copy Token")
	p.tab("checkbox", "I have saved this token")
	p.keys(" ")
	p.tab("button", "Done")
	p.leaving(func() { p.keys(kb.Enter) })
	p.at("/o/acme/tokens")
	p.sees("keyboard", "in 60 days")
	if got := w.works(value); got != counterfoil.CodeOK {
		t.Errorf("the token is %s", got)
	}
	p.tab("link", "Delete keyboard")
	p.keys(kb.Enter)
	p.finds("dialog", "Delete “keyboard”?")
	p.tab("button", "Delete token")
	p.leaving(func() { p.keys(kb.Enter) })
	p.sees("“keyboard” was revoked at")
}
