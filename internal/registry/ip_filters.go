package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

var errNameTaken = counterfoil.Refuse(counterfoil.CodeNameTaken, "This name is in use in the organization.")

// IPFilters lists the organization's IP filters by name.
func (r *Registry) IPFilters(ctx context.Context, c Caller, org string) (list []counterfoil.IPFilter, err error) {
	list = []counterfoil.IPFilter{}
	err = r.view(ctx, c, org, OpReadIPFilters, func(w *work) error {
		for _, f := range w.rules.IPFilters {
			list = append(list, f.IPFilter)
		}
		return nil
	})
	return list, err
}

// IPFilter finds a filter by id.
func (r *Registry) IPFilter(ctx context.Context, c Caller, org, id string) (f store.IPFilter, err error) {
	err = r.view(ctx, c, org, OpReadIPFilters, func(w *work) (err error) {
		f, err = w.ipFilter(id)
		return err
	})
	return f, err
}

func (w *work) ipFilter(id string) (store.IPFilter, error) {
	for _, f := range w.rules.IPFilters {
		if f.ID == id {
			return f, nil
		}
	}
	return store.IPFilter{}, errNotFound
}

// IPFilterUse is what stands under a filter: the policies that enforce it, and how many tokens that are not revoked have it
// as their own.
type IPFilterUse struct {
	Policies []counterfoil.Kind
	Tokens   int64
}

// IPFilterUses says what uses the organization's filters, by their ids. A filter that nothing uses is not among them.
func (r *Registry) IPFilterUses(ctx context.Context, c Caller, org string) (uses map[string]IPFilterUse, err error) {
	err = r.view(ctx, c, org, OpReadIPFilters, func(w *work) (err error) {
		uses, err = w.ipFilterUses()
		return err
	})
	return uses, err
}

func (w *work) ipFilterUses() (map[string]IPFilterUse, error) {
	tokens, err := w.tx.IPFilterUsers()
	uses := map[string]IPFilterUse{}
	for id, n := range tokens {
		uses[id] = IPFilterUse{Tokens: n}
	}
	for _, p := range w.rules.Policies {
		if p.EnforcedIPFilter != nil {
			use := uses[*p.EnforcedIPFilter]
			use.Policies = append(use.Policies, p.Kind)
			uses[*p.EnforcedIPFilter] = use
		}
	}
	return uses, err
}

// CreateIPFilter adds a named filter (H5).
func (r *Registry) CreateIPFilter(ctx context.Context, c Caller, org string, draft counterfoil.IPFilterDraft) (counterfoil.IPFilter, error) {
	return create(r, ctx, c, org, OpCreateIPFilter, func(w *work) (f counterfoil.IPFilter, _ string, err error) {
		problems := filterNameProblem(draft.Name)
		if err := counterfoil.Invalid(append(problems, rulesProblems(draft.Rules)...)); err != nil {
			return f, "", err
		}
		f = counterfoil.IPFilter{ID: store.NewID("ipf"), Name: draft.Name, Rules: draft.Rules, CreatedAt: w.tx.Now().Time(), UpdatedAt: w.tx.Now().Time()}
		if err := w.tx.InsertIPFilter(f); err != nil {
			return f, "", taken(err)
		}
		w.record("ip_filters", "ip_filter_created", counterfoil.Target{Kind: "ip_filter", ID: f.ID, Name: f.Name}, map[string]any{"rules": f.Rules})
		return f, "", nil
	})
}

// filterNameProblem keeps names apart from ids, since either names a filter.
func filterNameProblem(name string) []counterfoil.Problem {
	if strings.HasPrefix(name, "ipf_") {
		return []counterfoil.Problem{invalid("/name", "a name does not begin with ipf_")}
	}
	return nameProblem("/name", name)
}

// rulesProblems checks the text of a filter's rules.
func rulesProblems(text string) []counterfoil.Problem {
	if utf8.RuneCountInString(text) > counterfoil.MaxIPRulesLength {
		return []counterfoil.Problem{invalid("/rules", fmt.Sprintf("the rules of an IP filter have at most %d characters", counterfoil.MaxIPRulesLength))}
	}
	_, found := counterfoil.ParseIPRules(text)
	return found
}

func taken(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return errNameTaken
	}
	return err
}

