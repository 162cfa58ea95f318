package console

import (
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	_, p := lived(t)
	p.open("/o/acme/policies/organization")
	p.sees("Nothing is changed yet.")
	p.tick("At most…")
	p.fill("Longest lifetime: how many", "20")
	p.sees("2 tokens that work now would be refused", "Nightly backup", "Report builder")
	p.follow("button", "Save")
	p.sees("Confirmed by 1 of 1 node")
	p.open("/o/acme/policies/organization")
	p.tick("No limit")
	p.sees("No token that works now would be refused.")
	p.follow("button", "Save")
}

func TestIPFilter(t *testing.T) {
	_, p := lived(t)
	p.open("/o/acme/ip-filters/new")
	p.fill("Name", "Office")
	p.fill("Rules", "allow 198.51.100.0/24\nallow 198.51.100.7\ndeny all\nallow 203.0.113.1")
	p.sees("Line 2", "Line 4")
	p.fill("Test an address", "203.0.113.1")
	p.sees("203.0.113.1 by line 3: deny all")
	p.fill("Rules", "allow 198.51.100.0/24\nallow 300.1.1.1")
	p.sees("1 line cannot be taken: Line 2:")
	p.follow("button", "Create IP filter")
	p.sees("Put right the lines that the check names.")
	p.fill("Rules", "allow 198.51.100.0/24")
	p.missing("Put right") // it was true of what was sent
	p.follow("button", "Create IP filter")
	p.sees("Office")

	// Enforced for the kind of token that she uses from here, it would lock her out: it asks first.
	p.open("/o/acme/policies/personal")
	p.fill("IP filter for all of them", "Office")
	p.sees("1 token that works now would be refused")
	p.follow("button", "Save")
	p.sees("This would refuse the address that you are using now, 127.0.0.1")
	p.tick("I may lock myself out: save it all the same")
	p.follow("button", "Save")
	p.sees("Confirmed by 1 of 1 node")
	p.open("/o/acme/ip-filters")
	p.click("link", "Delete Office")
	p.finds("link", "Close") // it is in use
}

func TestRefusal(t *testing.T) {
	l, p := lived(t)
	p.open("/o/acme/refusals")
	p.fill("Reference", `{"code":"ip_not_allowed","reference":"`+l.refusal+`"}`)
	p.follow("button", "Explain")
	p.sees(l.refusal, "What to do", "Each rule, in its order", "203.0.113.77")
	p.open("/o/acme/activity")
	p.sees("Nightly backup")
	csv := p.fetch("/o/acme/activity/export?format=csv")
	if !strings.Contains(csv, "Nightly backup") {
		t.Errorf("the CSV is %.300s", csv)
	}
}

func TestPeople(t *testing.T) {
	w, p := founded(t)
	w.token("backup")
	p.open("/o/acme/members")
	p.follow("link", "Invite a member")
	p.fill("E-mail address", "bob@example.com")
	p.fill("Name", "Bob")
	p.tick("operator")
	p.follow("button", "Send the invitation")
	p.sees("Bob", "Invited")
	bob := newPerson(t, w.url)
	bob.open(address(t, w.letter()))
	bob.fill("Choose a password", password)
	bob.follow("button", "Accept")
	bob.open("/o/acme/tokens/new")
	bob.fill("Name", "bob's script")
	bob.tick("Read devices")
	bob.follow("button", "Create token")
	value := bob.value()
	bob.click("checkbox", "I have saved this token")
	bob.follow("button", "Done")
	if got := w.works(value); got != "ok" {
		t.Errorf("Bob's token is %s", got)
	}

	p.open("/o/acme/members")
	p.follow("link", "Bob")
	p.click("link", "Remove")
	p.finds("dialog", "Remove “Bob”?")
	p.sees("What stops: 1 token", "bob's script")
	p.follow("button", "Remove member")
	p.sees("Confirmed by 1 of 1 node")
	if got := w.works(value); got == "ok" {
		t.Error("a removed member's token works")
	}
	bob.open("/o/acme/tokens")
	bob.sees("There is nothing here")
}

func TestIntegrations(t *testing.T) {
	w, p := founded(t)
	for _, c := range []struct{ title, path, beside string }{
		{"Custom", "custom", "Activity Logs URL"}, {"Splunk", "splunk", "Data centre"}, {"Microsoft Sentinel", "sentinel", "Activity Logs URL"},
	} {
		p.open("/o/acme/integrations/" + c.path)
		p.follow("link", "Create token")
		p.fill("Name", c.path+" reader")
		p.follow("button", "Create token")
		value := p.value()
		p.sees(c.beside)
		if eval[bool](p, `!document.querySelector("[data-gate]").disabled`) {
			t.Errorf("%s: Done is open before the box is ticked", c.title)
		}
		p.click("checkbox", "I have saved this data")
		p.follow("button", "Done")
		p.at("/o/acme/integrations/" + c.path)
		p.sees(c.path+" reader", "in 365 days")
		p.missing(value)
		p.click("link", "Revoke "+c.path+" reader")
		p.finds("dialog", "Revoke “"+c.path+" reader”?")
		p.follow("button", "Revoke token")
		p.sees("“" + c.path + " reader” was revoked at")
		if got := w.works(value); got != "token_revoked" {
			t.Errorf("%s: the revoked token is %s", c.title, got)
		}
	}
}

func TestRevokeMany(t *testing.T) {
	w, p := founded(t)
	for _, name := range []string{"one", "two", "three"} {
		w.token(name)
	}
	p.open("/o/acme/all-tokens")
	p.click("checkbox", "Choose one")
	p.click("checkbox", "Choose two")
	p.follow("button", "Revoke the chosen tokens…")
	p.sees("Revoke 2 tokens?")
	p.fill("Reason (kept in the log; may stay empty)", "spring cleaning")
	p.follow("button", "Revoke 2 tokens")
	p.sees("What was done", "one: Revoked.", "two: Revoked.")
	p.open("/o/acme/all-tokens")
	p.sees("three")
	p.missing("Choose one")
	if n := eval[int](p, `document.querySelectorAll("tbody tr").length`); n != 1 {
		t.Errorf("%d tokens are left, want one", n)
	}
}
