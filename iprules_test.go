package counterfoil

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// H5: first match wins, no match denies, mapped IPv6 is IPv4, host bits are allowed.
func TestIPRulesDecide(t *testing.T) {
	const office = "# office\r\n\r\nDENY 10.1.2.3\r\n\tallow  10.9.9.9/8 # host bits\r\nallow 2001:db8::1/32\nallow ::ffff:192.0.2.7\nallow ::ffff:198.51.100.9/120\ndeny ALL"
	cases := []struct {
		name, rules, ip string
		allowed         bool
		line            int
		rule            string
	}{
		{"the first match decides", office, "10.1.2.3", false, 3, "deny 10.1.2.3"},
		{"host bits are masked", office, "10.255.0.1", true, 4, "allow 10.9.9.9/8"},
		{"IPv6 host bits are masked", office, "2001:db8:ffff::9", true, 5, "allow 2001:db8::1/32"},
		{"a mapped address in a rule is IPv4", office, "192.0.2.7", true, 6, "allow ::ffff:192.0.2.7"},
		{"a mapped prefix in a rule is IPv4", office, "198.51.100.200", true, 7, "allow ::ffff:198.51.100.9/120"},
		{"a mapped client is IPv4", office, "::ffff:10.255.0.1", true, 4, "allow 10.9.9.9/8"},
		{"the zone of a client is ignored", "allow fe80::1", "fe80::1%eth0", true, 1, "allow fe80::1"},
		{"a zoned mapped client is IPv4", "allow 10.0.0.1", "::ffff:10.0.0.1%eth0", true, 1, "allow 10.0.0.1"},
		{"all reaches both families", office, "2001:db9::", false, 8, "deny all"},
		{"no match denies", "allow 10.0.0.0/8", "11.0.0.0", false, 0, ""},
		{"::/0 is not IPv4", "allow ::/0", "10.0.0.1", false, 0, ""},
		{"::/0 is not mapped IPv4", "allow ::/0", "::ffff:10.0.0.1", false, 0, ""},
		{"0.0.0.0/0 is not IPv6", "allow 0.0.0.0/0", "::1", false, 0, ""},
		{"no rule denies", "# nobody\n", "10.0.0.1", false, 0, ""},
		{"no text denies", "", "10.0.0.1", false, 0, ""},
		{"no address is refused", "allow all", "", false, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, problems := ParseIPRules(c.rules)
			if problems != nil {
				t.Fatal(problems)
			}
			var ip netip.Addr
			if c.ip != "" {
				ip = netip.MustParseAddr(c.ip)
			}
			if allowed, line, rule := r.Decide(ip); allowed != c.allowed || line != c.line || rule != c.rule {
				t.Errorf("Decide(%s) = %v, %d, %q; want %v, %d, %q", c.ip, allowed, line, rule, c.allowed, c.line, c.rule)
			}
		})
	}
	if allowed, _, _ := (*IPRules)(nil).Decide(netip.MustParseAddr("10.0.0.1")); allowed {
		t.Error("nil rules allow")
	}
}

func TestParseIPRulesReportsEveryLine(t *testing.T) {
	long := strings.Repeat("é", 100)
	cases := []struct {
		text string
		want string // in the detail, after "line N: "
	}{
		{"permit all", `"permit" is neither allow nor deny`},
		{"allow", "allow what?"},
		{"deny all all", `"all" is too much`},
		{"allow 10.0.0", `"10.0.0" is neither all`},
		{"allow 10.0.0.1/33", "is neither all"},
		{"allow 10.0.0.01", "is neither all"},
		{"allow 10.0.0.0/08", "is neither all"},
		{"allow /8", "is neither all"},
		{"allow fe80::1%eth0", "has a zone"},
		{"allow fe80::%1/64", "has a zone"},
		{"allow ::ffff:10.0.0.0/95", "shorter than /96"},
		{"allow all\x1b[2J", `"all\x1b[2J" is neither`},
		{"allow\u00a0all", `"allow\u00a0all" is neither`},
		{long + " all", `"` + strings.Repeat("é", 40) + `"… is neither`},
		{"allow " + long, `"` + strings.Repeat("é", 40) + `"… is neither`},
	}
	var text strings.Builder
	for _, c := range cases {
		text.WriteString("deny all # fine\n" + c.text + "\n")
	}
	r, problems := ParseIPRules(text.String())
	if r != nil {
		t.Error("rules were returned beside problems")
	}
	if len(problems) != len(cases) {
		t.Fatalf("%d problems for %d bad lines: %v", len(problems), len(cases), problems)
	}
	for i, c := range cases {
		p := problems[i]
		prefix := fmt.Sprintf("line %d: ", 2*i+2)
		if p.Pointer != "/rules" || p.Code != CodeValidationFailed || !strings.HasPrefix(p.Detail, prefix) || !strings.Contains(p.Detail, c.want) {
			t.Errorf("%q: %+v; want %s…%s", c.text, p, prefix, c.want)
		}
	}
}

