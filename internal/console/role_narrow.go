package console

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// roleNarrow is what is asked before a role is saved that holds less than the one before.
type roleNarrow struct {
	*roleForm
	lost    counterfoil.Permissions
	uses    []tokenStop // of the holders who are shown, as far as the person may see them
	partial bool        // not every token was looked at
}

// narrowsRole finds what the holders of a role and their tokens lose by the form; nil where nobody loses anything, and
// where the person has seen it.
func (v *visit) narrowsRole(r *roleForm) (*roleNarrow, error) {
	wanted := counterfoil.NewPermissions(r.values["permissions"]...)
	n := &roleNarrow{roleForm: r, lost: r.role.Permissions.Beyond(wanted).Beyond(r.stale()), partial: r.members > int64(len(r.holders))}
	if len(n.lost) == 0 || r.members == 0 || r.fixed != "" || r.get("step") == "save" {
		return nil, nil
	}
	roles, err := v.c.Registry.ViewRoles(v.r.Context(), v.caller(), v.org())
	if err != nil || !v.may(counterfoil.PermTokensRead) {
		return n, err
	}
	for i := range roles {
		if roles[i].ID == r.role.ID {
			roles[i].Permissions = wanted
		}
	}
	for _, m := range r.holders {
		page, err := v.c.Registry.ListTokens(v.r.Context(), v.caller(), v.org(),
			registry.TokenQuery{Kind: counterfoil.KindPersonal, Owner: m.ID, Status: counterfoil.StatusActive, Sort: "last_used_at", Limit: tokensShown})
		if err != nil {
			return nil, err
		}
		keep := holdsBy(roles, m.Roles)
		stops, err := v.stopsOf(page.Data, &keep)
		if err != nil {
			return nil, err
		}
		n.uses, n.partial = append(n.uses, stops...), n.partial || page.NextCursor != nil
		if len(n.uses) >= tokensShown {
			n.partial = true
			break
		}
	}
	return n, nil
}
