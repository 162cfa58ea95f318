package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestManagedPaging: more than a page holds, in its parts, as it was narrowed.
func TestManagedPaging(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	for i := range 51 {
		d.manages(p, fmt.Sprintf("Customer %02d", i))
	}
	first := owner.get("/organizations?q=customer").says(http.StatusOK, "Customer 00", "Customer 49", "!Customer 50", "Next page")
	next := owner.send(http.MethodGet, first.attr(`<a[^>]*rel="next"`, "href"), nil)
	next.says(http.StatusOK, "Customer 50", "!Customer 49", "Back to the first page", "!Next page")
	if back := next.attr(`<a class="button small" href[^>]*>`, "href"); !strings.HasSuffix(back, "/organizations?q=customer") {
		t.Errorf("back leads to %s", back)
	}
	owner.get("/organizations?cursor=nonsense").says(http.StatusOK)
}
