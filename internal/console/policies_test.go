package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// uses has a token accepted n times from an address.
func (d *desk) uses(secret, ip string, n int) {
	d.t.Helper()
	for range n {
		if v := must[counterfoil.Verdict](d.t)(d.System().Verify(d.t.Context(), counterfoil.Question{Token: secret, IP: ip})); !v.Active {
			d.t.Fatalf("the token is refused: %s", v.Code)
		}
	}
}

func (d *desk) filter(name, rules string) counterfoil.IPFilter {
	d.t.Helper()
	return must[counterfoil.IPFilter](d.t)(d.Client().CreateIPFilter(d.t.Context(), "current", counterfoil.IPFilterDraft{Name: name, Rules: rules}))
}

func (d *desk) organizationToken(name string) counterfoil.Created {
	d.t.Helper()
	return must[counterfoil.Created](d.t)(d.Client().CreateToken(d.t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name, Permissions: []string{"devices:read"}}))
}

func (d *desk) policy(kind counterfoil.Kind) counterfoil.Policy {
	d.t.Helper()
	return must[counterfoil.Policy](d.t)(d.Client().Policy(d.t.Context(), "current", kind))
}

// terms is the form of a new organization's policy for organization tokens, with what differs: name, value, …
func terms(p *shown, pairs ...string) []string {
	return append([]string{"version", p.attr(`<input[^>]*name="version"[^>]*>`, "value"), "seen", p.attr(`<input[^>]*name="seen"[^>]*>`, "value"),
		"allowed", "yes", "max", "none", "default", "none", "custom_ip_filter_allowed", "yes", "permission_updates_allowed", "yes"}, pairs...)
}

// TestPoliciesInWords: H6.
func TestPoliciesInWords(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	owner.get("/policies").says(http.StatusOK, "Personal tokens Allowed", "Longest lifetime 365 days", "Default expiry 90 days", "Longest lifetime No limit", "Never expiring Allowed")
	owner.get("/policies/system").says(http.StatusNotFound)
	page := owner.get("/policies/personal").says(http.StatusOK, "Nothing is changed yet")
	if n, unit := page.attr(`<input[^>]*name="max_n"[^>]*>`, "value"), page.attr(`<option[^>]*selected[^>]*>`, "value"); n != "365" || unit != "days" {
		t.Errorf("the longest lifetime is filled in as %s %s", n, unit)
	}
}

// TestPolicyPreview: H7.
func TestPolicyPreview(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	office := d.filter("<i>office</i>", "allow 192.0.2.0/24")
	inside, outside := d.organizationToken("inside"), d.organizationToken("<b>outside</b>")
	d.uses(inside.Secret, "192.0.2.7", 2)
	d.uses(outside.Secret, "192.0.2.7", 4)
	d.uses(outside.Secret, "198.51.100.9", 3)

	page := owner.get("/policies/organization")
	wanted := terms(page, "enforced_ip_filter", office.ID)
	seen := owner.post("/policies/organization/preview", wanted...).says(http.StatusOK, "Any to What “<i>office</i>” allows", "1 token that works now would be refused",
		"would have been refused: 3 .", "<b>outside</b> Used from an address that the IP filter refuses", "!inside Used")
	if strings.Contains(seen.source, "<b>outside") || strings.Contains(seen.source, "<i>office") {
		t.Error("a name is markup")
	}
	if p := d.policy(counterfoil.KindOrganization); p.EnforcedIPFilter != nil {
		t.Fatal("a preview saved the policy")
	}

	owner.post("/policies/organization", wanted...).says(http.StatusOK, "Nothing is saved yet", "1 token that works now")
	if p := d.policy(counterfoil.KindOrganization); p.EnforcedIPFilter != nil {
		t.Fatal("it was saved without having been shown")
	}
	owner.post("/policies/organization", terms(seen, "enforced_ip_filter", office.ID)...).says(http.StatusConflict, "This would refuse the address that you are using now, 127.0.0.1", "I may lock myself out")
	owner.does("/policies/organization", terms(seen, "enforced_ip_filter", office.ID, "allow_lock_out", "yes")...).
		says(http.StatusOK, "Saved. The policy for organization tokens is in force. It refuses 1 token", "Confirmed by 1 of 1 node", "What “<i>office</i>” allows")
	if v := must[counterfoil.Verdict](t)(d.System().Verify(t.Context(), counterfoil.Question{Token: outside.Secret, IP: "198.51.100.9"})); v.Code != counterfoil.CodeIPNotAllowed {
		t.Errorf("from outside it is %s", v.Code)
	}

	page = owner.get("/policies/organization")
	off := append(terms(page, "enforced_ip_filter", office.ID), "allowed", "no")
	off[5] = "no" // allowed
	owner.post("/policies/organization/preview", off...).says(http.StatusOK, "2 tokens that work now would be refused", "would have been refused: 6 .", "inside Tokens of this kind are not allowed")
}

