package console

import (
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

// namesakes are the names that several organizations of a list share: where one of them is shown, so is what tells it from
// the others.
type namesakes map[string]bool

func findNamesakes[T any](list []T, of func(*T) (name, id string)) namesakes {
	first, out := map[string]string{}, namesakes{}
	for i := range list {
		name, id := of(&list[i])
		name = strings.ToLower(name)
		if known, again := first[name]; again && known != id {
			out[name] = true
		}
		first[name] = id
	}
	return out
}

func (n namesakes) has(name string) bool { return n[strings.ToLower(name)] }

// ownNamesakes are those among the organizations that the person is a member of.
func (v *visit) ownNamesakes() namesakes {
	return findNamesakes(v.members, func(m *identity.Membership) (string, string) { return m.Organization.Name, m.Organization.ID })
}

func managedNamesakes(list []counterfoil.ManagedOrganization) namesakes {
	return findNamesakes(list, func(o *counterfoil.ManagedOrganization) (string, string) { return o.Name, o.ID })
}

func usageNamesakes(rows []counterfoil.Usage) namesakes {
	return findNamesakes(rows, func(u *counterfoil.Usage) (string, string) { return u.Organization.Name, u.Organization.ID })
}
