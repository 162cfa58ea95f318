package console

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// tokenView is all that the page of one token shows.
type tokenView struct {
	*counterfoil.Token
	shelf  *shelf
	titles []counterfoil.Permission // of what it holds and, of what it could hold, what it does not
	uses   []registry.TokenUse
	past   *tokenHistory // nil: not for this person
	old    counterfoil.PreviousValue
}

// without is what the token could hold and does not.
func (t *tokenView) without() []counterfoil.Permission {
	return only(t.titles, func(p *counterfoil.Permission) bool { return !t.Permissions.Has(p.Name) })
}

// findToken finds the token of the path.
func (v *visit) findToken() (*counterfoil.Token, error) {
	t, err := v.c.Registry.Token(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"))
	return &t, err
}

func (v *visit) token() error {
	old, err := v.c.Registry.PreviousValue(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id")) // first: it has uses written, of which the others tell
	if err != nil {
		return err
	}
	t, err := v.findToken()
	if err != nil {
		return err
	}
	show := &tokenView{Token: t, shelf: shelfOf(t), old: old}
	if show.uses, err = v.c.Registry.TokenUses(v.r.Context(), v.caller(), v.org(), t.ID); err != nil {
		return err
	}
	if show.past, err = v.history(t); err != nil {
		return err
	}
	all, err := v.c.Registry.Permissions(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	for _, p := range all {
		if slices.Contains(p.Kinds, t.Kind) && registry.Usable(p.Name, v.here.Organization.Provider) || t.Permissions.Has(p.Name) {
			show.titles = append(show.titles, p.Permission)
		}
	}
	return v.show(200, t.Name, tokenPage(v, show))
}

// own reports whether the token is the person's own.
func (v *visit) own(t *counterfoil.Token) bool {
	return t.Owner != nil && t.Owner.ID == v.here.MemberID
}

// mayEdit and mayAct say what to show; the registry decides.
func (v *visit) mayEdit(t *counterfoil.Token) bool {
	return v.own(t) || (t.Kind != counterfoil.KindPersonal && v.may(counterfoil.PermTokensWrite))
}

func (v *visit) mayAct(t *counterfoil.Token) bool {
	return v.own(t) || v.may(counterfoil.PermTokensWrite)
}

// killWord is how the end of a token is called where people look for it: personal and organization tokens are deleted
// (P8, H4), those of integrations revoked (N5).
func (v *visit) killWord(t *counterfoil.Token) string {
	if t.Kind == counterfoil.KindIntegration || !v.own(t) && t.Kind == counterfoil.KindPersonal {
		return "Revoke"
	}
	return "Delete"
}

func (v *visit) editToken() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	f := filled("name", t.Name, "expiry", "keep", "expiry_unit", "days")
	f.values["permissions"] = t.Permissions
	if t.IPFilter != nil {
		f.values.Set("ip_filter", t.IPFilter.ID)
	}
	form, err := v.tokenForm(shelfOf(t), f, t)
	if err != nil {
		return err
	}
	return v.show(200, "Edit "+t.Name, editTokenPage(v, form))
}

func (v *visit) saveToken() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	f, err := v.tokenForm(shelfOf(t), newForm(v.r.PostForm), t)
	if err != nil {
		return err
	}
	edit := f.edit(v.now())
	if !f.bad() {
		face, receipt, err := v.c.Registry.EditToken(v.r.Context(), v.caller(), v.org(), t.ID, edit)
		if err == nil {
			return v.say(v.tokenPath(&face, ""), "good", "Saved. The value of the token stays the same.", &receipt)
		}
		if !f.take(err, tokenFields) {
			return err
		}
	}
	return v.show(422, "Edit "+t.Name, editTokenPage(v, f))
}

// edit is what the form changes of its token. What the form did not show it does not change.
func (f *tokenForm) edit(now time.Time) (e counterfoil.Edit) {
	if name := strings.TrimSpace(f.get("name")); name != f.token.Name {
		e.Name = &name
	}
	if f.integrates() {
		return e
	}
	shown := counterfoil.NewPermissions()
	for _, p := range f.offer.Permissions {
		shown = append(shown, p.Name)
	}
	wanted := counterfoil.NewPermissions(append(slices.Clone(f.values["permissions"]), f.token.Permissions.Beyond(counterfoil.NewPermissions(shown...))...)...)
	if !slices.Equal(wanted, f.token.Permissions) {
		names := []string(wanted)
		e.Permissions = &names
	}
	if choice := f.get("expiry"); choice != "keep" && choice != "" {
		in, chosen := f.chosenExpiry(now)
		at := time.Time{}
		if in > 0 {
			at = now.Add(time.Duration(in) * time.Second)
		}
		if chosen {
			e.ExpiresAt = &at
		}
	}
	before := ""
	if f.token.IPFilter != nil {
		before = f.token.IPFilter.ID
	}
	if filter := f.get("ip_filter"); filter != before && f.values.Has("ip_filter") {
		e.IPFilter = &filter
	}
	return e
}

func (v *visit) pause() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	paused := v.field("paused") == "true"
	_, receipt, err := v.c.Registry.EditToken(v.r.Context(), v.caller(), v.org(), t.ID, counterfoil.Edit{Paused: &paused})
	if err != nil {
		return v.refused(v.tokenPath(t, ""), err)
	}
	if paused {
		return v.say(v.tokenPath(t, ""), "good", "Paused. It is refused until it is resumed.", &receipt)
	}
	return v.say(v.tokenPath(t, ""), "good", "Resumed. It works again.", nil)
}

