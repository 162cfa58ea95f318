package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

const officeRules = "# the office, without the guests\ndeny 192.0.2.128/25\nallow 192.0.2.0/24\nallow 192.0.2.7\nallow 127.0.0.0/8"

// TestIPFilters: H5, from making one to deleting it.
func TestIPFilters(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	owner.get("/ip-filters").says(http.StatusOK, "No IP filters yet", "Create IP filter")
	sent := strings.ReplaceAll(officeRules, "\n", "\r\n") // as browsers do
	owner.does("/ip-filters/new", "name", "<i>office</i>", "rules", sent).says(http.StatusOK, "Created “<i>office</i>”", "4 rules Nothing")
	owner.post("/ip-filters/new", "name", "<i>office</i>", "rules", sent).says(http.StatusConflict, "This name is in use")
	list := must[[]counterfoil.IPFilter](t)(d.Client().IPFilters(t.Context(), "current"))
	if len(list) != 1 || list[0].Rules != officeRules {
		t.Fatalf("stored %q", list)
	}
	office := list[0]
	page := owner.get("/ip-filters/"+office.ID).says(http.StatusOK, "127.0.0.1 by line 5 : allow 127.0.0.0/8", "Line 4 : allow 192.0.2.7", "Used by Nothing")
	if strings.Contains(page.source, "<i>office") {
		t.Error("a name is markup")
	}
	version := page.attr(`<input[^>]*name="version"[^>]*>`, "value")
	owner.post("/ip-filters/"+office.ID, "version", version, "name", "office", "rules", sent+"\r\n").says(http.StatusSeeOther)
	again := owner.post("/ip-filters/"+office.ID, "version", version, "name", "mine", "rules", "allow 127.0.0.1").says(http.StatusPreconditionFailed, "Somebody else changed this IP filter", "What it says now # the office")
	version = again.attr(`<input[^>]*name="version"[^>]*>`, "value")
	if name := again.attr(`<input[^>]*name="name"[^>]*>`, "value"); name != "mine" {
		t.Errorf("the form says %q, not what was filled in", name)
	}

	lockOut := []string{"version", version, "name", "office", "rules", "allow 192.0.2.0/24"}
	asked := owner.post("/ip-filters/"+office.ID, lockOut...).says(http.StatusConflict, "This would refuse the address that you are using now, 127.0.0.1", "I may lock myself out")
	if asked.attr(`<input[^>]*name="ask_lock_out"[^>]*>`, "value") == "" {
		t.Error("the question is not remembered")
	}
	owner.does("/ip-filters/"+office.ID, append(lockOut, "ask_lock_out", "yes", "allow_lock_out", "yes")...).says(http.StatusOK, "Saved “office”", "Confirmed by 1 of 1 node", "1 rule")

	owner.get("/ip-filters/"+office.ID+"/delete").says(http.StatusOK, "Delete “ office ”?", "Nothing uses it", "Keep it")
	owner.does("/ip-filters/"+office.ID+"/delete").says(http.StatusOK, "Deleted “office”", "No IP filters yet")
	owner.get("/ip-filters/" + office.ID).says(http.StatusNotFound)
}

func TestIPFilterCheck(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	check := func(rules, ip string) *shown {
		return owner.post("/ip-filters/new/check", "name", "new", "rules", rules, "test_ip", ip)
	}
	check(officeRules, "192.0.2.200").says(http.StatusOK, "Refused 192.0.2.200 by line 2 : deny 192.0.2.128/25", "Line 4 : allow 192.0.2.7", "4 rules")
	check(officeRules, "::ffff:192.0.2.7").says(http.StatusOK, "Allowed ::ffff:192.0.2.7 by line 3 : allow 192.0.2.0/24")
	check("allow 192.0.2.0/24", "198.51.100.7").says(http.StatusOK, "Refused 198.51.100.7 matches no line", "The address that you are using now, 127.0.0.1 , is refused")
	check(officeRules, "the moon").says(http.StatusOK, "This is not an IP address")
	check("# nobody", "").says(http.StatusOK, "A filter without one refuses every address")
	check("allow 10.0.0.0/33\r\npermit <b>all</b>\r\nallow all", "10.0.0.1").says(http.StatusOK, "2 lines cannot be taken", `Line 1 : "10.0.0.0/33" is neither`, "Line 2 :", "!by line 3")
	if page := check("permit <b>all</b>", ""); strings.Contains(page.source, "<b>all") {
		t.Error("a rule is markup")
	}
	owner.post("/ip-filters/new", "name", "new", "rules", "permit all").says(http.StatusUnprocessableEntity, "Put right the lines that the check names", `Line 1 : "permit" is neither allow nor deny`)
	owner.post("/ip-filters/new", "name", "", "rules", "allow all").says(http.StatusUnprocessableEntity)
	owner.get("/ip-filters").says(http.StatusOK, "No IP filters yet")
}