func TestParseIPRulesCountsLines(t *testing.T) {
	if _, problems := ParseIPRules(strings.Repeat("#\n", MaxIPRuleLines)); problems != nil {
		t.Errorf("%d lines: %v", MaxIPRuleLines, problems)
	}
	_, problems := ParseIPRules(strings.Repeat("#\n", MaxIPRuleLines) + "allow all\nnonsense")
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Detail, "line 5001: ") {
		t.Errorf("one line too many: %v", problems)
	}
}

func TestIPRulesShadowed(t *testing.T) {
	cases := []struct {
		name, rules string
		want        []int
	}{
		{"nothing", "", []int{}},
		{"the same again", "allow 10.0.0.1\n# c\ndeny 10.0.0.1", []int{3}},
		{"within a wider one", "allow 10.0.0.0/8\ndeny 10.1.0.0/16", []int{2}},
		{"wider than an earlier one", "allow 10.1.0.0/16\ndeny 10.0.0.0/8", []int{}},
		{"after all", "deny all\nallow 10.0.0.1\nallow ::1\nallow all", []int{2, 3, 4}},
		{"two halves", "allow 10.128.0.0/9\nallow 10.0.0.0/9\ndeny 10.0.0.0/8", []int{3}},
		{"two quarters and a half", "allow 10.64.0.0/10\ndeny 10.128.0.0/9\nallow 10.0.0.0/10\ndeny 10.0.0.0/8", []int{4}},
		{"a half and a bit", "allow 10.0.0.0/9\nallow 10.128.0.0/10\ndeny 10.0.0.0/8", []int{}},
		{"neighbours that are not siblings", "allow 10.1.0.0/16\nallow 10.2.0.0/16\ndeny 10.2.0.0/15\ndeny 10.1.255.0/24", []int{4}},
		{"families apart", "allow 0.0.0.0/0\nallow ::1\nallow all", []int{}},
		{"both families are all", "allow 0.0.0.0/0\nallow ::/0\nallow all", []int{3}},
		{"a mapped rule", "allow 10.0.0.0/8\nallow ::ffff:10.0.0.1", []int{2}},
		{"the mapped block never reaches IPv6 rules", "allow ::/81\nallow ::8000:0:0/82\nallow ::c000:0:0/83\nallow ::e000:0:0/84\nallow ::f000:0:0/85\nallow ::f800:0:0/86\nallow ::fc00:0:0/87\nallow ::fe00:0:0/88\nallow ::ff00:0:0/89\nallow ::ff80:0:0/90\nallow ::ffc0:0:0/91\nallow ::ffe0:0:0/92\nallow ::fff0:0:0/93\nallow ::fff8:0:0/94\nallow ::fffc:0:0/95\nallow ::fffe:0:0/96\ndeny ::/80", []int{17}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, problems := ParseIPRules(c.rules)
			if problems != nil {
				t.Fatal(problems)
			}
			if got := r.Shadowed(); !slices.Equal(got, c.want) || got == nil {
				t.Errorf("Shadowed() = %v, want %v", got, c.want)
			}
		})
	}
	if got := (*IPRules)(nil).Shadowed(); got == nil || len(got) != 0 {
		t.Errorf("Shadowed of nil = %v", got)
	}
}

// modelRule is a rule as the model sees it: an address as a string of bits ("4" or "6" before it) and a prefix of one.
type modelRule struct {
	text  string
	bits  string // "" for all
	allow bool
}

func bitsOf(ip netip.Addr) string {
	ip = ip.Unmap()
	var b strings.Builder
	b.WriteString(map[bool]string{true: "4", false: "6"}[ip.Is4()])
	for _, x := range ip.AsSlice() {
		fmt.Fprintf(&b, "%08b", x)
	}
	return b.String()
}

func (m modelRule) matches(ip netip.Addr) bool { return strings.HasPrefix(bitsOf(ip), m.bits) }

