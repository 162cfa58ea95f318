package console

import (
	"fmt"
	"testing"
)

// An organization's downloads leave places for others', and ended ones are given back.
func TestDownloadsLeavePlacesForOthers(t *testing.T) {
	var d downloads
	for i := range exportsEach {
		if !d.begin("org_a") {
			t.Fatalf("download %d is refused", i+1)
		}
	}
	if d.begin("org_a") {
		t.Error("one organization has more than its places")
	}
	n := exportsEach
	for i := 0; d.begin(fmt.Sprint("org_", i/2)); i++ {
		n++
	}
	if n != mostExports {
		t.Errorf("%d ran at a time, want %d", n, mostExports)
	}
	d.end("org_a")
	if !d.begin("org_z") {
		t.Error("a place that was given back is not to be had")
	}
}
