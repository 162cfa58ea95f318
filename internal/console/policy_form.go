package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// policyForm is the form of one policy, with what it would refuse.
type policyForm struct {
	*form
	policyKind
	stored  counterfoil.PolicyTerms
	version int64 // of stored
	filters filterNames
	preview *counterfoil.PolicyPreview // nil: there is nothing to preview
	changes []change                   // of stored
	unseen  bool                       // Save was pressed before the preview of these very terms was shown
	stale   bool                       // somebody else changed the policy while the form was open
	lockOut bool                       // to be asked whether locking oneself out is meant
}

// policyFields says which field of the form a member of the request is.
var policyFields = map[string]string{"max_lifetime_seconds": "max", "default_lifetime_seconds": "default", "enforced_ip_filter": "enforced_ip_filter"}

// policyForm reads the policy of the path; values is what was filled in, nil for what is stored.
func (v *visit) policyForm(values *form) (*policyForm, error) {
	kind, err := v.policyKind()
	if err != nil {
		return nil, err
	}
	p, err := v.c.Registry.Policy(v.r.Context(), v.caller(), v.org(), kind.kind)
	if err != nil {
		return nil, err
	}
	f := &policyForm{form: values, policyKind: kind, stored: p.PolicyTerms, version: p.Version}
	if f.filters, err = v.filters(); err != nil {
		return nil, err
	}
	if values == nil {
		f.form = filledPolicy(p.PolicyTerms, p.Version)
	}
	return f, nil
}

func (f *policyForm) path(v *visit) string { return v.path("/policies/%s", f.kind) }

// policyFlags are the terms that are ticked or not.
func policyFlags(t *counterfoil.PolicyTerms) map[string]*bool {
	return map[string]*bool{"allowed": &t.Allowed, "expiry_required": &t.ExpiryRequired,
		"custom_ip_filter_allowed": &t.CustomIPFilterAllowed, "permission_updates_allowed": &t.PermissionUpdatesAllowed}
}

// lifetimeUnits are the units that a lifetime is given in, longest first. Seconds are there for what a program set.
var lifetimeUnits = []struct {
	name    string
	seconds int64
}{{"days", 86400}, {"hours", 3600}, {"minutes", 60}, {"seconds", 1}}

func filledPolicy(t counterfoil.PolicyTerms, version int64) *form {
	f := filled("version", thousandless(version))
	for name, on := range policyFlags(&t) {
		if *on {
			f.values.Set(name, "yes")
		}
	}
	lifetime := func(name string, seconds *int64) {
		f.values.Set(name, "none")
		f.values.Set(name+"_unit", "days")
		if seconds == nil {
			return
		}
		f.values.Set(name, "after")
		for _, u := range lifetimeUnits {
			if *seconds%u.seconds == 0 {
				f.values.Set(name+"_n", thousandless(*seconds/u.seconds))
				f.values.Set(name+"_unit", u.name)
				return
			}
		}
	}
	lifetime("max", t.MaxLifetimeSeconds)
	lifetime("default", t.DefaultLifetimeSeconds)
	if t.EnforcedIPFilter != nil {
		f.values.Set("enforced_ip_filter", *t.EnforcedIPFilter)
	}
	return f
}

// terms reads the form. What it cannot read it marks.
func (f *policyForm) terms() (t counterfoil.PolicyTerms) {
	for name, on := range policyFlags(&t) {
		*on = f.is(name, "yes")
	}
	t.MaxLifetimeSeconds, t.DefaultLifetimeSeconds = f.lifetime("max"), f.lifetime("default")
	if id := f.get("enforced_ip_filter"); id != "" {
		t.EnforcedIPFilter = &id
	}
	return t
}

func (f *policyForm) lifetime(name string) *int64 {
	if f.get(name) != "after" {
		return nil
	}
	n, err := strconv.ParseInt(f.get(name+"_n"), 10, 32)
	for _, u := range lifetimeUnits {
		if u.name == f.get(name+"_unit") && err == nil && n > 0 {
			n *= u.seconds
			return &n
		}
	}
	f.wrong(name, "give a whole number of minutes, hours or days")
	return nil
}

// seen names terms and the policy that they were compared with: a form that was previewed sends it back.
func (f *policyForm) seen(t counterfoil.PolicyTerms) string {
	raw, err := json.Marshal(t)
	if err != nil {
		return ""
	}
	return seenMark(string(raw), f.version)
}

