package registry

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Members lists an organization's members, oldest first.
func (r *Registry) Members(ctx context.Context, c Caller, org, text, cursor string, limit int) (page counterfoil.Page[counterfoil.Member], err error) {
	page.Data = []counterfoil.Member{}
	err = r.view(ctx, c, org, OpReadMembers, func(w *work) error {
		list, err := w.tx.Members(text, cursor, limit+1)
		if err != nil {
			return err
		}
		if len(list) > limit {
			list = list[:limit]
			page.NextCursor = &list[limit-1].ID
		}
		for _, m := range list {
			page.Data = append(page.Data, m.Member)
		}
		return nil
	})
	return page, err
}

// Member finds one member.
func (r *Registry) Member(ctx context.Context, c Caller, org, id string) (m counterfoil.Member, err error) {
	err = r.view(ctx, c, org, OpReadMembers, func(w *work) error {
		found, ok, err := w.tx.Member(id)
		if err == nil && !ok {
			err = errNotFound
		}
		m = found.Member
		return err
	})
	return m, err
}

// AddMember invites a person to the organization.
func (r *Registry) AddMember(ctx context.Context, c Caller, org string, draft counterfoil.MemberDraft) (counterfoil.Member, error) {
	return create(r, ctx, c, org, OpAddMember, func(w *work) (counterfoil.Member, string, error) {
		m, err := w.addMember(draft)
		return m, "", err
	})
}

func (w *work) addMember(draft counterfoil.MemberDraft) (m counterfoil.Member, err error) {
	problems := personNameProblem("/name", draft.Name)
	if !validEmail(draft.Email) {
		problems = append(problems, invalid("/email", "this is not an e-mail address"))
	}
	problems = append(problems, w.assignProblems(draft.Roles)...)
	if err := counterfoil.Invalid(problems); err != nil {
		return m, err
	}
	m = counterfoil.Member{Email: draft.Email, Name: draft.Name, Roles: roleSet(draft.Roles), Status: counterfoil.MemberInvited}
	if draft.ExternalID != "" {
		m.ExternalID = &draft.ExternalID
	}
	made, err := w.tx.InsertMember(m)
	if errors.Is(err, store.ErrTaken) {
		return m, counterfoil.Refuse(counterfoil.CodeNameTaken, "A member of this organization has this e-mail address.")
	} else if err != nil {
		return m, err
	}
	w.record("invites", "user_invited", memberTarget(made.Member), map[string]any{"email": made.Email, "roles": made.Roles})
	return made.Member, nil
}

func memberTarget(m counterfoil.Member) counterfoil.Target {
	return counterfoil.Target{Kind: "member", ID: m.ID, Name: m.Email}
}

func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == "" && len(s) <= 254 && !strings.ContainsAny(s, " \t\r\n\"<>")
}

func roleSet(names []string) []string { return counterfoil.NewPermissions(names...) }

// assignProblems checks the roles that the caller wants a member to hold: known, and handing on no more than the caller
// holds (S7). Only an owner, or the instance, makes owners.
func (w *work) assignProblems(roles []string) (problems []counterfoil.Problem) {
	grants := w.grants()
	for i, name := range roles {
		pointer := fmt.Sprintf("/roles/%d", i)
		held, known := w.rules.Role(name)
		if known && w.technicians(name) {
			held, _ = w.rules.Role(counterfoil.RoleAdmin)
		}
		switch {
		case !known:
			problems = append(problems, invalid(pointer, fmt.Sprintf("there is no role %.100q", name)))
		case name == counterfoil.RoleOwner && !w.isOwner():
			problems = append(problems, counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodePermissionNotHeld, Detail: "only an owner makes another"})
		case len(held.Within(w.rules.Catalogue.People()).Beyond(grants)) > 0 && !w.personHolds(held):
			problems = append(problems, counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodePermissionNotHeld,
				Detail: "the role holds permissions that you do not: " + strings.Join(held.Beyond(grants), ", ")})
		}
	}
	return problems
}

// personHolds reports whether a credential that may hold everything a token of its kind can covers held: permissions
// that no personal token may have are left out of the comparison.
func (w *work) personHolds(held counterfoil.Permissions) bool {
	var place counterfoil.Permissions
	switch {
	case w.visitor != nil:
		place = w.visitor.holds
	case w.member.ID != "":
		place = w.rules.Holds(w.member.Roles)
	default:
		return false
	}
	catalogue := w.rules.Catalogue
	return len(held.Within(catalogue.ForKind(counterfoil.KindPersonal)).Beyond(w.holds)) == 0 && len(held.Beyond(place)) == 0
}

