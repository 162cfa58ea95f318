package console

import (
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// filterForm is the form of one IP filter, with what its rules come to.
type filterForm struct {
	*form
	filter  *counterfoil.IPFilter // as it is stored; nil for a new one
	version int64                 // of filter
	use     registry.IPFilterUse
	tokens  []counterfoil.Token // the first of those that use it
	check   filterCheck
	preview *counterfoil.PolicyPreview // nil: nothing uses it, or nothing is changed
	unseen  bool                       // Save was pressed before the preview of these very rules was shown
	stale   bool                       // somebody else changed the filter while the form was open
	lockOut bool                       // to be asked whether locking oneself out is meant
}

// filterForm reads the filter of the path; values is what was filled in, nil for what is stored.
func (v *visit) filterForm(values *form) (*filterForm, error) {
	f := &filterForm{form: values}
	id := v.r.PathValue("id")
	if id == "" {
		if values == nil {
			f.form = filled()
		}
		return f, nil
	}
	stored, err := v.c.Registry.IPFilter(v.r.Context(), v.caller(), v.org(), id)
	if err != nil {
		return nil, err
	}
	f.filter, f.version = &stored.IPFilter, stored.Version
	if values == nil {
		f.form = filled("name", stored.Name, "rules", stored.Rules, "version", thousandless(stored.Version))
	}
	if !f.values.Has("rules") { // the form of whoever may not write
		f.values.Set("rules", stored.Rules)
	}
	uses, err := v.c.Registry.IPFilterUses(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return nil, err
	}
	f.use = uses[id]
	if f.use.Tokens > 0 && v.may(counterfoil.PermTokensRead) {
		page, err := v.c.Registry.ListTokens(v.r.Context(), v.caller(), v.org(), registry.TokenQuery{IPFilter: id, Sort: "name", Limit: 10})
		if err != nil {
			return nil, err
		}
		f.tokens = page.Data
	}
	return f, nil
}

// rules is the text of the rules with the line ends that are stored: browsers send others.
func (f *filterForm) rules() string {
	return strings.ReplaceAll(f.get("rules"), "\r\n", "\n")
}

func (f *filterForm) name() string { return strings.TrimSpace(f.get("name")) }

func (f *filterForm) path(v *visit) string {
	if f.filter == nil {
		return v.path("/ip-filters/new")
	}
	return v.ipFilterPath(f.filter.ID, "")
}

func (f *filterForm) title() string {
	if f.filter == nil {
		return "Create IP filter"
	}
	return f.filter.Name
}

// lookAtRules fills in what the rules of the form come to and would refuse, and notes them as seen.
func (v *visit) lookAtRules(f *filterForm) error {
	f.check = v.checkRules(f)
	rules := f.rules()
	if f.filter == nil || !used(f.use) || rules == f.filter.Rules || !f.check.takeable() || !v.may(counterfoil.PermIPFiltersWrite) {
		return nil
	}
	preview, err := v.c.Registry.PreviewIPFilter(v.r.Context(), v.caller(), v.org(), f.filter.ID, rules)
	f.preview = &preview
	f.values.Set("seen", seenMark(rules, f.version))
	return err
}
