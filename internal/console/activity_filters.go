package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// offers are what the filters of the activity log suggest, as far as the person may see it.
type offers struct {
	members []counterfoil.Member
	tokens  []counterfoil.Token
	types   [][2]string // the product's own: type and title
}

const (
	mostOffers  = 200
	mostChoices = 20
)

func (v *visit) activityOffers() (o offers, err error) {
	ctx := v.r.Context()
	if v.may(counterfoil.PermMembersRead) {
		people, err := v.c.Registry.Members(ctx, v.caller(), v.org(), "", "", mostOffers)
		if err != nil {
			return o, err
		}
		o.members = people.Data
	}
	if v.may(counterfoil.PermTokensRead) {
		tokens, err := v.c.Registry.ListTokens(ctx, v.caller(), v.org(), registry.TokenQuery{Sort: "name", Limit: mostOffers})
		if err != nil {
			return o, err
		}
		o.tokens = tokens.Data
	}
	types, err := v.c.Registry.EventTypes(ctx, v.caller(), v.org())
	for _, t := range types {
		if !slices.ContainsFunc(eventTypes, func(known [2]string) bool { return known[0] == t }) {
			o.types = append(o.types, [2]string{t, humanized(t)})
		}
	}
	return o, err
}

// rare reports whether a category is neither among those of the service nor among those that the product has written: it
// came with an address, such as one that names an action too.
func (o *offers) rare(category string) bool {
	is := func(t [2]string) bool { return t[0] == category }
	return category != "" && !slices.ContainsFunc(eventTypes, is) && !slices.ContainsFunc(o.types, is)
}

// choice is one of the things that somebody may have meant.
type choice struct{ to, name, detail string }

// choices are the things that somebody may have meant; empty: there is no doubt.
type choices struct {
	title string
	list  []choice
}

// resolveMember finds whom somebody means by a name, or by a part of one or of an address. An e-mail address and an id
// stand for themselves: the log knows people who are no members.
func (v *visit) resolveMember(l *activityList) error {
	said := l.query.Actor
	prefix, _, _ := strings.Cut(said, "_")
	if said == "" || said == "system" || slices.Contains([]string{"mem", "usr", "tok"}, prefix) || strings.Contains(said, "@") || !v.may(counterfoil.PermMembersRead) {
		return nil
	}
	people, err := v.c.Registry.Members(v.r.Context(), v.caller(), v.org(), said, "", mostChoices)
	if err != nil || len(people.Data) == 0 { // the id of a person of the product's own
		return err
	}
	found := people.Data
	if named := only(found, func(m *counterfoil.Member) bool { return strings.EqualFold(m.Name, said) }); len(named) > 0 {
		found = named
	}
	if len(found) == 1 {
		l.query.Actor = found[0].Email
		return nil
	}
	l.form.wrong("member", "several people are meant by this: choose one below")
	l.choices.title = "Which member?"
	for i := range found {
		l.choices.list = append(l.choices.list, choice{l.address(l.path, "member", found[i].Email), found[i].Name, found[i].Email})
	}
	return nil
}

// resolveToken finds which token the field "token" of a form means by a name, a part of one, or the shown part of a value;
// nil for none, and for an id of one that is gone. Where it means several they are the choices, and where it is none or
// several the form says so. Address is the page with another value of the field.
func (v *visit) resolveToken(f *form, address func(more ...string) string) (*counterfoil.Token, choices, error) {
	said := strings.TrimSpace(f.get("token"))
	if said == "" || !v.may(counterfoil.PermTokensRead) {
		return nil, choices{}, nil
	}
	found, err := v.findTokens(said)
	if err != nil {
		return nil, choices{}, err
	}
	if byID := only(found, func(t *counterfoil.Token) bool { return t.ID == said }); len(byID) == 1 {
		found = byID
	}
	switch {
	case len(found) == 1:
		return &found[0], choices{}, nil
	case strings.HasPrefix(said, "tok_"):
		return nil, choices{}, nil
	case len(found) == 0:
		f.wrong("token", "no token is called so: give a name, the shown part of a value, or an id")
		return nil, choices{}, nil
	}
	f.wrong("token", "several tokens are meant by this: choose one below")
	which := choices{title: "Which token?"}
	for i := range found {
		t := &found[i]
		which.list = append(which.list, choice{address("token", t.ID), t.Name, t.Hint + ", " + ownerName(t) + ", created " + date(t.CreatedAt)})
	}
	return nil, which, nil
}

// findTokens lists tokens, revoked ones among them, that are called so; where none is, those of whom it is a part of the
// name, the id or the shown part of the value.
func (v *visit) findTokens(text string) (found []counterfoil.Token, err error) {
	text, _, _ = strings.Cut(text, "…") // a hint is shown with its middle left out
	for _, status := range []counterfoil.Status{"", counterfoil.StatusRevoked} {
		page, err := v.c.Registry.ListTokens(v.r.Context(), v.caller(), v.org(), registry.TokenQuery{Text: text, Status: status, Limit: mostChoices})
		if err != nil {
			return nil, err
		}
		found = append(found, page.Data...)
	}
	if named := only(found, func(t *counterfoil.Token) bool { return strings.EqualFold(t.Name, text) }); len(named) > 0 {
		return named, nil
	}
	slices.SortStableFunc(found, func(a, b counterfoil.Token) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return found, nil
}

// only is those of a list that are so.
func only[T any](list []T, so func(*T) bool) (out []T) {
	for i := range list {
		if so(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}
