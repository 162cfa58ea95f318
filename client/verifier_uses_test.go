package client

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Every use is told once: from several addresses, by several goroutines, with reports in between that fail.
func TestUsesAreToldOnce(t *testing.T) {
	var u uses
	cells := []*useCell{{token: "tok_a"}, {token: "tok_b"}}
	addresses := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), {}}
	const each = 3000
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range each {
				u.note(cells[(g+i)%2], addresses[i%3], time.Now())
			}
		})
	}
	told := map[usedFrom]int64{}
	count := func(fails bool) {
		list := u.take()
		if fails {
			u.back(list)
			return
		}
		for _, use := range list {
			ip, _ := netip.ParseAddr(use.IP)
			told[usedFrom{token: use.Token, ip: ip}] += use.Count
		}
	}
	for i := range 50 {
		count(i%3 == 0)
	}
	group.Wait()
	count(true)
	count(false)
	var all int64
	for from, n := range told {
		if all += n; n != 2*each/3 {
			t.Errorf("%v: %d uses, want %d", from, n, 2*each/3)
		}
	}
	if all != 4*each || len(u.take()) != 0 {
		t.Errorf("%d uses were told, want %d", all, 4*each)
	}
}

// Waiting is how many tokens and addresses have uses that were not told yet.
func (v *Verifier) Waiting() int {
	v.uses.mu.Lock()
	defer v.uses.mu.Unlock()
	return len(v.uses.waiting) + len(v.uses.cells)
}
