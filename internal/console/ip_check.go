package console

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
)

// filterCheck is what the rules of a form come to.
type filterCheck struct {
	bad      []ruleLine // cannot be read
	more     int        // further bad lines
	long     bool       // more characters than a filter may have
	empty    bool       // no rule at all
	shadowed []ruleLine // can never match
	hidden   int        // further shadowed lines

	ip      string // that was tested; empty: none
	unknown bool   // ip is not an address
	verdict ruleVerdict
	own     string // the address that the person is at, where it would be refused and is not ip
	rules   int    // how many
}

// ruleLine is a line, from 1, with something to say about it.
type ruleLine struct {
	line int
	text string
}

// ruleVerdict is what the rules say to an address. Line 0: no line matches.
type ruleVerdict struct {
	allowed bool
	line    int
	rule    string
}

// takeable reports whether the rules could be saved.
func (c *filterCheck) takeable() bool { return len(c.bad) == 0 && !c.long }

// mostLines is how many lines a check names.
const mostLines = 50

// checkRules reads the rules of a form and tests its address, at first the one that the person is at.
func (v *visit) checkRules(f *filterForm) (c filterCheck) {
	text := f.rules()
	if !f.values.Has("test_ip") && v.at.IP.IsValid() {
		f.values.Set("test_ip", v.at.IP.String())
	}
	c.long = utf8.RuneCountInString(text) > counterfoil.MaxIPRulesLength
	c.rules = ruleCount(text)
	c.empty = c.rules == 0
	rules, problems := counterfoil.ParseIPRules(text)
	for _, p := range problems {
		var l ruleLine
		if _, err := fmt.Sscanf(p.Detail, "line %d:", &l.line); err != nil {
			continue
		}
		_, l.text, _ = strings.Cut(p.Detail, ": ")
		c.bad = append(c.bad, l)
	}
	c.bad, c.more = firstLines(c.bad)
	if len(problems) > 0 {
		return c
	}
	lines := strings.Split(text, "\n")
	for _, n := range rules.Shadowed() {
		c.shadowed = append(c.shadowed, ruleLine{n, strings.TrimSpace(lines[n-1])})
	}
	c.shadowed, c.hidden = firstLines(c.shadowed)
	if c.ip = f.get("test_ip"); c.ip != "" {
		ip, err := netip.ParseAddr(strings.TrimSpace(c.ip))
		c.unknown = err != nil
		c.verdict.allowed, c.verdict.line, c.verdict.rule = rules.Decide(ip)
		if allowed, _, _ := rules.Decide(v.at.IP); !allowed && v.at.IP != ip && v.at.IP.IsValid() {
			c.own = v.at.IP.String()
		}
	}
	return c
}

func firstLines(lines []ruleLine) ([]ruleLine, int) {
	n := min(len(lines), mostLines)
	return lines[:n], len(lines) - n
}

// ruleCount counts the lines that are rules, or are meant to be.
func ruleCount(text string) (n int) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}
