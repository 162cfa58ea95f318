package console

import (
	"errors"
	"net/url"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// maxRulesForm leaves room for a list that is far longer than a filter may be, so that the form can say so.
const maxRulesForm = 1 << 20

func ipFilterPages() []page {
	const read, write = counterfoil.PermIPFiltersRead, counterfoil.PermIPFiltersWrite
	return []page{
		{method: get, path: "/o/{org}/ip-filters", who: member, needs: read, show: (*visit).ipFilters},
		{method: get, path: "/o/{org}/ip-filters/new", who: member, needs: write, fresh: true, show: (*visit).newIPFilter},
		{method: post, path: "/o/{org}/ip-filters/new", who: member, needs: write, fresh: true, size: maxRulesForm, form: "/ip-filters/new", show: (*visit).createIPFilter},
		{method: post, path: "/o/{org}/ip-filters/new/check", who: member, needs: read, size: maxRulesForm, form: "/ip-filters/new", show: (*visit).checkIPFilter},
		{method: get, path: "/o/{org}/ip-filters/{id}", who: member, needs: read, show: (*visit).ipFilter},
		{method: post, path: "/o/{org}/ip-filters/{id}", who: member, needs: write, fresh: true, size: maxRulesForm, form: "/ip-filters", show: (*visit).saveIPFilter},
		{method: post, path: "/o/{org}/ip-filters/{id}/check", who: member, needs: read, size: maxRulesForm, form: "/ip-filters", show: (*visit).checkIPFilter},
		{method: get, path: "/o/{org}/ip-filters/{id}/delete", who: member, needs: write, fresh: true, show: (*visit).askDeleteIPFilter},
		{method: post, path: "/o/{org}/ip-filters/{id}/delete", who: member, needs: write, fresh: true, form: "/ip-filters", show: (*visit).deleteIPFilter},
	}
}

func (v *visit) ipFilterPath(id, rest string) string {
	return v.path("/ip-filters/%s%s", url.PathEscape(id), rest)
}

func (v *visit) ipFilters() error {
	all, err := v.c.Registry.IPFilters(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	uses, err := v.c.Registry.IPFilterUses(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	return v.show(200, "IP filters", ipFiltersPage(v, all, uses))
}

func (v *visit) showFilter(status int, f *filterForm) error {
	if err := v.lookAtRules(f); err != nil {
		return err
	}
	return v.show(status, f.title(), ipFilterPage(v, f))
}

func (v *visit) newIPFilter() error { return v.ipFilter() }

func (v *visit) ipFilter() error {
	f, err := v.filterForm(nil)
	if err != nil {
		return err
	}
	return v.showFilter(200, f)
}

// checkIPFilter says what the rules of the form come to: for a script that part alone.
func (v *visit) checkIPFilter() error {
	f, err := v.filterForm(newForm(v.r.PostForm))
	if err != nil {
		return err
	}
	if v.fragment() {
		if err := v.lookAtRules(f); err != nil {
			return err
		}
		return v.show(200, f.title(), rulesCheck(v, f))
	}
	return v.showFilter(200, f)
}

// filterFields says which field of the form a member of the request is.
var filterFields = map[string]string{"name": "name", "rules": "rules"}

// readable marks rules that cannot be read, which the check names line by line.
func (f *filterForm) readable() bool {
	if _, problems := counterfoil.ParseIPRules(f.rules()); len(problems) > 0 {
		f.wrong("rules", "put right the lines that the check names")
		return false
	}
	return true
}

func (v *visit) createIPFilter() error {
	f, err := v.filterForm(newForm(v.r.PostForm))
	if err != nil {
		return err
	}
	if !f.readable() {
		return v.showFilter(422, f)
	}
	made, err := v.c.Registry.CreateIPFilter(v.r.Context(), v.caller(), v.org(), counterfoil.IPFilterDraft{Name: f.name(), Rules: f.rules()})
	if err != nil {
		return v.filterRefused(f, err)
	}
	return v.say(v.path("/ip-filters"), "good", "Created “"+made.Name+"”. Nothing uses it yet: choose it on a token or in a security policy.", nil)
}

func (v *visit) saveIPFilter() error {
	f, err := v.filterForm(newForm(v.r.PostForm))
	if err != nil {
		return err
	}
	f.lockOut = f.values.Has("ask_lock_out")
	if f.get("version") != thousandless(f.version) {
		return v.filterStale(f)
	}
	if !f.readable() {
		return v.showFilter(422, f)
	}
	name, rules, seen := f.name(), f.rules(), f.get("seen")
	if err := v.lookAtRules(f); err != nil {
		return err
	}
	if f.preview != nil && f.preview.RefusedTokens > 0 && seen != seenMark(rules, f.version) {
		f.unseen = true
		return v.showFilter(200, f)
	}
	edit := counterfoil.IPFilterEdit{Name: &name, Rules: &rules}
	guard := registry.Guarded{Version: &f.version, AllowLockOut: f.is("allow_lock_out", "yes")}
	saved, receipt, err := v.c.Registry.EditIPFilter(v.r.Context(), v.caller(), v.org(), f.filter.ID, edit, guard)
	if err != nil {
		return v.filterRefused(f, err)
	}
	if saved.Version == f.version {
		return v.say(v.path("/ip-filters"), "", "Nothing was changed: the filter says this already.", nil)
	}
	return v.say(v.path("/ip-filters"), "good", "Saved “"+saved.Name+"”. It is in force for everything that uses it.", &receipt)
}

// filterRefused shows the form again with what was wrong with it.
func (v *visit) filterRefused(f *filterForm, err error) error {
	var refusal *counterfoil.Error
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case counterfoil.CodeVersionMismatch:
			return v.filterStale(f)
		case counterfoil.CodeWouldLockOut:
			f.lockOut = true
			return v.showFilter(409, f)
		case counterfoil.CodeNameTaken:
			f.wrong("name", refusal.Detail)
			return v.showFilter(409, f)
		}
	}
	if !f.take(err, filterFields) {
		return err
	}
	return v.showFilter(422, f)
}

// filterStale shows the form again beside what the filter is by now, which somebody else changed meanwhile.
func (v *visit) filterStale(f *filterForm) error {
	again, err := v.filterForm(f.form)
	if err != nil {
		return err
	}
	again.stale, again.lockOut = true, f.lockOut
	again.values.Set("version", thousandless(again.version))
	return v.showFilter(412, again)
}

func (v *visit) askDeleteIPFilter() error {
	f, err := v.filterForm(nil)
	if err != nil {
		return err
	}
	return v.show(200, "Delete "+f.filter.Name, deleteIPFilterPage(v, f))
}

func (v *visit) deleteIPFilter() error {
	f, err := v.filterForm(nil)
	if err != nil {
		return err
	}
	receipt, err := v.c.Registry.DeleteIPFilter(v.r.Context(), v.caller(), v.org(), f.filter.ID)
	if err != nil {
		return v.refused(v.ipFilterPath(f.filter.ID, ""), err)
	}
	return v.say(v.path("/ip-filters"), "good", "Deleted “"+f.filter.Name+"”.", &receipt)
}

// used reports whether anything uses a filter.
func used(u registry.IPFilterUse) bool { return len(u.Policies) > 0 || u.Tokens > 0 }

// useWords says what uses a filter: the policies first, in the order of their pages.
func useWords(u registry.IPFilterUse) string {
	var words []string
	for _, k := range policyKinds {
		if slices.Contains(u.Policies, k.kind) {
			words = append(words, "all "+k.noun())
		}
	}
	if u.Tokens > 0 {
		words = append(words, plural(u.Tokens, "token"))
	}
	return list(words)
}

func (f *filterForm) enforcedOn(kind counterfoil.Kind) bool {
	return slices.Contains(f.use.Policies, kind)
}