// TestLongIPFilter pastes more than a filter may hold.
func TestLongIPFilter(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	lines := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form, i>>8, i&255)
		}
		return b.String()
	}
	long := lines(10_000, "allow 192.168.%d.%d/32 # a machine\r\n")
	for _, path := range []string{"/ip-filters/new/check", "/ip-filters/new"} {
		page := owner.post(path, "name", "long", "rules", long)
		if !strings.Contains(page.text, "Line 5001 : an IP filter has at most 5000 lines") || !strings.Contains(page.text, "more than 60,000 characters") || !strings.Contains(page.source, "192.168.39.15/32") {
			t.Errorf("%s: %d without what is wrong, or without what was pasted", path, page.status)
		}
	}
	if page := owner.post("/ip-filters/new", "name", "wide", "rules", lines(3000, "allow 192.168.%d.%d/32\r\n")); page.status != http.StatusUnprocessableEntity || !strings.Contains(page.text, "The rules of an IP filter have at most 60000 characters.") {
		t.Errorf("69,000 characters: %d", page.status)
	}
	if page := owner.post("/ip-filters/new/check", "rules", strings.Repeat("permit\r\n", 4000)); !strings.Contains(page.text, "4,000 lines cannot be taken") || !strings.Contains(page.text, "… and 3,950 more") {
		t.Errorf("4,000 bad lines: %d", page.status)
	}
	owner.does("/ip-filters/new", "name", "long", "rules", lines(3500, "deny 10.0.%d.%d\n")).says(http.StatusOK, "3,500 rules")
}

// TestIPFilterPreview: what an edit would refuse is shown before it is saved.
func TestIPFilterPreview(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	office := d.filter("office", "allow 127.0.0.1\nallow 192.0.2.0/24\nallow 198.51.100.0/24")
	for name, at := range map[string]string{"<b>guest</b>": "198.51.100.9", "host": "192.0.2.7"} {
		made := must[counterfoil.Created](t)(d.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name, Permissions: []string{"devices:read"}, IPFilter: office.ID}))
		d.uses(made.Secret, at, 3)
	}
	other := d.organizationToken("without a filter")
	d.uses(other.Secret, "192.0.2.8", 5)
	path := "/ip-filters/" + office.ID
	form := func(p *shown, rules string) []string {
		return []string{"version", p.attr(`<input[^>]*name="version"[^>]*>`, "value"), "seen", p.attr(`<input[^>]*name="seen"[^>]*>`, "value"), "name", "office", "rules", rules}
	}
	narrow := "allow 127.0.0.1\nallow 192.0.2.0/24"
	page := owner.get(path).says(http.StatusOK, "!Before you save")
	owner.post(path+"/check", form(page, "allow all")...).says(http.StatusOK, "Before you save No token that works now would be refused")
	seen := owner.post(path, form(page, narrow)...).says(http.StatusOK, "Nothing is saved yet", "1 token that works now would be refused", "would have been refused: 3 .", "<b>guest</b> Used from an address that the IP filter refuses", "!host Used", "!without a filter")
	if f := must[counterfoil.IPFilter](t)(d.Client().IPFilter(t.Context(), "current", office.ID)); f.Rules != office.Rules {
		t.Fatal("it was saved without having been shown")
	}
	owner.post(path, form(seen, "allow 127.0.0.1")...).says(http.StatusOK, "Nothing is saved yet", "2 tokens that work now would be refused")
	owner.does(path, form(seen, narrow)...).says(http.StatusOK, "Saved “office”")

	if _, err := d.Client().SetPolicy(t.Context(), "current", counterfoil.KindOrganization, counterfoil.PolicyEdit{EnforcedIPFilter: &office.ID}); err != nil {
		t.Fatal(err)
	}
	page = owner.get(path)
	owner.post(path+"/check", form(page, "allow 127.0.0.1")...).says(http.StatusOK, "2 tokens that work now would be refused", "would have been refused: 8 .", "host Used", "without a filter Used", "!</b> Used")
}

