package registry

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Roles lists the built-in roles, the catalogue's and the organization's own.
func (r *Registry) Roles(ctx context.Context, c Caller, org string) (list []counterfoil.Role, err error) {
	err = r.view(ctx, c, org, OpReadRoles, func(w *work) error {
		list = w.roles()
		return nil
	})
	return list, err
}

func (w *work) roles() (list []counterfoil.Role) {
	for _, name := range []string{counterfoil.RoleOwner, counterfoil.RoleAdmin, counterfoil.RoleTechnician, counterfoil.RoleMember} {
		if w.builtin(name) {
			list = append(list, w.fixedRole(name, "builtin"))
		}
	}
	for _, role := range w.rules.Catalogue.Roles() {
		if !w.builtin(role.Name) {
			list = append(list, w.fixedRole(role.Name, "catalogue"))
		}
	}
	for _, role := range w.rules.OwnRoles {
		if !w.builtin(role.Name) {
			list = append(list, role.Role)
		}
	}
	return list
}

func (w *work) fixedRole(name, source string) counterfoil.Role {
	held, _ := w.rules.Role(name)
	return counterfoil.Role{ID: "rol_" + name, Name: name, Permissions: held, Source: source}
}

// ownRole finds a role of the organization's own by its id or name; the others cannot be changed.
func (w *work) ownRole(idOrName string) (store.Role, error) {
	for _, role := range w.rules.OwnRoles {
		if role.ID == idOrName || role.Name == idOrName {
			return role, nil
		}
	}
	if _, fixed := w.rules.Role(strings.TrimPrefix(idOrName, "rol_")); fixed {
		return store.Role{}, counterfoil.Refuse(counterfoil.CodeInUse, "Built-in roles and those of the catalogue cannot be changed here.")
	}
	return store.Role{}, errNotFound
}

// Role finds one role, whatever its source, by its id or name, with its version (0 for those that cannot be edited).
func (r *Registry) Role(ctx context.Context, c Caller, org, idOrName string) (role store.Role, err error) {
	err = r.view(ctx, c, org, OpReadRoles, func(w *work) error {
		for _, own := range w.rules.OwnRoles {
			if own.ID == idOrName || own.Name == idOrName && !w.builtin(idOrName) {
				role = own
				return nil
			}
		}
		name := strings.TrimPrefix(idOrName, "rol_")
		if _, ok := w.rules.Role(name); !ok {
			return errNotFound
		}
		source := "catalogue"
		if w.builtin(name) {
			source = "builtin"
		}
		role.Role = w.fixedRole(name, source)
		return nil
	})
	return role, err
}

// builtin reports whether a role is built in here.
func (w *work) builtin(name string) bool {
	return name == counterfoil.RoleOwner || name == counterfoil.RoleAdmin || name == counterfoil.RoleMember || w.technicians(name)
}

var roleName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// CreateRole adds a role. It may hold no more than its maker does (S7).
func (r *Registry) CreateRole(ctx context.Context, c Caller, org string, draft counterfoil.RoleDraft) (counterfoil.Role, error) {
	return create(r, ctx, c, org, OpCreateRole, func(w *work) (role counterfoil.Role, _ string, err error) {
		var problems []counterfoil.Problem
		if !roleName.MatchString(draft.Name) {
			problems = append(problems, invalid("/name", "a role's name is lower-case letters, digits, - and _, at most 63"))
		}
		problems = append(problems, w.roleProblems(draft.Permissions)...)
		if err := counterfoil.Invalid(problems); err != nil {
			return role, "", err
		}
		if _, exists := w.rules.Role(draft.Name); exists {
			return role, "", errNameTaken
		}
		role = counterfoil.Role{ID: store.NewID("rol"), Name: draft.Name, Permissions: counterfoil.NewPermissions(draft.Permissions...), Source: "organization"}
		if err := w.tx.InsertRole(role); err != nil {
			return role, "", taken(err)
		}
		w.record("roles", "role_created", counterfoil.Target{Kind: "role", ID: role.ID, Name: role.Name}, map[string]any{"permissions": role.Permissions})
		return role, "", nil
	})
}

// roleProblems checks the permissions of a role: known, for people, and held by the caller.
func (w *work) roleProblems(permissions []string) (problems []counterfoil.Problem) {
	people, grants := w.rules.Catalogue.People(), w.grants()
	for i, name := range permissions {
		pointer := fmt.Sprintf("/permissions/%d", i)
		_, known := w.rules.Catalogue.Lookup(name)
		switch {
		case !known:
			problems = append(problems, invalid(pointer, fmt.Sprintf("there is no permission %.100q", name)))
		case !people.Has(name) || !grants.Has(name):
			problems = append(problems, counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodePermissionNotHeld, Detail: "you cannot hand on " + name})
		}
	}
	return problems
}

// EditRole sets a role's permissions, for every member who holds it.
func (r *Registry) EditRole(ctx context.Context, c Caller, org, idOrName string, edit counterfoil.RoleEdit, g Guarded) (role store.Role, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpEditRole, func(w *work) (err error) {
		if role, err = w.ownRole(idOrName); err != nil {
			return err
		}
		if err := g.check(role.Version); err != nil {
			return err
		}
		if err := counterfoil.Invalid(w.roleProblems(edit.Permissions)); err != nil {
			return err
		}
		before, after := role.Permissions, counterfoil.NewPermissions(edit.Permissions...)
		if len(before.Beyond(after)) == 0 && len(after.Beyond(before)) == 0 {
			return nil
		}
		role.Permissions = after
		if err := w.tx.UpdateRole(role.Role); err != nil {
			return err
		}
		role.Version++
		var diff changed
		diff.note("permissions", before, after)
		w.record("roles", "role_updated", counterfoil.Target{Kind: "role", ID: role.ID, Name: role.Name}, diff.metadata())
		return nil
	})
	return role, receipt, err
}

// DeleteRole removes a role that no member holds.
func (r *Registry) DeleteRole(ctx context.Context, c Caller, org, idOrName string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, org, OpDeleteRole, func(w *work) error {
		role, err := w.ownRole(idOrName)
		if err != nil {
			return err
		}
		holders, err := w.tx.RoleHolders(role.Name)
		if err != nil {
			return err
		}
		switch {
		case holders == 1:
			return counterfoil.Refuse(counterfoil.CodeInUse, "One member holds this role. Take it off them first.")
		case holders > 1:
			return counterfoil.Refuse(counterfoil.CodeInUse, fmt.Sprintf("%d members hold this role. Take it off them first.", holders))
		}
		if err := w.tx.DeleteRole(role.ID); err != nil {
			return err
		}
		w.record("roles", "role_deleted", counterfoil.Target{Kind: "role", ID: role.ID, Name: role.Name}, map[string]any{"permissions": role.Permissions})
		return nil
	})
}
