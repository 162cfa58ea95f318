package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

func cataloguePages() []page {
	return []page{{method: get, path: "/o/{org}/permissions", who: member, show: (*visit).catalogue}}
}

// catalogueList is the permissions that there are, as the page shows them.
type catalogueList struct {
	text   string // what is looked for
	held   string // yes: those that the person holds; no: the others; empty: all
	groups []group
	shown  int
	all    int
	roles  []counterfoil.Role // nil: the person may not read them
}

func (v *visit) catalogue() error {
	l := &catalogueList{text: v.field("q"), held: v.field("held")}
	all, err := v.c.Registry.Permissions(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	if v.may(counterfoil.PermMembersRead) {
		if l.roles, err = v.c.Registry.Roles(v.r.Context(), v.caller(), v.org()); err != nil {
			return err
		}
	}
	var chosen []counterfoil.Permission
	for _, p := range all {
		if l.wants(p.Permission, v.may(p.Name)) {
			chosen = append(chosen, p.Permission)
		}
	}
	l.groups, l.shown, l.all = groups(chosen), len(chosen), len(all)
	return v.show(200, "Permissions", cataloguePage(v, l))
}

// groupAnchor is where on the page a group stands.
func groupAnchor(prefix string, i int) string { return fmt.Sprintf("%sgroup-%d", prefix, i+1) }

// wants reports whether a permission is looked for: every word of the search stands somewhere in what is shown of it.
func (l *catalogueList) wants(p counterfoil.Permission, held bool) bool {
	if l.held == "yes" && !held || l.held == "no" && held {
		return false
	}
	said := strings.ToLower(strings.Join(append([]string{p.Name, p.Title, p.Group, p.Description}, p.Endpoints...), "\n"))
	for _, word := range strings.Fields(strings.ToLower(l.text)) {
		if !strings.Contains(said, word) {
			return false
		}
	}
	return true
}

// holders are the roles that hold a permission.
func (l *catalogueList) holders(name string) (out []counterfoil.Role) {
	for _, r := range l.roles {
		if r.Permissions.Has(name) {
			out = append(out, r)
		}
	}
	return out
}

// kindWords says which kinds of token may hold a permission.
func kindWords(p counterfoil.Permission) string {
	var words []string
	for _, k := range policyKinds {
		if slices.Contains(p.Kinds, k.kind) {
			words = append(words, string(k.kind))
		}
	}
	if len(words) == 0 {
		return "None but system tokens"
	}
	return strings.ToUpper(words[0][:1]) + list(words)[1:]
}