// TestIPFilterInUse: what uses a filter keeps it, and is named.
func TestIPFilterInUse(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	office := d.filter("office", "allow all")
	var tokens []counterfoil.Created
	for i := range 12 {
		tokens = append(tokens, must[counterfoil.Created](t)(d.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("token %02d", i),
			Permissions: []string{"devices:read"}, IPFilter: office.ID})))
	}
	if _, err := d.Client().SetPolicy(t.Context(), "current", counterfoil.KindPersonal, counterfoil.PolicyEdit{EnforcedIPFilter: &office.ID}); err != nil {
		t.Fatal(err)
	}
	owner.get("/ip-filters").says(http.StatusOK, "all personal tokens and 12 tokens")
	owner.get("/ip-filters/"+office.ID).says(http.StatusOK, "All personal tokens by security policy token 00 token 01", "All 12 tokens", "!token 11")
	owner.get("/all-tokens?ip_filter="+office.ID).says(http.StatusOK, "token 00", "token 11", "With one IP filter alone")
	owner.get("/ip-filters/"+office.ID+"/delete").says(http.StatusOK, "“ office ” is in use", "token 00", "!Delete IP filter")
	owner.does("/ip-filters/"+office.ID+"/delete").says(http.StatusOK, "The security policy for personal tokens enforces this IP filter.")
	page := owner.get("/tokens/" + tokens[0].Token.ID)
	if !strings.Contains(page.source, `href="/o/acme/ip-filters/`+office.ID+`"`) {
		t.Error("the page of a token does not lead to its IP filter")
	}
}

func TestIPFiltersOfOthers(t *testing.T) {
	d := newDesk(t, counterfoiltest.WithCatalogue(counterfoiltest.Catalogue+"  - {name: auditor, permissions: [counterfoil.ip_filters:read]}\n"))
	auditor, _ := d.Member(t, "auditor")
	viewer, _ := d.Member(t, "viewer")
	office := d.filter("office", "allow 192.0.2.0/24")
	reads := d.sits(auditor.ID)
	reads.get("/ip-filters").says(http.StatusOK, "office", "This takes the permission counterfoil.ip_filters:write", "!Delete")
	reads.get("/ip-filters/"+office.ID).says(http.StatusOK, "Needs the permission counterfoil.ip_filters:write", "!Cancel")
	reads.post("/ip-filters/"+office.ID+"/check", "test_ip", "192.0.2.1").says(http.StatusOK, "Allowed 192.0.2.1 by line 1")
	for _, path := range []string{"/ip-filters/new", "/ip-filters/" + office.ID, "/ip-filters/" + office.ID + "/delete"} {
		reads.post(path, "version", "1", "name", "mine", "rules", "allow all").says(http.StatusForbidden, "counterfoil.ip_filters:write")
	}
	d.sits(viewer.ID).get("/ip-filters/"+office.ID).says(http.StatusForbidden, "counterfoil.ip_filters:read")
	other := d.NewOrganization(t, "Other")
	d.sitsIn(other.ID, other.Slug, other.Owner.ID).get("/ip-filters/" + office.ID).says(http.StatusNotFound)
	if f := must[counterfoil.IPFilter](t)(d.Client().IPFilter(t.Context(), "current", office.ID)); f.Rules != "allow 192.0.2.0/24" {
		t.Errorf("it was written: %q", f.Rules)
	}
}
