package client_test

import (
	"net/netip"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// Uses from many addresses at once fit into reports that the server takes: one that it refused would be sent again for ever, and
// the verifier would get no lease any more.
func TestUsesFromManyAddresses(t *testing.T) {
	s := counterfoiltest.Start(t)
	v := newVerifier(t, client.New(s.URL, s.SystemToken))
	made := s.Token(t, "devices:read")
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	const addresses = 2500
	for i := range addresses {
		ip := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0xaa, 0xaa, 0xbb, 0xbb, 0xcc, 0xcc, 0xdd, 0xdd, 0xee, 0xee, byte(0x10 | i>>8), byte(i)}).WithZone("eth0")
		must(v.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: ip}))(t)
	}
	eventually(t, "the uses are told", func() bool { return v.Waiting() == 0 })
	eventually(t, "it answers by itself still", func() bool { return goesByMemory(v) })
}
