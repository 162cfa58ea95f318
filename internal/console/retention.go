package console

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

func retentionPages() []page {
	needs := counterfoil.PermOrganizationsRead
	return []page{
		{method: get, path: "/o/{org}/retention", who: member, needs: needs, show: (*visit).retention},
		{method: post, path: "/o/{org}/retention/check", who: member, needs: needs, show: (*visit).checkRetention},
		{method: post, path: "/o/{org}/retention", who: member, needs: counterfoil.PermOrganizationsWrite, fresh: true, form: "/retention", show: (*visit).saveRetention},
	}
}

// retentionForm is for how long the organization's log is kept, and what another choice would remove.
type retentionForm struct {
	*form
	stored  counterfoil.Retention
	removes int64 // entries that the choice of the form would remove
	before  time.Time
}

// How the log can be kept, as the form says it.
const (
	keepAsInstance = "instance"
	keepForEver    = "ever"
	keepDays       = "after"
)

// mostRetentionDays is the longest retention that is not for ever.
const mostRetentionDays = 36_500

func (v *visit) retention() error {
	stored, err := v.c.Registry.Retention(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	f := filled("keep", keepAsInstance, "keep_n", "365")
	switch {
	case stored.Days == nil:
	case *stored.Days == 0:
		f.values.Set("keep", keepForEver)
	default:
		f.values.Set("keep", keepDays)
		f.values.Set("keep_n", thousandless(*stored.Days))
	}
	return v.showRetention(200, &retentionForm{form: f, stored: stored})
}

func (v *visit) showRetention(status int, f *retentionForm) error {
	return v.show(status, "Retention of the log", retentionPage(v, f))
}

// filledRetention reads the form, and what it would remove.
func (v *visit) filledRetention() (f *retentionForm, days *int64, err error) {
	f = &retentionForm{form: newForm(v.r.PostForm)}
	if f.stored, err = v.c.Registry.Retention(v.r.Context(), v.caller(), v.org()); err != nil {
		return nil, nil, err
	}
	switch f.get("keep") {
	case keepAsInstance:
	case keepForEver:
		days = new(int64)
	case keepDays:
		n, err := strconv.ParseInt(f.get("keep_n"), 10, 64)
		if err != nil || n < counterfoil.LeastRetentionDays || n > mostRetentionDays {
			f.wrong("keep", fmt.Sprintf("give at least %d days and at most %s", counterfoil.LeastRetentionDays, thousands(mostRetentionDays)))
			return f, nil, nil
		}
		days = &n
	default:
		f.wrong("keep", "choose one")
		return f, nil, nil
	}
	f.removes, f.before, err = v.c.Registry.PreviewRetention(v.r.Context(), v.caller(), v.org(), days)
	return f, days, err
}

// checkRetention says what a choice would remove, for the form's script, or as the whole page where there is none.
func (v *visit) checkRetention() error {
	f, _, err := v.filledRetention()
	if err != nil {
		return err
	}
	if v.fragment() {
		return v.show(200, "Retention of the log", retentionCheck(v, f))
	}
	return v.showRetention(200, f)
}

func (v *visit) saveRetention() error {
	f, days, err := v.filledRetention()
	if err != nil {
		return err
	}
	if f.bad() {
		return v.showRetention(422, f)
	}
	if f.removes > 0 && !f.is("remove", "yes") {
		f.wrong("remove", "say that they may go: nothing is saved yet")
		return v.showRetention(409, f)
	}
	stored, err := v.c.Registry.SetRetention(v.r.Context(), v.caller(), v.org(), days)
	if err != nil {
		if !f.take(err, map[string]string{"days": "keep"}) {
			return err
		}
		return v.showRetention(422, f)
	}
	return v.say(v.path("/retention"), "good", "Saved. The log is kept "+keptWords(stored.EffectiveDays)+".", nil)
}

// decidesRetention reports whether the person may say for how long the log is kept: of people, owners alone.
func (v *visit) decidesRetention() bool {
	return slices.Contains(v.here.Roles, counterfoil.RoleOwner) && v.may(counterfoil.PermOrganizationsWrite)
}

func keptWords(days int64) string {
	if days <= 0 {
		return "for ever"
	}
	return "for " + plural(days, "day")
}
