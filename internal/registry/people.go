package registry

import (
	"context"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// MemberView is a member with what a page about people shows beside the record.
type MemberView struct {
	counterfoil.Member
	LiveTokens  *int64     // nil: the caller may not see their tokens
	TellsSignIn bool       // the caller may read the log, which SignedInAt is from
	SignedInAt  *time.Time // nil: the log does not tell
	NoSignIn    bool       // is in the log, as far as it is kept
	LastOwner   bool       // of the organization, which keeps one
}

// ViewMembers lists members as Members does. Only ViewMember says who is the last owner.
func (r *Registry) ViewMembers(ctx context.Context, c Caller, org, text, cursor string, limit int) (page counterfoil.Page[MemberView], err error) {
	err = r.view(ctx, c, org, OpReadMembers, func(w *work) error {
		list, err := w.tx.Members(text, cursor, limit+1)
		if err != nil {
			return err
		}
		if len(list) > limit {
			list = list[:limit]
			page.NextCursor = &list[limit-1].ID
		}
		page.Data, err = w.viewsOf(list)
		return err
	})
	return page, err
}

// ViewMember finds one member.
func (r *Registry) ViewMember(ctx context.Context, c Caller, org, id string) (m MemberView, err error) {
	err = r.view(ctx, c, org, OpReadMembers, func(w *work) error {
		found, ok, err := w.tx.Member(id)
		if err != nil {
			return err
		}
		if !ok {
			return errNotFound
		}
		views, err := w.viewsOf([]store.Member{found})
		if err != nil {
			return err
		}
		m = views[0]
		if m.Status == counterfoil.MemberActive && slices.Contains(m.Roles, counterfoil.RoleOwner) {
			others, err := w.tx.OtherOwners(m.ID)
			m.LastOwner = others == 0
			return err
		}
		return nil
	})
	return m, err
}

func (w *work) viewsOf(list []store.Member) (views []MemberView, err error) {
	var live map[string]int64
	if w.has(counterfoil.PermTokensRead) {
		ids := make([]string, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		if live, err = w.tx.LiveTokens(ids, w.longest()); err != nil {
			return nil, err
		}
	}
	for _, m := range list {
		v := MemberView{Member: m.Member}
		if w.has(counterfoil.PermTokensRead) {
			n := live[m.ID]
			v.LiveTokens = &n
		}
		if w.has(counterfoil.PermActivityRead) {
			at, all, err := w.tx.LastSignIn(store.UUID(m.UserID))
			if err != nil {
				return nil, err
			}
			v.TellsSignIn, v.SignedInAt, v.NoSignIn = true, at.Ptr(), all && at == 0
		}
		views = append(views, v)
	}
	return views, nil
}

// RoleView is a role with how many members hold it, and why the caller may not give it to one; empty: they may.
type RoleView struct {
	counterfoil.Role
	Members  int64
	Withheld string
}

// ViewRoles lists roles as Roles does.
func (r *Registry) ViewRoles(ctx context.Context, c Caller, org string) (views []RoleView, err error) {
	err = r.view(ctx, c, org, OpReadRoles, func(w *work) error {
		counts, err := w.tx.RoleCounts()
		if err != nil {
			return err
		}
		for _, role := range w.roles() {
			v := RoleView{Role: role, Members: counts[role.Name]}
			if problems := w.assignProblems([]string{role.Name}); len(problems) > 0 {
				v.Withheld = problems[0].Detail
			}
			views = append(views, v)
		}
		return nil
	})
	return views, err
}

// MembersWith lists members who hold a role, oldest first.
func (r *Registry) MembersWith(ctx context.Context, c Caller, org, role string, limit int) (members []counterfoil.Member, err error) {
	err = r.view(ctx, c, org, OpReadMembers, func(w *work) error {
		list, err := w.tx.MembersWith(role, limit)
		for _, m := range list {
			members = append(members, m.Member)
		}
		return err
	})
	return members, err
}
