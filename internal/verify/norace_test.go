//go:build !race

package verify

import (
	"context"
	"net/netip"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestWarmCheckAllocatesNothing holds the hot path to its promise.
func TestWarmCheckAllocatesNothing(t *testing.T) {
	c := newCrowd(t, 100)
	q := Request{Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{benchPermission}, IP: netip.MustParseAddr("192.0.2.7")}}
	ctx, n := context.Background(), 0
	if allocs := testing.AllocsPerRun(1000, func() {
		q.Token = c.strings[n%len(c.strings)]
		n++
		if r, err := c.v.Verify(ctx, &q); err != nil || r.Code != counterfoil.CodeOK {
			t.Fatal(r.Code, err)
		}
	}); allocs > 0.5 { // notes gather in slices that grow
		t.Errorf("a warm check allocates %v times", allocs)
	}
}