// technicians reports whether a role is the one of a provider's technicians. What they do elsewhere is an admin's to hand on:
// whoever may make an admin may make a technician, and assign organizations.
func (w *work) technicians(role string) bool {
	return role == counterfoil.RoleTechnician && w.rules.Org.Provider
}

// memberToChange finds a member that the caller may act on: an admin never acts on an owner.
func (w *work) memberToChange(id string) (counterfoil.Member, error) {
	m, found, err := w.tx.Member(id)
	if err != nil {
		return m.Member, err
	}
	if !found {
		return m.Member, errNotFound
	}
	if slices.Contains(m.Roles, counterfoil.RoleOwner) && !w.isOwner() {
		return m.Member, counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only an owner of the organization acts on another owner.")
	}
	return m.Member, nil
}

// keepOwner refuses to take the last active owner away from the organization.
func (w *work) keepOwner(before, after counterfoil.Member) error {
	was := before.Status == counterfoil.MemberActive && slices.Contains(before.Roles, counterfoil.RoleOwner)
	is := after.Status == counterfoil.MemberActive && slices.Contains(after.Roles, counterfoil.RoleOwner)
	if !was || is {
		return nil
	}
	others, err := w.tx.OtherOwners(before.ID)
	if err != nil || others > 0 {
		return err
	}
	return counterfoil.Refuse(counterfoil.CodeLastOwner, "This is the organization's last owner. Make another member owner first.")
}

// EditMember changes a member's roles or status. What their tokens may do changes with it, at once (P7, P10).
func (r *Registry) EditMember(ctx context.Context, c Caller, org, id string, edit counterfoil.MemberEdit) (m counterfoil.Member, receipt counterfoil.Receipt, err error) {
	receipt, err = r.do(ctx, c, org, OpEditMember, func(w *work) error {
		before, err := w.memberToChange(id)
		if err != nil {
			return err
		}
		m = before
		var problems []counterfoil.Problem
		if edit.Roles != nil {
			m.Roles = roleSet(*edit.Roles)
			problems = w.assignProblems(*edit.Roles)
		}
		if edit.Status != nil {
			m.Status = *edit.Status
			if m.Status == counterfoil.MemberActive && before.Status != counterfoil.MemberActive && edit.Roles == nil {
				for _, p := range w.assignProblems(m.Roles) { // handing back what the member's roles hold
					problems = append(problems, counterfoil.Problem{Pointer: "/status", Code: p.Code, Detail: p.Detail})
				}
			}
			if m.Status == counterfoil.MemberInvited && before.Status != counterfoil.MemberInvited {
				problems = append(problems, invalid("/status", "a member who has joined is active or suspended"))
			}
		}
		if err := counterfoil.Invalid(problems); err != nil {
			return err
		}
		if err := w.keepOwner(before, m); err != nil {
			return err
		}
		rolesChanged, statusChanged := !slices.Equal(before.Roles, m.Roles), before.Status != m.Status
		if !rolesChanged && !statusChanged {
			return nil
		}
		if err := w.tx.UpdateMember(m); err != nil {
			return err
		}
		if err := w.voidLinks(m); err != nil {
			return err
		}
		if rolesChanged {
			w.record("roles", "user_role_updated", memberTarget(m), map[string]any{"before": before.Roles, "after": m.Roles})
		}
		if statusChanged {
			w.record("access", "user_status_updated", memberTarget(m), map[string]any{"before": before.Status, "after": m.Status})
		}
		return nil
	})
	return m, receipt, err
}

// RemoveMember takes a member out of the organization; their tokens are revoked with it (P10).
func (r *Registry) RemoveMember(ctx context.Context, c Caller, org, id string) (counterfoil.Receipt, error) {
	return r.do(ctx, c, org, OpRemoveMember, func(w *work) error {
		m, err := w.memberToChange(id)
		if err != nil {
			return err
		}
		gone := m
		gone.Status = counterfoil.MemberSuspended
		if err := w.keepOwner(m, gone); err != nil {
			return err
		}
		w.receiptID = store.NewID("rcp")
		tokens, err := w.tx.RevokeTokens(m.ID, w.actorID(), "its owner has left the organization", w.receiptID)
		if err != nil {
			return err
		}
		if err := w.tx.DeleteMember(m.ID); err != nil {
			return err
		}
		if err := w.voidLinks(m); err != nil {
			return err
		}
		w.record("invites", "user_invite_removed", memberTarget(m), map[string]any{"email": m.Email, "status": m.Status, "roles": m.Roles, "tokens_revoked": len(tokens)})
		for _, t := range tokens {
			w.ended(&t, false)
			w.recordToken(t, "token_revoked", map[string]any{"reason": t.RevokedReason})
		}
		return nil
	})
}