// drawRules makes rules that meet often: few bits vary, around both ends of each family and the mapped block.
func drawRules(t *rapid.T) []modelRule {
	bases := []string{"10.0.0.0", "0.0.0.0", "255.255.255.240", "::", "2001:db8::", "::ffff:10.0.0.0", "::fffe:0:0", "::1:0:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) modelRule {
		m := modelRule{allow: rapid.Bool().Draw(t, "allow")}
		action := map[bool]string{true: "allow ", false: "deny "}[m.allow]
		if rapid.IntRange(0, 19).Draw(t, "all") == 0 {
			m.text = action + "all"
			return m
		}
		ip := netip.MustParseAddr(rapid.SampledFrom(bases).Draw(t, "base"))
		raw := ip.AsSlice()
		raw[len(raw)-1] |= byte(rapid.IntRange(0, 15).Draw(t, "host"))
		ip, _ = netip.AddrFromSlice(raw)
		least := 0
		if ip.Is4In6() {
			least = 96
		}
		n := ip.BitLen() - rapid.OneOf(rapid.IntRange(0, 4), rapid.IntRange(0, 4), rapid.IntRange(0, ip.BitLen()-least)).Draw(t, "free")
		m.text = fmt.Sprintf("%s%s/%d", action, ip, n)
		family := ip.BitLen() - ip.Unmap().BitLen()
		m.bits = bitsOf(ip)[:1+n-family]
		return m
	}), 0, 24).Draw(t, "rules")
}

// edges returns addresses of which every non-empty region that the rules cut out holds one: each first address of a
// rule or of what follows one.
func edges(t *rapid.T, rules []modelRule) []netip.Addr {
	out := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified(), netip.MustParseAddr("::1:0:0:0")}
	for _, m := range rules {
		_, target, _ := strings.Cut(m.text, " ")
		if target == "all" {
			continue
		}
		p := netip.MustParsePrefix(target).Masked()
		last := p.Addr().AsSlice()
		for bit := p.Bits(); bit < len(last)*8; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		hi, _ := netip.AddrFromSlice(last)
		out = append(out, p.Addr().Unmap())
		if next := hi.Unmap().Next(); next.IsValid() {
			out = append(out, next)
		}
	}
	return out
}

func TestIPRulesMatchModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := drawRules(t)
		var text strings.Builder
		for _, m := range model {
			text.WriteString(m.text + "\n")
		}
		r, problems := ParseIPRules(text.String())
		if problems != nil {
			t.Fatal(problems)
		}
		decided := make([]bool, len(model))
		for _, ip := range edges(t, model) {
			i := slices.IndexFunc(model, func(m modelRule) bool { return m.matches(ip) })
			allowed, line, _ := r.Decide(ip)
			if line != i+1 || allowed != (i >= 0 && model[i].allow) {
				t.Fatalf("Decide(%s) = %v by line %d, the model says line %d of\n%s", ip, allowed, line, i+1, text.String())
			}
			if i >= 0 {
				decided[i] = true
			}
		}
		want := []int{}
		for i, d := range decided {
			if !d {
				want = append(want, i+1)
			}
		}
		if got := r.Shadowed(); !slices.Equal(got, want) {
			t.Fatalf("Shadowed() = %v, the model says %v of\n%s", got, want, text.String())
		}
	})
}

func TestIPRulesDecideAllocatesNothing(t *testing.T) {
	r, _ := ParseIPRules(strings.Repeat("deny 2001:db8::/32\n", 100) + "allow 10.0.0.0/8")
	for _, ip := range []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("fe80::1%eth0")} {
		if n := testing.AllocsPerRun(100, func() { r.Decide(ip) }); n != 0 {
			t.Errorf("Decide(%s) allocates %v times", ip, n)
		}
	}
}

func FuzzParseIPRules(f *testing.F) {
	f.Add("allow 10.0.0.0/8\ndeny all # rest", "10.0.0.1")
	f.Add("allow ::ffff:10.0.0.0/104\r\nallow fe80::1%eth0", "fe80::1%eth0")
	f.Add("\x1b[2J\u202e all\nallow ::/0", "::ffff:1.2.3.4")
	f.Fuzz(func(t *testing.T, text, address string) {
		r, problems := ParseIPRules(text)
		if (r == nil) != (len(problems) > 0) {
			t.Fatalf("rules %v beside problems %v", r, problems)
		}
		for _, p := range problems {
			if !utf8.ValidString(p.Detail) || strings.ContainsFunc(p.Detail, unicode.IsControl) || len(p.Detail) > 600 {
				t.Fatalf("detail %q", p.Detail)
			}
		}
		ip, _ := netip.ParseAddr(address)
		allowed, line, rule := r.Decide(ip)
		if allowed && (r == nil || !ip.IsValid() || line == 0 || !strings.HasPrefix(rule, "allow ")) {
			t.Fatalf("%s allowed by line %d %q", ip, line, rule)
		}
		if slices.Contains(r.Shadowed(), line) {
			t.Fatalf("line %d decides %s and is called shadowed", line, ip)
		}
	})
}
