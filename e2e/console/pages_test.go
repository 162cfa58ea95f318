package console

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// mostBytes is what a page may weigh on a first visit, with everything that it loads.
const mostBytes = 150 << 10

var ids = regexp.MustCompile(`\b(?:tok|mem|rol|ipf|evt|ref|rcp|ses|key|usr|org|exp|hook|whk)_[0-9A-Za-z]+|\b[0-9]+$`)

// TestEveryPage visits every page that links lead an owner to, one of each kind.
func TestEveryPage(t *testing.T) {
	l, p := lived(t)
	i := newInspector(p)
	p.do("keeping nothing", network.SetCacheDisabled(true))
	seen, asked, queue := map[string]int{}, map[string]bool{}, []string{"/o/acme/tokens", "/account", "/o/acme/refusals/" + l.refusal}
	for len(queue) > 0 {
		to := queue[0]
		queue = queue[1:]
		kind := ids.ReplaceAllString(to, "{id}")
		if asked[to] || seen[kind] == 3 { // of one kind, some lead to more than others
			continue
		}
		asked[to] = true
		p.open(to)
		queue = append(queue, p.links()...)
		if seen[kind]++; seen[kind] > 1 {
			continue
		}
		i.inspect(kind)
		p.mu.Lock()
		weight := p.loaded
		p.mu.Unlock()
		if weight == 0 || weight > mostBytes {
			t.Errorf("%s: a first visit loads %.0f bytes, want at most %d", kind, weight, mostBytes)
		}
	}
	for _, want := range []string{"/o/acme/all-tokens", "/o/acme/tokens/{id}/revoke", "/o/acme/members/{id}/remove", "/o/acme/integrations/splunk/new", "/account/totp", "/o/acme/refusals/{id}", "/o/acme/activity/{id}"} {
		if seen[want] == 0 {
			t.Errorf("no link leads to %s", want)
		}
	}
	t.Log("visited: ", slices.Sorted(maps.Keys(seen)))
}

// links are the paths of the console that the page leads to.
func (p *person) links() (paths []string) {
	p.t.Helper()
	for _, to := range eval[[]string](p, `[...document.querySelectorAll("a[href]:not([download])")].map((a) => a.href)`) {
		u, err := url.Parse(to)
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.HasPrefix(to, p.url+"/") && !slices.Contains(paths, u.Path) && !strings.HasSuffix(u.Path, "/export") && u.Path != "/docs" {
			paths = append(paths, u.Path)
		}
	}
	return paths
}

// TestPagesOfStrangers are those of people who are not signed in, and those that no link leads to.
func TestPagesOfStrangers(t *testing.T) {
	w, _ := founded(t)
	p := newPerson(t, w.url)
	i := newInspector(p)
	for _, to := range []string{"/sign-in", "/forgot", "/nothing-here", w.invite("bob@example.com", "Bob", "member")} {
		p.open(to)
		i.inspect(to)
	}
}

// TestPagesOfActs are those that an act leads to: a value revealed, what was wrong, a dialog.
func TestPagesOfActs(t *testing.T) {
	w, p := founded(t)
	i := newInspector(p)
	w.token("backup")
	p.open("/o/acme/organization-tokens")
	p.click("link", "Delete backup")
	p.finds("dialog", "Delete “backup”?")
	i.inspect("the dialog that deletes a token")
	p.open("/o/acme/tokens/new")
	p.fill("Name", "laptop")
	p.click("radio", "After…")
	p.fill("How many", "9999")
	p.follow("button", "Create token")
	p.sees("The security policy allows at most 365 days")
	i.inspect("a form with faults")
	p.click("checkbox", "Read devices devices:read")
	p.click("radio", "7 days")
	p.follow("button", "Create token")
	p.value()
	i.inspect("a value revealed")
	p.click("checkbox", "I have saved this token")
	p.follow("button", "Done")
	p.open("/o/acme/webhooks/new")
	p.fill("Name", "siem")
	p.fill("Address", "https://localhost/in")
	p.follow("button", "Create webhook")
	p.sees("whsec_")
	i.inspect("a webhook's secret revealed")
	p.click("checkbox", "I have saved this secret")
	p.follow("button", "Done")
	p.follow("button", "Send a test")
	p.sees("The test event was not taken")
	i.inspect("a webhook")
}
