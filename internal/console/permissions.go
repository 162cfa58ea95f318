package console

import (
	"strings"
	"unicode"

	"github.com/counterfoil/counterfoil"
)

// group is the permissions of one group of the catalogue, in its order.
type group struct {
	name        string
	permissions []counterfoil.Permission
}

func groups(all []counterfoil.Permission) (out []group) {
	at := map[string]int{}
	for _, p := range all {
		name := p.Group
		if name == "" {
			name = "Other"
		}
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, group{name: name})
		}
		out[i].permissions = append(out[i].permissions, p)
	}
	return out
}

// chosenTitles are the titles of what is ticked, as they read within a sentence; past six, the rest is a number.
func (f *tokenForm) chosenTitles() (titles []string) {
	const most = 6
	for _, p := range f.offer.Permissions {
		if f.is("permissions", p.Name) {
			titles = append(titles, withinSentence(p))
		}
	}
	if more := len(titles) - most; more > 1 {
		titles = append(titles[:most], plural(int64(more), "other thing"))
	}
	return titles
}

func withinSentence(p counterfoil.Permission) string {
	if p.Title == "" {
		return p.Name
	}
	r := []rune(p.Title)
	if len(r) > 1 && unicode.IsUpper(r[1]) { // an abbreviation
		return p.Title
	}
	return strings.ToLower(string(r[:1])) + string(r[1:])
}

func (f *tokenForm) filterName() string {
	for _, x := range f.offer.IPFilters {
		if x.ID == f.get("ip_filter") {
			return x.Name
		}
	}
	return ""
}

// chipFault says why an expiry cannot be chosen; empty when it can.
func (f *tokenForm) chipFault(length int64) string {
	if f.tooLong(length) {
		return "longer than the " + seconds(*f.offer.Policy.MaxLifetimeSeconds) + " that the security policy allows"
	}
	return ""
}

func integrationName(i counterfoil.Integration) string {
	for _, s := range shelves {
		if s.integration == i && i != "" {
			return s.title
		}
	}
	return string(i)
}