// seenMark names what was shown: what a form asks for, and the version that it was compared with.
func seenMark(asked string, version int64) string {
	sum := sha256.Sum256(fmt.Append(nil, version, " ", asked))
	return hex.EncodeToString(sum[:8])
}

// look reads the form, fills in what its terms would change and refuse, and notes them as seen.
func (v *visit) look(f *policyForm) (counterfoil.PolicyTerms, error) {
	terms := f.terms()
	if f.bad() {
		return terms, nil
	}
	f.values.Set("seen", f.seen(terms))
	if f.seen(terms) == f.seen(f.stored) {
		return terms, nil
	}
	f.changes = policyChanges(f.stored, terms, f.filters)
	preview, err := v.c.Registry.PreviewPolicy(v.r.Context(), v.caller(), v.org(), f.kind, func(counterfoil.PolicyTerms) counterfoil.PolicyTerms { return terms })
	if err != nil {
		if !f.take(err, policyFields) {
			return terms, err
		}
		return terms, nil
	}
	f.preview = &preview
	return terms, nil
}

func (v *visit) policy() error {
	f, err := v.policyForm(nil)
	if err != nil {
		return err
	}
	f.values.Set("seen", f.seen(f.stored))
	return v.show(200, f.title, policyPage(v, f))
}

// previewPolicy shows what the form would refuse: for a script that part alone.
func (v *visit) previewPolicy() error {
	f, err := v.policyForm(newForm(v.r.PostForm))
	if err != nil {
		return err
	}
	if _, err := v.look(f); err != nil {
		return err
	}
	switch {
	case v.fragment():
		return v.show(200, f.title, policyPreview(v, f))
	case f.bad():
		return v.show(422, f.title, policyPage(v, f))
	}
	return v.show(200, f.title, policyPage(v, f))
}

// savePolicy saves what was previewed; what was not is shown first.
func (v *visit) savePolicy() error {
	f, err := v.policyForm(newForm(v.r.PostForm))
	if err != nil {
		return err
	}
	sent, seen := f.get("version"), f.get("seen")
	if f.lockOut = f.values.Has("ask_lock_out"); sent != thousandless(f.version) {
		return v.policyStale(f)
	}
	terms, err := v.look(f)
	if err != nil {
		return err
	}
	switch {
	case f.bad():
		return v.show(422, f.title, policyPage(v, f))
	case seen != f.seen(terms):
		f.unseen = true
		return v.show(200, f.title, policyPage(v, f))
	case f.preview == nil:
		return v.say(v.path("/policies"), "", "Nothing was changed: the policy says this already.", nil)
	}
	guard := registry.Guarded{Version: &f.version, AllowLockOut: f.is("allow_lock_out", "yes")}
	var receipt counterfoil.Receipt
	_, receipt, err = v.c.Registry.SetPolicy(v.r.Context(), v.caller(), v.org(), f.kind, func(counterfoil.PolicyTerms) counterfoil.PolicyTerms { return terms }, guard)
	var refusal *counterfoil.Error
	switch {
	case err == nil:
		return v.say(v.path("/policies"), "good", f.savedWords(), &receipt)
	case errors.As(err, &refusal) && refusal.Code == counterfoil.CodeVersionMismatch:
		return v.policyStale(f)
	case errors.As(err, &refusal) && refusal.Code == counterfoil.CodeWouldLockOut:
		f.lockOut = true
		return v.show(409, f.title, policyPage(v, f))
	case !f.take(err, policyFields):
		return err
	}
	return v.show(422, f.title, policyPage(v, f))
}

func (f *policyForm) savedWords() string {
	words := "Saved. The policy for " + f.noun() + " is in force."
	if f.preview != nil && f.preview.RefusedTokens > 0 {
		words += " It refuses " + plural(int64(f.preview.RefusedTokens), "token") + " that worked before."
	}
	return words
}

// policyStale shows the form again over what the policy says by now, which somebody else changed meanwhile.
func (v *visit) policyStale(f *policyForm) error {
	again, err := v.policyForm(f.form)
	if err != nil {
		return err
	}
	again.stale, again.lockOut = true, f.lockOut
	again.values.Set("version", thousandless(again.version))
	if _, err := v.look(again); err != nil {
		return err
	}
	return v.show(412, again.title, policyPage(v, again))
}
