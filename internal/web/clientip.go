package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose word about the hop before them is taken (trusted_proxies). The zero value trusts nobody.
type Proxies []netip.Prefix

// ParseProxies reads addresses and CIDR prefixes. An IPv4-mapped IPv6 prefix is the IPv4 prefix that it maps.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		prefix, ok := parsePrefix(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		p = append(p, prefix)
	}
	return p, nil
}

func parsePrefix(text string) (_ netip.Prefix, ok bool) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), err == nil
	}
	prefix, err := netip.ParsePrefix(text)
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 { // IPv4 and more
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), err == nil
}

// ClientIP is the address that r comes from: the connection's peer, or, where the peer is trusted, the first hop of
// X-Forwarded-For, from the right, that is not. All hops trusted: the left-most. The answer has no zone and is never an
// IPv4-mapped address. It is the zero Addr where the peer has no address (a unix socket) or a hop cannot be read; a
// filter then refuses.
func (p Proxies) ClientIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := plain(peer.Addr())
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !p.trusts(addr) {
				return addr
			}
			hop := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				rest, hop = rest[:comma], rest[comma+1:]
			}
			if addr = parseHop(strings.Trim(hop, " \t")); !addr.IsValid() {
				return addr
			}
		}
	}
	return addr
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address, with or without a port; IPv6 with a port, or anyhow, may stand in brackets.
func parseHop(text string) netip.Addr {
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		if addr, err := netip.ParseAddr(text[1 : n-1]); err == nil && addr.Is6() {
			return plain(addr)
		}
		return netip.Addr{}
	}
	if strings.HasPrefix(text, "[") || strings.Count(text, ":") == 1 {
		hop, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		return plain(hop.Addr())
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return plain(addr)
}

func plain(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }
