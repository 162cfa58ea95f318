package console

import "testing"

// TestEveryEntryOfTheMenuIsAPage holds the menu to pages that are there, and every page to saying who may open it.
func TestEveryEntryOfTheMenuIsAPage(t *testing.T) {
	there := map[string]bool{}
	for _, p := range pages() {
		there[p.method+" "+p.path] = true
		if p.who == nobody || p.show == nil {
			t.Errorf("%s %s does not say who may open it, or shows nothing", p.method, p.path)
		}
	}
	for _, e := range menu {
		if !there["GET /o/{org}"+e.path] {
			t.Errorf("%s leads nowhere", e.path)
		}
	}
	if !there["GET /account"] {
		t.Error("the account has no page")
	}
}
