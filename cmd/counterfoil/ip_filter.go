package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type ipFilterCmd struct {
	Create ipFilterCreateCmd `cmd:"" help:"Make an IP filter."`
	List   ipFilterListCmd   `cmd:"" help:"List IP filters."`
	Show   ipFilterShowCmd   `cmd:"" help:"Show an IP filter."`
	Edit   ipFilterEditCmd   `cmd:"" help:"Change an IP filter. It acts at once on everything that uses it."`
	Delete ipFilterDeleteCmd `cmd:"" help:"Delete an IP filter that nothing uses."`
	Test   ipFilterTestCmd   `cmd:"" help:"Say what a filter decides about an address, and which line does."`
}

// ipFilterID finds the id of a filter that was named by its id or name.
func ipFilterID(ctx context.Context, api *client.Client, org, name string) (string, error) {
	if strings.HasPrefix(name, "ipf_") {
		return name, nil
	}
	filters, err := api.IPFilters(ctx, org)
	if err != nil {
		return "", err
	}
	for _, f := range filters {
		if f.Name == name {
			return f.ID, nil
		}
	}
	return "", fmt.Errorf("there is no IP filter %q here", name)
}

func (s *session) ipFilter(f counterfoil.IPFilter, asJSON bool) error {
	if asJSON {
		return s.json(f)
	}
	rules := f.Rules
	if !hasRules(rules) {
		rules = strings.TrimLeft(strings.TrimRight(rules, "\n")+"\n(none: every address is denied)", "\n")
	}
	return s.details("id", f.ID, "name", f.Name, "rules", rules, "created", exactly(&f.CreatedAt, ""), "changed", exactly(&f.UpdatedAt, ""))
}

// hasRules reports whether there is more than comments and blank lines.
func hasRules(text string) bool {
	for line := range strings.Lines(text) {
		if rule, _, _ := strings.Cut(line, "#"); strings.TrimSpace(rule) != "" {
			return true
		}
	}
	return false
}

// readRules reads rules to be kept. None at all are more likely what a pipe lost than meant: they would deny everybody.
func (s *session) readRules(file string) (string, error) {
	rules, err := s.read(file)
	if err == nil && strings.TrimSpace(rules) == "" {
		return "", misused("there are no rules in what was read, and no rule denies everybody; if that is meant, write: deny all")
	}
	if err != nil {
		return "", fmt.Errorf("reading the rules: %w", err)
	}
	return rules, nil
}

const rulesHelp = `A rule is allow or deny, then all, an address or a CIDR; # starts a comment. The first rule that matches decides; no match denies.`

type ipFilterCreateCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Name           string `required:"" placeholder:"NAME" help:"What people will know it by."`
	Rules          string `required:"" placeholder:"FILE" help:"A file of rules, one a line; - for stdin."`
	once           `embed:""`
}

func (ipFilterCreateCmd) Help() string {
	return rulesHelp + "\n\nExample:\n\n\techo \"allow 10.0.0.0/8\" | counterfoil ip-filter create --name office --rules -"
}

func (c *ipFilterCreateCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	rules, err := s.readRules(c.Rules)
	if err != nil {
		return err
	}
	f, err := api.CreateIPFilter(ctx, s.within(c.Org), counterfoil.IPFilterDraft{Name: c.Name, Rules: rules}, c.options()...)
	if err != nil {
		return err
	}
	return s.ipFilter(f, c.JSON)
}

type ipFilterListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
}

func (ipFilterListCmd) Help() string { return "Example:\n\n\tcounterfoil ip-filter list" }

func (c *ipFilterListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	filters, err := api.IPFilters(ctx, s.within(c.Org))
	if err != nil {
		return err
	}
	return list(s, c.JSON, filters, "No IP filters.", []string{"ID", "NAME", "LINES", "CHANGED"}, func(f counterfoil.IPFilter) []string {
		return []string{f.ID, f.Name, strconv.Itoa(lines(f.Rules)), relative(f.UpdatedAt, time.Now())}
	})
}

// lines counts lines without the empty ones at the end.
func lines(text string) (n int) {
	for range strings.Lines(strings.TrimRight(text, "\r\n")) {
		n++
	}
	return n
}

type ipFilterShowCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Filter         string `arg:"" help:"The filter's id or name."`
}

func (ipFilterShowCmd) Help() string { return "Example:\n\n\tcounterfoil ip-filter show office" }

