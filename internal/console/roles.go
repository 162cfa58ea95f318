package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func rolePages() []page {
	const at = "/o/{org}/roles"
	read, write := counterfoil.PermMembersRead, counterfoil.PermMembersWrite
	return []page{
		{method: get, path: at, who: member, needs: read, show: (*visit).rolesList},
		{method: get, path: at + "/new", who: member, needs: write, fresh: true, show: (*visit).newRole},
		{method: post, path: at + "/new", who: member, needs: write, fresh: true, form: "/roles/new", show: (*visit).createRole},
		{method: get, path: at + "/{id}", who: member, needs: read, show: (*visit).role},
		{method: post, path: at + "/{id}", who: member, needs: write, fresh: true, form: "/roles", show: (*visit).saveRole},
		{method: get, path: at + "/{id}/delete", who: member, needs: write, show: (*visit).askDeleteRole},
		{method: post, path: at + "/{id}/delete", who: member, needs: write, fresh: true, form: "/roles", show: (*visit).deleteRole},
	}
}

func (v *visit) rolesList() error {
	roles, err := v.c.Registry.ViewRoles(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	return v.show(200, "Roles", rolesPage(v, roles))
}

func (v *visit) rolePath(id, rest string) string {
	return v.path("/roles/%s%s", url.PathEscape(id), rest)
}

// roleForm is the form that makes or edits a role, and the page of a role that cannot be edited.
type roleForm struct {
	*form
	role    counterfoil.Role // zero: a new one
	version int64
	all     []counterfoil.Permission // the catalogue
	offered []counterfoil.Permission // of it, what the person may hand on
	holders []counterfoil.Member     // the first of those who hold it
	members int64                    // who hold it
	fixed   string                   // why it cannot be edited by this person; empty: it can
}

const holdersShown = 20

// roleForm finds a role by its id with all that its page shows; empty: a new one.
func (v *visit) roleForm(id string, f *form) (*roleForm, error) {
	ctx, r := v.r.Context(), &roleForm{form: f}
	catalogue, err := v.c.Registry.Permissions(ctx, v.caller(), v.org())
	if err != nil {
		return nil, err
	}
	var may []string
	for _, p := range catalogue {
		r.all = append(r.all, p.Permission)
		if p.Grantable {
			may = append(may, p.Name)
			r.offered = append(r.offered, p.Permission)
		}
	}
	if id == "" {
		return r, nil
	}
	found, err := v.c.Registry.Role(ctx, v.caller(), v.org(), id)
	if err != nil {
		return nil, err
	}
	r.role, r.version = found.Role, found.Version
	if r.holders, err = v.c.Registry.MembersWith(ctx, v.caller(), v.org(), r.role.Name, holdersShown); err != nil {
		return nil, err
	}
	roles, err := v.c.Registry.ViewRoles(ctx, v.caller(), v.org())
	for _, other := range roles {
		if other.ID == r.role.ID {
			r.members = other.Members
		}
	}
	r.fixed = v.fixedRole(r, counterfoil.NewPermissions(may...))
	return r, err
}

// fixedRole says why the person cannot edit a role.
func (v *visit) fixedRole(r *roleForm, may counterfoil.Permissions) string {
	beyond := r.role.Permissions.Beyond(may).Beyond(r.stale())
	switch {
	case r.role.Source == "builtin":
		return "This role is built in: what it holds follows from the catalogue."
	case r.role.Source == "catalogue":
		return "This role comes from the product's catalogue, and is the same in every organization."
	case !v.may(counterfoil.PermMembersWrite):
		return "Changing roles takes the permission " + counterfoil.PermMembersWrite + ", which your roles do not hold."
	case len(beyond) > 0:
		return "This role holds " + list(beyond) + ", which you do not hold, so it is not yours to change."
	}
	return ""
}

// stale is what the role holds and the catalogue has no more.
func (r *roleForm) stale() (gone counterfoil.Permissions) {
	known := make([]string, len(r.all))
	for i, p := range r.all {
		known[i] = p.Name
	}
	return r.role.Permissions.Beyond(counterfoil.NewPermissions(known...))
}

// held is what the role holds, as the catalogue has it.
func (r *roleForm) held() (list []counterfoil.Permission) {
	for _, p := range r.all {
		if r.role.Permissions.Has(p.Name) {
			list = append(list, p)
		}
	}
	return list
}

func (v *visit) newRole() error {
	r, err := v.roleForm("", filled("once", rand.Text()))
	if err != nil {
		return err
	}
	return v.show(200, "Create role", newRolePage(v, r))
}

var roleFields = map[string]string{"name": "name", "permissions": "permissions"}

func (v *visit) createRole() error {
	f := newForm(v.r.PostForm)
	draft := counterfoil.RoleDraft{Name: v.field("name"), Permissions: f.values["permissions"]}
	caller := v.caller()
	if key := f.get("once"); key != "" { // sent twice, it makes one role
		sum := sha256.Sum256(fmt.Append(nil, draft.Name, draft.Permissions))
		caller.Once = &registry.Once{Key: key[:min(len(key), 64)], Digest: hex.EncodeToString(sum[:])}
	}
	role, err := v.c.Registry.CreateRole(v.r.Context(), caller, v.org(), draft)
	if err == nil {
		return v.say(v.rolePath(role.ID, ""), "good", "The role is there. Give it to members on their pages.", nil)
	}
	r, fault := v.roleForm("", f)
	if fault != nil {
		return fault
	}
	if !f.take(err, roleFields) {
		return err
	}
	return v.show(422, "Create role", newRolePage(v, r))
}

func (v *visit) role() error {
	r, err := v.roleForm(v.r.PathValue("id"), filled())
	if err != nil {
		return err
	}
	r.values["permissions"] = r.role.Permissions
	return v.show(200, r.role.Name, rolePage(v, r))
}

func (v *visit) saveRole() error {
	f := newForm(v.r.PostForm)
	r, err := v.roleForm(v.r.PathValue("id"), f)
	if err != nil {
		return err
	}
	if n, err := v.narrowsRole(r); err != nil || n != nil {
		if err != nil {
			return err
		}
		return v.show(200, r.role.Name, narrowRolePage(v, n))
	}
	version, err := strconv.ParseInt(f.get("version"), 10, 64)
	if err != nil {
		version = r.version - 1 // a form without it knows no version
	}
	_, receipt, err := v.c.Registry.EditRole(v.r.Context(), v.caller(), v.org(), r.role.ID,
		counterfoil.RoleEdit{Permissions: f.values["permissions"]}, registry.Guarded{Version: &version})
	var refusal *counterfoil.Error
	switch {
	case err == nil:
		return v.say(v.rolePath(r.role.ID, ""), "good", "Saved. It holds for every member who has the role.", &receipt)
	case errors.As(err, &refusal) && refusal.Code == counterfoil.CodeVersionMismatch:
		f.other = append(f.other, "Somebody else changed this role while you had it open. It holds now: "+nowHolds(r.role.Permissions)+". What you chose is below; saving again replaces theirs.")
		return v.show(409, r.role.Name, rolePage(v, r))
	case r.fixed != "":
		return v.refused(v.rolePath(r.role.ID, ""), err)
	case !f.take(err, roleFields):
		return err
	}
	return v.show(422, r.role.Name, rolePage(v, r))
}

func nowHolds(p counterfoil.Permissions) string {
	if len(p) == 0 {
		return "nothing"
	}
	return list(p)
}

func (v *visit) askDeleteRole() error {
	r, err := v.roleForm(v.r.PathValue("id"), filled())
	if err != nil {
		return err
	}
	if r.fixed != "" && r.role.Source != "organization" {
		return v.say(v.rolePath(r.role.ID, ""), "bad", r.fixed, nil)
	}
	return v.show(200, "Delete "+r.role.Name, deleteRolePage(v, r))
}

func (v *visit) deleteRole() error {
	id := v.r.PathValue("id")
	r, err := v.c.Registry.Role(v.r.Context(), v.caller(), v.org(), id)
	if err != nil {
		return err
	}
	receipt, err := v.c.Registry.DeleteRole(v.r.Context(), v.caller(), v.org(), id)
	if err != nil {
		return v.refused(v.rolePath(id, ""), err)
	}
	return v.say(v.path("/roles"), "good", "The role “"+r.Name+"” was deleted.", &receipt)
}

// sourceWords says where a role comes from.
func sourceWords(source string) string {
	switch source {
	case "builtin":
		return "Built in"
	case "catalogue":
		return "From the catalogue"
	}
	return "This organization's"
}

// sourceWords says what kind of role it is.
func (r *roleForm) sourceWords() string {
	switch r.role.Source {
	case "builtin":
		return "A built-in role"
	case "catalogue":
		return "A role of the catalogue"
	}
	return "A role of this organization's own"
}

// roleHolds is the short form of what a role holds.
func roleHolds(r *counterfoil.Role) string {
	if r.Name == counterfoil.RoleOwner || r.Name == counterfoil.RoleAdmin {
		return "Everything that a person can hold"
	}
	return shown(r.Permissions)
}
