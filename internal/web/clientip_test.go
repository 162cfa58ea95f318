package web_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/web"
)

func proxies(t testing.TB, list ...string) web.Proxies {
	t.Helper()
	p, err := web.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClientIP(t *testing.T) {
	trusted := proxies(t, "10.0.0.0/8", "192.168.1.7", "fd00::/8", "::ffff:172.16.0.0/108")
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"the peer", "203.0.113.9:1", nil, "203.0.113.9"},
		{"a stranger's word counts nothing", "203.0.113.9:1", []string{"10.1.1.1"}, "203.0.113.9"},
		{"one trusted hop", "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"never the left-most", "10.0.0.1:1", []string{"8.8.8.8, 203.0.113.9"}, "203.0.113.9"},
		{"through two", "10.0.0.1:1", []string{"8.8.8.8, 203.0.113.9, 192.168.1.7"}, "203.0.113.9"},
		{"several lines are one list", "10.0.0.1:1", []string{"8.8.8.8,203.0.113.9", "10.2.2.2", "10.3.3.3"}, "203.0.113.9"},
		{"all trusted", "10.0.0.1:1", []string{"10.4.4.4, 10.2.2.2"}, "10.4.4.4"},
		{"trusted and silent", "10.0.0.1:1", nil, "10.0.0.1"},
		{"mapped peer and prefix", "[::ffff:172.16.5.5]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"zone of a hop", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"port", "10.0.0.1:1", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"brackets", "10.0.0.1:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"brackets and port", "10.0.0.1:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"trusted hop with port", "10.0.0.1:1", []string{"203.0.113.9, [fd00::2]:1"}, "203.0.113.9"},
		{"a hop that cannot be read", "10.0.0.1:1", []string{"203.0.113.9, unknown"}, ""},
		{"junk behind the client is not reached", "10.0.0.1:1", []string{"junk, 203.0.113.9"}, "203.0.113.9"},
		{"an empty hop hides one", "10.0.0.1:1", []string{"203.0.113.9, "}, ""},
		{"an empty line hides one", "10.0.0.1:1", []string{"203.0.113.9", ""}, ""},
		{"leading zeros", "10.0.0.1:1", []string{"010.0.0.1"}, ""},
		{"bad port", "10.0.0.1:1", []string{"203.0.113.9:99999"}, ""},
		{"v4 in brackets", "10.0.0.1:1", []string{"[203.0.113.9]"}, ""},
		{"unix socket", "@", []string{"203.0.113.9"}, ""},
		{"no peer", "", []string{"203.0.113.9"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := trusted.ClientIP(&http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}})
			var want netip.Addr
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestParseProxies(t *testing.T) {
	got := proxies(t, " 10.1.2.3/8 ", "::1", "::ffff:192.0.2.1")
	want := web.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("192.0.2.1/32")}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.0/", "::ffff:0.0.0.0/90", "fe80::%eth0/64"} {
		if p, err := web.ParseProxies([]string{"::1", bad}); err == nil || p != nil || err.Error() != strconv.Quote(bad)+" is neither an address nor a network such as 10.0.0.0/8" {
			t.Errorf("%q made %v, %v", bad, p, err)
		}
	}
}

// Held against the rule in its plainest words: split everything, then walk.
func FuzzClientIP(f *testing.F) {
	for _, seed := range [][3]string{{"10.0.0.1:1", "8.8.8.8, 203.0.113.9", "10.2.2.2"}, {"[fd00::1]:1", "[2001:db8::1]:3", ""}, {"@", "1.2.3.4", ""},
		{"10.0.0.1:1", "unknown, 10.1.1.1", "::ffff:10.0.0.3"}, {"203.0.113.9:1", "10.0.0.1", "10.0.0.1"}, {"10.0.0.1:1", "fe80::1%25eth0", ",,"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	trusted := proxies(f, "10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {first, second}}}
		got := trusted.ClientIP(r)
		if got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%v is not plain", got)
		}
		at, err := netip.ParseAddrPort(peer)
		if err != nil {
			if got.IsValid() {
				t.Fatalf("%v from no peer", got)
			}
			return
		}
		want := at.Addr().WithZone("").Unmap()
		hops := strings.Split(first+","+second, ",")
		for i := len(hops) - 1; i >= 0 && (netip.MustParsePrefix("10.0.0.0/8").Contains(want) || netip.MustParsePrefix("fd00::/8").Contains(want)); i-- {
			// A lone hop from a trusted peer is what the hop says, or nothing.
			want = trusted.ClientIP(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {hops[i]}}})
		}
		if got != want {
			t.Fatalf("%q from %q, %q: %v, want %v", peer, first, second, got, want)
		}
	})
}
