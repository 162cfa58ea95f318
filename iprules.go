package counterfoil

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MaxIPRuleLines is how many lines, comments included, the text of an IP filter may have.
const MaxIPRuleLines = 5000

// MaxIPRulesLength is how many characters the text of an IP filter may have.
const MaxIPRulesLength = 60_000

// IPRules is the compiled text of an IP filter (H5): the first rule that matches decides, and no match denies. It is
// immutable and may be shared. A nil *IPRules denies every address.
type IPRules struct {
	rules []ipRule
}

type ipRule struct {
	allow  bool
	prefix netip.Prefix // masked and never IPv4-mapped; the zero Prefix means all
	line   int          // from 1
	text   string
}

// ParseIPRules compiles one rule a line: allow or deny in any case, then all, an address or a CIDR, separated by spaces
// or tabs. # starts a comment, blank lines count, lines may end in CRLF. Host bits of a CIDR are masked; IPv4-mapped
// addresses and prefixes (RFC 4291, section 2.5.5.2) become IPv4; zones are refused. Text without a rule is valid and
// denies everyone. Every bad line is reported, as a Problem at /rules that begins "line N: "; the rules are then nil.
func ParseIPRules(text string) (*IPRules, []Problem) {
	var (
		compiled IPRules
		problems []Problem
		line     int
	)
	bad := func(detail string) {
		problems = append(problems, Problem{
			Pointer: "/rules", Code: CodeValidationFailed, Detail: fmt.Sprintf("line %d: %s", line, detail),
		})
	}
	for source := range strings.Lines(text) {
		if line++; line > MaxIPRuleLines {
			bad(fmt.Sprintf("an IP filter has at most %d lines", MaxIPRuleLines))
			break
		}
		source, _, _ = strings.Cut(strings.TrimRight(source, "\r\n"), "#")
		words := strings.FieldsFunc(source, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 {
			continue
		}
		rule, err := parseIPRule(words)
		if err != nil {
			bad(err.Error())
			continue
		}
		rule.line = line
		compiled.rules = append(compiled.rules, rule)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return &compiled, nil
}

// parseIPRule reads the words of one rule, of which there is at least one.
func parseIPRule(words []string) (ipRule, error) {
	var rule ipRule
	action := strings.ToLower(words[0])
	switch action {
	case "allow":
		rule.allow = true
	case "deny":
	default:
		return rule, fmt.Errorf("%s is neither allow nor deny", excerpt(words[0]))
	}
	switch {
	case len(words) == 1:
		return rule, fmt.Errorf("%s what? Name all, an address or a CIDR", action)
	case len(words) > 2:
		return rule, fmt.Errorf("%s is too much: one rule a line, comments after #", excerpt(words[2]))
	}
	target := strings.ToLower(words[1])
	if target != "all" {
		var err error
		if rule.prefix, err = parseIPTarget(target); err != nil {
			return rule, fmt.Errorf("%s %w", excerpt(words[1]), err)
		}
	}
	rule.text = action + " " + target
	return rule, nil
}

// parseIPTarget reads an address or a CIDR as a masked prefix. Its errors continue a sentence that begins with the text.
func parseIPTarget(text string) (netip.Prefix, error) {
	var none netip.Prefix
	if strings.Contains(text, "%") {
		return none, errors.New("has a zone, which means nothing to other machines: leave out % and what follows")
	}
	prefix, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var ip netip.Addr
		if ip, err = netip.ParseAddr(text); err == nil {
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
	}
	if err != nil {
		return none, errors.New("is neither all, nor an address, nor a CIDR such as 10.0.0.0/8 or 2001:db8::/32")
	}
	if ip := prefix.Addr(); ip.Is4In6() {
		if prefix.Bits() < 96 {
			return none, errors.New("is an IPv4-mapped prefix shorter than /96: write the IPv4 and the IPv6 prefix on lines of their own")
		}
		prefix = netip.PrefixFrom(ip.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// excerpt quotes at most 40 characters of what a person typed, with control characters escaped.
func excerpt(text string) string {
	const most = 40
	n := 0
	for i := range text {
		if n++; n > most {
			return fmt.Sprintf("%q…", text[:i])
		}
	}
	return fmt.Sprintf("%q", text)
}

// Decide reports whether ip may pass, and the line (from 1) and text of the rule that decided. IPv4-mapped addresses
// are judged as IPv4 and zones are ignored. When no rule matches, or ip is the zero Addr, the answer is false, 0 and "".
// It allocates nothing.
func (r *IPRules) Decide(ip netip.Addr) (allowed bool, line int, rule string) {
	if r == nil || !ip.IsValid() {
		return false, 0, ""
	}
	ip = ip.WithZone("").Unmap()
	for i := range r.rules {
		if c := &r.rules[i]; !c.prefix.IsValid() || c.prefix.Contains(ip) {
			return c.allow, c.line, c.text
		}
	}
	return false, 0, ""
}

// Shadowed returns the lines of the rules that can never match, because the rules before them, one or several together,
// match every address that they would. It is never nil.
func (r *IPRules) Shadowed() []int {
	lines := []int{}
	if r == nil {
		return lines
	}
	// Addresses are unmapped before they are judged, so that the mapped block of IPv6 has been taken from the start.
	var v4, v6 ipSet
	v6.add(rangeOf(netip.PrefixFrom(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff}), 96)))
	all4, all6 := rangeOf(netip.PrefixFrom(netip.IPv4Unspecified(), 0)), rangeOf(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	for _, c := range r.rules {
		var covered bool
		switch span := rangeOf(c.prefix); {
		case !c.prefix.IsValid():
			covered = v4.covers(all4) && v6.covers(all6)
			v4.add(all4)
			v6.add(all6)
		case c.prefix.Addr().Is4():
			covered = v4.covers(span)
			v4.add(span)
		default:
			covered = v6.covers(span)
			v6.add(span)
		}
		if covered {
			lines = append(lines, c.line)
		}
	}
	return lines
}

// ipRange is the addresses of one family from lo to hi, both included.
type ipRange struct{ lo, hi netip.Addr }

// rangeOf returns the addresses of a masked prefix; of the zero Prefix, the zero range.
func rangeOf(p netip.Prefix) ipRange {
	if !p.IsValid() {
		return ipRange{}
	}
	bytes := p.Addr().AsSlice()
	for i := range bytes {
		host := min(max((i+1)*8-p.Bits(), 0), 8) // how many low bits of this byte are free
		bytes[i] |= byte(1<<host - 1)
	}
	hi, _ := netip.AddrFromSlice(bytes)
	return ipRange{p.Addr(), hi}
}

// ipSet is a set of addresses of one family: ascending ranges that neither overlap nor touch.
type ipSet []ipRange

// covers reports whether every address of r is in the set. As ranges never touch, one of them must hold it whole.
func (s ipSet) covers(r ipRange) bool {
	i := s.firstEndingFrom(r.lo)
	return i < len(s) && s[i].lo.Compare(r.lo) <= 0 && s[i].hi.Compare(r.hi) >= 0
}

// add puts the addresses of r in the set.
func (s *ipSet) add(r ipRange) {
	first := s.firstEndingFrom(r.lo)
	if first > 0 && (*s)[first-1].hi.Next() == r.lo {
		first--
	}
	end := first
	for end < len(*s) && touches(r, (*s)[end]) {
		if (*s)[end].lo.Less(r.lo) {
			r.lo = (*s)[end].lo
		}
		if r.hi.Less((*s)[end].hi) {
			r.hi = (*s)[end].hi
		}
		end++
	}
	*s = slices.Replace(*s, first, end, r)
}

// firstEndingFrom returns the index of the first range that ends at ip or after it.
func (s ipSet) firstEndingFrom(ip netip.Addr) int {
	i, _ := slices.BinarySearchFunc(s, ip, func(r ipRange, ip netip.Addr) int { return r.hi.Compare(ip) })
	return i
}

// touches reports whether r and next, which ends no earlier than just before r begins, overlap or are neighbours.
func touches(r, next ipRange) bool {
	return next.lo.Compare(r.hi) <= 0 || r.hi.Next() == next.lo
}