// EditIPFilter changes a filter's name or rules; the rules act at once on everything that uses it (H5).
func (r *Registry) EditIPFilter(ctx context.Context, c Caller, org, id string, edit counterfoil.IPFilterEdit, g Guarded) (f store.IPFilter, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpEditIPFilter, func(w *work) (err error) {
		if f, err = w.ipFilter(id); err != nil {
			return err
		}
		if err := g.check(f.Version); err != nil {
			return err
		}
		var problems []counterfoil.Problem
		var diff changed
		if edit.Name != nil {
			problems = filterNameProblem(*edit.Name)
			if *edit.Name != f.Name {
				diff.note("name", f.Name, *edit.Name)
				f.Name = *edit.Name
			}
		}
		if edit.Rules != nil {
			problems = append(problems, rulesProblems(*edit.Rules)...)
			if *edit.Rules != f.Rules {
				diff.note("rules", f.Rules, *edit.Rules)
				f.Rules = *edit.Rules
			}
		}
		if err := counterfoil.Invalid(problems); err != nil || !diff.any() {
			return err
		}
		compiled, _ := counterfoil.ParseIPRules(f.Rules)
		if err := w.lockOut(g, func(c *rules.Compiled) { c.Filters[f.ID] = compiled }); err != nil {
			return err
		}
		f.UpdatedAt = w.tx.Now().Time()
		if err := w.tx.UpdateIPFilter(f.IPFilter); err != nil {
			return taken(err)
		}
		f.Version++
		w.record("ip_filters", "ip_filter_updated", counterfoil.Target{Kind: "ip_filter", ID: f.ID, Name: f.Name}, diff.metadata())
		return nil
	})
	return f, receipt, err
}

// PreviewIPFilter says what other rules of a filter would refuse that is accepted now, judged against the recorded use of
// the last 30 days.
func (r *Registry) PreviewIPFilter(ctx context.Context, c Caller, org, id, text string) (preview counterfoil.PolicyPreview, err error) {
	_ = r.writeNotedUses() // the preview goes by what is written
	preview.Tokens = []counterfoil.RefusedToken{}
	err = r.view(ctx, c, org, OpPreviewIPFilter, func(w *work) error {
		if _, err := w.ipFilter(id); err != nil {
			return err
		}
		if err := counterfoil.Invalid(rulesProblems(text)); err != nil {
			return err
		}
		would := w.rules.Rules
		would.Filters = maps.Clone(would.Filters)
		would.Filters[id], _ = counterfoil.ParseIPRules(text)
		for _, p := range w.rules.Policies {
			only := id
			if p.EnforcedIPFilter != nil && *p.EnforcedIPFilter == id {
				only = ""
			}
			if err := w.preview(p.Kind, only, &would, &preview); err != nil {
				return err
			}
		}
		return nil
	})
	return preview, err
}

// DeleteIPFilter removes a filter that nothing uses.
func (r *Registry) DeleteIPFilter(ctx context.Context, c Caller, org, id string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, org, OpDeleteIPFilter, func(w *work) error {
		f, err := w.ipFilter(id)
		if err != nil {
			return err
		}
		uses, err := w.ipFilterUses()
		if err != nil {
			return err
		}
		if kinds := uses[f.ID].Policies; len(kinds) > 0 {
			return counterfoil.Refuse(counterfoil.CodeInUse, "The security policy for "+string(kinds[0])+" tokens enforces this IP filter.")
		}
		if uses[f.ID].Tokens > 0 {
			return counterfoil.Refuse(counterfoil.CodeInUse, "Tokens use this IP filter. Take it off them first: list them with ?ip_filter="+f.ID+".")
		}
		if err := w.tx.DeleteIPFilter(f.ID); err != nil {
			return err
		}
		w.record("ip_filters", "ip_filter_deleted", counterfoil.Target{Kind: "ip_filter", ID: f.ID, Name: f.Name}, map[string]any{"rules": f.Rules})
		return nil
	})
}

// TestIPFilter says what rules, stored or not, decide about an address, and which lines can never match (H5).
func (r *Registry) TestIPFilter(ctx context.Context, c Caller, org string, test counterfoil.IPFilterTest) (result counterfoil.IPFilterTestResult, err error) {
	err = r.view(ctx, c, org, OpReadIPFilters, func(w *work) error {
		var problems []counterfoil.Problem
		ip, err := netip.ParseAddr(test.IP)
		if err != nil {
			problems = append(problems, invalid("/ip", "this is not an IP address"))
		}
		text := ""
		switch {
		case (test.Rules == nil) == (test.ID == ""):
			problems = append(problems, invalid("/rules", "give either rules or the id of a filter"))
		case test.Rules != nil:
			text = *test.Rules
		default:
			f, err := w.ipFilter(test.ID)
			if err != nil {
				return err
			}
			text = f.Rules
		}
		compiled, found := counterfoil.ParseIPRules(text)
		if err := counterfoil.Invalid(append(problems, found...)); err != nil {
			return err
		}
		result.Allowed, result.Line, result.Rule = compiled.Decide(ip)
		result.ShadowedLines = append([]int{}, compiled.Shadowed()...)
		return nil
	})
	return result, err
}