func TestPolicyLifetimes(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	page := owner.get("/policies/organization")
	owner.post("/policies/organization/preview", terms(page, "max", "after", "max_n", "", "max_unit", "days")...).
		says(http.StatusOK, "Nothing is changed yet") // none comes first in this form, which says no limit
	lifetimes := func(p *shown, max, unit, standard string) []string {
		form := terms(p, "max_n", max, "max_unit", unit, "default_n", standard, "default_unit", "minutes")
		form[7], form[9] = "after", "after"
		return form
	}
	owner.post("/policies/organization/preview", lifetimes(page, "", "days", "1")...).says(http.StatusUnprocessableEntity, "Give a whole number of minutes, hours or days.")
	owner.post("/policies/organization/preview", lifetimes(page, "200000", "days", "1")...).says(http.StatusUnprocessableEntity, "A lifetime is 1 second to 100 years.")
	owner.post("/policies/organization/preview", lifetimes(page, "2", "hours", "121")...).says(http.StatusUnprocessableEntity, "The default lifetime is longer than the longest")
	seen := owner.post("/policies/organization/preview", lifetimes(page, "2", "hours", "90")...).says(http.StatusOK, "from No limit to 2 hours", "from None to 90 minutes")
	owner.does("/policies/organization", lifetimes(seen, "2", "hours", "90")...).says(http.StatusOK, "Saved.", "Longest lifetime 2 hours")
	if p := d.policy(counterfoil.KindOrganization); *p.MaxLifetimeSeconds != 7200 || *p.DefaultLifetimeSeconds != 5400 || !p.Allowed || !p.CustomIPFilterAllowed || p.ExpiryRequired {
		t.Errorf("saved %+v", p)
	}
	odd := int64(61)
	if _, err := d.Client().SetPolicy(t.Context(), "current", counterfoil.KindOrganization, counterfoil.PolicyEdit{DefaultLifetimeSeconds: &odd}); err != nil {
		t.Fatal(err)
	}
	page = owner.get("/policies/organization").says(http.StatusOK, "seconds")
	if n := page.attr(`<input[^>]*name="default_n"[^>]*>`, "value"); n != "61" {
		t.Errorf("61 seconds are filled in as %s", n)
	}
}

func TestPolicyStale(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	page := owner.get("/policies/organization")
	mine := func(p *shown) []string { return append(terms(p), "expiry_required", "yes") }
	seen := owner.post("/policies/organization/preview", mine(page)...).says(http.StatusOK, "Never expiring from Allowed to Not allowed")
	no := false
	if _, err := d.Client().SetPolicy(t.Context(), "current", counterfoil.KindOrganization, counterfoil.PolicyEdit{CustomIPFilterAllowed: &no}); err != nil {
		t.Fatal(err)
	}
	again := owner.post("/policies/organization", mine(seen)...).says(http.StatusPreconditionFailed, "Somebody else changed this policy", "nothing was saved", "Own IP filters from Not allowed to Allowed", "Never expiring from Allowed to Not allowed")
	if p := d.policy(counterfoil.KindOrganization); p.ExpiryRequired || p.CustomIPFilterAllowed {
		t.Fatalf("a stale form was saved: %+v", p)
	}
	owner.does("/policies/organization", mine(again)...).says(http.StatusOK, "Saved.")
	if p := d.policy(counterfoil.KindOrganization); !p.ExpiryRequired || !p.CustomIPFilterAllowed {
		t.Errorf("saved %+v", p)
	}
	page = owner.get("/policies/organization")
	owner.does("/policies/organization", mine(page)...).says(http.StatusOK, "Nothing was changed")
}

// TestPolicyOfOthers: who may not write reads, who may not read is told why, and nobody writes.
func TestPolicyOfOthers(t *testing.T) {
	d := newDesk(t, counterfoiltest.WithCatalogue(counterfoiltest.Catalogue+"  - {name: auditor, permissions: [counterfoil.policies:read]}\n"))
	auditor, _ := d.Member(t, "auditor")
	viewer, _ := d.Member(t, "viewer")
	reads := d.sits(auditor.ID)
	page := reads.get("/policies/personal").says(http.StatusOK, "Needs the permission counterfoil.policies:write", "Choosing one needs the permission counterfoil.ip_filters:read")
	if !strings.Contains(page.source, "<fieldset class=\"card settings\" disabled") || strings.Contains(page.source, `<button class="button primary">Save`) {
		t.Error("the form can be filled in")
	}
	reads.post("/policies/personal", terms(page)...).says(http.StatusForbidden, "counterfoil.policies:write")
	d.sits(viewer.ID).get("/policies").says(http.StatusForbidden, "counterfoil.policies:read")
	if p := d.policy(counterfoil.KindPersonal); !p.ExpiryRequired {
		t.Error("it was written")
	}
}

// TestPolicyStepUp: a policy is set by who has just shown that it is them, and what they filled in outlives the question.
func TestPolicyStepUp(t *testing.T) {
	const password = "correct horse battery"
	d := newDesk(t)
	grace := joins(d, d.sits(d.Owner.ID), password)
	d.later.Add((11 * time.Minute).Microseconds())
	seen := grace.post("/policies/organization/preview", append(terms(grace.get("/policies/organization")), "expiry_required", "yes")...).says(http.StatusOK, "Never expiring")
	form := grace.post("/policies/organization", append(terms(seen), "expiry_required", "yes")...).says(http.StatusOK, "Confirm that it is you").fields()
	if p := d.policy(counterfoil.KindOrganization); p.ExpiryRequired {
		t.Fatal("it was saved without a proof")
	}
	form.Set("password", password)
	resumed := grace.send(http.MethodPost, "/confirm", form).says(http.StatusOK, "It is you")
	if done := grace.send(http.MethodPost, resumed.attr(`<form method="post"[^>]*data-send`, "action"), resumed.fields()); done.status != http.StatusSeeOther || !d.policy(counterfoil.KindOrganization).ExpiryRequired {
		t.Errorf("afterwards it is answered %d, and not saved: %s", done.status, done.text)
	}
}
