package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Provision is a person whom an organization's identity provider vouches for.
type Provision struct {
	Provider    string // its name in the configuration
	Email, Name string
	Roles       []string
	// Sync: the member has exactly Roles from now on; else Roles are those of a new member only. Owner is made or unmade
	// only where Owners says that the provider decides that too.
	Sync, Owners bool
}

// ProvisionMember finds or makes the member that a person is, active, with the roles that the provider says; within then
// signs them in. Whoever was suspended stays so, and the last owner stays owner.
func (r *Registry) ProvisionMember(ctx context.Context, from Origin, org string, p Provision, within func(tx *store.Tx, m counterfoil.Member) error) error {
	_, err := r.do(ctx, from.operator(), org, OpProvisionMember, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		for _, role := range p.Roles {
			if _, known := w.rules.Role(role); !known {
				return fmt.Errorf("the configuration of the identity provider %s: the organization has no role %q", p.Provider, role)
			}
		}
		found, known, err := w.tx.MemberByEmail(p.Email)
		if err != nil {
			return err
		}
		m := found.Member
		if known {
			m, err = w.follow(m, p)
		} else {
			m, err = w.join(p)
		}
		if err != nil {
			return err
		}
		return within(w.tx, m)
	})
	return err
}

// join makes a member of somebody new.
func (w *work) join(p Provision) (counterfoil.Member, error) {
	m := counterfoil.Member{Email: p.Email, Name: p.Name, Roles: roleSet(p.Roles), Status: counterfoil.MemberActive}
	if !p.Owners {
		m.Roles = without(m.Roles, counterfoil.RoleOwner)
	}
	if !validEmail(m.Email) || len(personNameProblem("/name", m.Name)) > 0 {
		return m, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "Your identity provider gave no usable name and e-mail address.")
	}
	made, err := w.tx.InsertMember(m)
	if err != nil {
		return m, err
	}
	metadata := map[string]any{"email": made.Email, "roles": made.Roles, "provider": p.Provider}
	w.record("invites", "user_invited", memberTarget(made.Member), metadata)
	w.record("invites", "user_invite_accepted", memberTarget(made.Member), metadata)
	return made.Member, nil
}

// follow brings a member in line with what the provider says.
func (w *work) follow(before counterfoil.Member, p Provision) (counterfoil.Member, error) {
	m := before
	switch m.Status {
	case counterfoil.MemberSuspended:
		return m, counterfoil.Refuse(counterfoil.CodeOwnerInactive, "Your membership is suspended. An owner or admin of the organization can tell you why.")
	case counterfoil.MemberInvited:
		m.Status = counterfoil.MemberActive
	}
	if p.Sync {
		m.Roles = roleSet(p.Roles)
		if !p.Owners {
			m.Roles = without(m.Roles, counterfoil.RoleOwner)
			if slices.Contains(before.Roles, counterfoil.RoleOwner) {
				m.Roles = roleSet(append(m.Roles, counterfoil.RoleOwner))
			}
		}
		if err := w.keepOwner(before, m); errors.Is(err, counterfoil.Refuse(counterfoil.CodeLastOwner, "")) {
			m.Roles = roleSet(append(m.Roles, counterfoil.RoleOwner))
		} else if err != nil {
			return m, err
		}
	}
	rolesChanged := !slices.Equal(roleSet(before.Roles), m.Roles) && p.Sync
	if m.Status == before.Status && !rolesChanged {
		return m, nil
	}
	if err := w.tx.UpdateMember(m); err != nil {
		return m, err
	}
	if err := w.voidLinks(m); err != nil {
		return m, err
	}
	if m.Status != before.Status {
		w.record("invites", "user_invite_accepted", memberTarget(m), map[string]any{"roles": m.Roles, "provider": p.Provider})
	}
	if rolesChanged {
		w.record("roles", "user_role_updated", memberTarget(m), map[string]any{"before": before.Roles, "after": m.Roles, "provider": p.Provider})
	}
	return m, nil
}

func without(roles []string, role string) []string {
	return slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return r == role })
}