func (c *ipFilterShowCmd) Run(ctx context.Context, s *session) error {
	api, id, err := c.findFilter(ctx, s, c.Org, c.Filter)
	if err != nil {
		return err
	}
	f, err := api.IPFilter(ctx, c.Org, id)
	if err != nil {
		return err
	}
	return s.ipFilter(f, c.JSON)
}

func (r *remote) findFilter(ctx context.Context, s *session, org, name string) (api *client.Client, id string, err error) {
	if api, err = r.dial(s); err != nil {
		return nil, "", err
	}
	id, err = ipFilterID(ctx, api, s.within(org), name)
	return api, id, err
}

type ipFilterEditCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Filter         string  `arg:"" help:"The filter's id or name."`
	Name           *string `placeholder:"NAME" help:"A new name."`
	Rules          string  `placeholder:"FILE" help:"A file of rules, one a line, in place of the present ones; - for stdin."`
	AllowLockOut   bool    `help:"Save it even if it refuses the very token that saves it."`
}

func (ipFilterEditCmd) Help() string {
	return rulesHelp + "\n\nExample:\n\n\tcounterfoil ip-filter edit office --rules office.rules"
}

func (c *ipFilterEditCmd) Run(ctx context.Context, s *session) error {
	edit := counterfoil.IPFilterEdit{Name: c.Name}
	if c.Name == nil && c.Rules == "" {
		return misused("name what to change")
	}
	api, id, err := c.findFilter(ctx, s, c.Org, c.Filter)
	if err != nil {
		return err
	}
	if c.Rules != "" {
		rules, err := s.readRules(c.Rules)
		if err != nil {
			return err
		}
		edit.Rules = &rules
	}
	var answer client.Response
	options := []client.CallOption{client.Into(&answer)}
	if c.AllowLockOut {
		options = append(options, client.AllowLockOut())
	}
	f, err := api.EditIPFilter(ctx, c.Org, id, edit, options...)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.changed(ctx, f, answer.Receipt)
	}
	if err := s.ipFilter(f, false); err != nil {
		return err
	}
	s.inForce(ctx, answer.Receipt)
	return nil
}

type ipFilterDeleteCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	sure           `embed:""`
	Filter         string `arg:"" help:"The filter's id or name."`
}

func (ipFilterDeleteCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil ip-filter delete office"
}

func (c *ipFilterDeleteCmd) Run(ctx context.Context, s *session) error {
	api, id, err := c.findFilter(ctx, s, c.Org, c.Filter)
	if err != nil {
		return err
	}
	if err := c.confirm(s, ask("Delete IP filter %s?", c.Filter)); err != nil {
		return err
	}
	var answer client.Response
	if err := api.DeleteIPFilter(ctx, c.Org, id, client.Into(&answer)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, answer.Receipt, "Deleted IP filter %s.", c.Filter)
}

type ipFilterTestCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	Address        string `arg:"" help:"The address to test."`
	Filter         string `placeholder:"FILTER" xor:"rules" help:"A filter, by id or name."`
	Rules          string `placeholder:"FILE" xor:"rules" help:"A file of rules, one a line; - for stdin."`
}

func (ipFilterTestCmd) Help() string {
	return "Exit status 0 where the address is allowed, 1 where it is denied.\n\nExample:\n\n\tcounterfoil ip-filter test 10.1.2.3 --filter office"
}

func (c *ipFilterTestCmd) Run(ctx context.Context, s *session) error {
	if c.Filter == "" && c.Rules == "" {
		return misused("name what to test: --filter FILTER or --rules FILE")
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		return misused("%s is not an IP address", printable(c.Address))
	}
	test := counterfoil.IPFilterTest{IP: c.Address}
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	if c.Filter != "" {
		test.ID, err = ipFilterID(ctx, api, s.within(c.Org), c.Filter)
	} else {
		var rules string
		rules, err = s.read(c.Rules)
		test.Rules = &rules
	}
	if err != nil {
		return err
	}
	result, err := api.TestIPFilter(ctx, s.within(c.Org), test)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(result)
	} else {
		err = s.tested(result)
	}
	if err == nil && !result.Allowed {
		err = errRefused
	}
	return err
}

func (s *session) tested(r counterfoil.IPFilterTestResult) error {
	verdict, by, shadowed := "denied", "no line matches, and no match denies", ""
	if r.Allowed {
		verdict = "allowed"
	}
	if r.Line > 0 {
		by = fmt.Sprintf("line %d: %s", r.Line, r.Rule)
	}
	for _, line := range r.ShadowedLines {
		shadowed += fmt.Sprintf("line %d\n", line)
	}
	return s.details("verdict", verdict, "decided by", by, "can never match", shadowed)
}