// refused says on the page that somebody came from why an act was refused; a failure is a page of its own.
func (v *visit) refused(to string, err error) error {
	f := filled()
	if !f.take(err, nil) {
		return err
	}
	return v.say(to, "bad", strings.Join(f.other, " "), nil)
}

// graces are how long an old value may go on, in seconds (H4).
var graces = []struct {
	seconds int64
	text    string
}{{0, "At once"}, {3600, "After an hour"}, {86400, "After a day"}, {3 * 86400, "After 3 days"}, {registry.MaxGrace, "After 7 days"}}

func (v *visit) askRotate() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	return v.show(200, "Rotate "+t.Name, rotatePage(v, t, filled("grace", "86400")))
}

func (v *visit) rotate() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	f := newForm(v.r.PostForm)
	grace, err := strconv.ParseInt(f.get("grace"), 10, 64)
	if err != nil {
		f.wrong("grace", "choose when the old value stops")
		return v.show(422, "Rotate "+t.Name, rotatePage(v, t, f))
	}
	rotated, err := v.c.Registry.RotateToken(v.r.Context(), v.caller(), v.org(), t.ID, grace)
	if err != nil {
		if !f.take(err, map[string]string{"grace_seconds": "grace"}) {
			return err
		}
		return v.show(422, "Rotate "+t.Name, rotatePage(v, t, f))
	}
	return v.show(200, "Save the new value", revealPage(v, &reveal{shelf: shelfOf(t), token: &rotated.Token, secret: rotated.Secret, rotated: true, receipt: &rotated.Receipt}))
}

func (v *visit) askRevoke() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	uses, err := v.c.Registry.TokenUses(v.r.Context(), v.caller(), v.org(), t.ID)
	if err != nil {
		return err
	}
	return v.show(200, v.killWord(t)+" "+t.Name, revokePage(v, t, uses))
}

func (v *visit) revoke() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	revoked, err := v.c.Registry.RevokeToken(v.r.Context(), v.caller(), v.org(), t.ID, v.field("reason"))
	if err != nil {
		return v.refused(v.tokenPath(t, ""), err)
	}
	to := v.path("%s", shelfOf(t).path)
	if t.Owner != nil && !v.own(t) {
		to = v.path("/all-tokens")
	}
	return v.say(to, "good", "“"+t.Name+"” was revoked "+moment(v.now(), revoked.Receipt.RevokedAt)+".", &revoked.Receipt)
}

// addressUse is how often a token was used from one address.
type addressUse struct {
	ip    string // empty: none was named
	count int64
	last  time.Time // the day
}

// byAddress adds up uses by address, most used first.
func byAddress(uses []registry.TokenUse) (out []addressUse) {
	at := map[string]int{}
	for _, u := range uses {
		i, ok := at[u.IP]
		if !ok {
			i = len(out)
			at[u.IP] = i
			out = append(out, addressUse{ip: u.IP})
		}
		out[i].count += u.Count
		if d := u.Day.Time(); d.After(out[i].last) {
			out[i].last = d
		}
	}
	slices.SortStableFunc(out, func(a, b addressUse) int { return cmp.Compare(b.count, a.count) })
	return out
}

// usedWords says what a token was used for lately, for whoever is about to end it.
func usedWords(uses []registry.TokenUse, now time.Time) string {
	if len(uses) == 0 {
		return "It was not used in the last 30 days."
	}
	var total, lately int64
	for _, u := range uses {
		total += u.Count
		if now.Sub(u.Day.Time()) < 48*time.Hour {
			lately += u.Count
		}
	}
	addresses := byAddress(uses)
	from := "one address"
	if n := len(addresses); n > 1 {
		from = thousands(int64(n)) + " addresses"
	}
	words := "It was accepted " + times(total) + " in the last 30 days from " + from
	return words + ", " + times(lately) + " since yesterday. What uses it will be refused at once."
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return thousands(n) + " times"
}
