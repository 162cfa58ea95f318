package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func memberPages() []page {
	const at = "/o/{org}/members"
	read, write := counterfoil.PermMembersRead, counterfoil.PermMembersWrite
	return []page{
		{method: get, path: at, who: member, needs: read, show: (*visit).membersList},
		{method: get, path: at + "/new", who: member, needs: write, fresh: true, show: (*visit).askInvite},
		{method: post, path: at + "/new", who: member, needs: write, fresh: true, form: "/members/new", show: (*visit).invite},
		{method: get, path: at + "/{id}", who: member, needs: read, show: (*visit).member},
		{method: post, path: at + "/{id}/roles", who: member, needs: write, fresh: true, form: "/members", show: (*visit).saveMemberRoles},
		{method: post, path: at + "/{id}/link", who: member, needs: write, fresh: true, form: "/members", show: (*visit).linkMember},
		{method: get, path: at + "/{id}/reset", who: member, needs: write, show: (*visit).askResetSignIn},
		{method: post, path: at + "/{id}/reset", who: member, needs: write, fresh: true, form: "/members", show: (*visit).resetSignIn},
		{method: get, path: at + "/{id}/suspend", who: member, needs: write, show: (*visit).askSuspend},
		{method: post, path: at + "/{id}/suspend", who: member, needs: write, fresh: true, form: "/members", show: (*visit).suspend},
		{method: post, path: at + "/{id}/reactivate", who: member, needs: write, fresh: true, form: "/members", show: (*visit).reactivate},
		{method: get, path: at + "/{id}/remove", who: member, needs: write, show: (*visit).askRemove},
		{method: post, path: at + "/{id}/remove", who: member, needs: write, fresh: true, form: "/members", show: (*visit).remove},
	}
}

// memberList is the list of members as the page shows it.
type memberList struct {
	path  string
	text  string
	page  counterfoil.Page[registry.MemberView]
	paged bool // not the first page
}

const membersPerPage = 50

func (v *visit) membersList() (err error) {
	l := memberList{path: v.path("/members"), text: v.field("q")}
	cursor := v.field("cursor")
	l.paged = cursor != ""
	if l.page, err = v.c.Registry.ViewMembers(v.r.Context(), v.caller(), v.org(), l.text, cursor, membersPerPage); err != nil {
		return err
	}
	return v.show(200, "Members", membersPage(v, &l))
}

func (l *memberList) to(cursor string) string {
	q := url.Values{}
	if l.text != "" {
		q.Set("q", l.text)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return l.path
	}
	return l.path + "?" + q.Encode()
}

func (l *memberList) first() string {
	if l.paged {
		return l.to("")
	}
	return ""
}

func (l *memberList) next() string {
	if l.page.NextCursor == nil {
		return ""
	}
	return l.to(*l.page.NextCursor)
}

// tellsTokens reports whether the person may see how many tokens members have.
func (l *memberList) tellsTokens() bool {
	return len(l.page.Data) > 0 && l.page.Data[0].LiveTokens != nil
}

func (l *memberList) tellsSignIn() bool { return len(l.page.Data) > 0 && l.page.Data[0].TellsSignIn }

func (v *visit) memberPath(id, rest string) string {
	return v.path("/members/%s%s", url.PathEscape(id), rest)
}

// memberShown is all that the page of one member shows.
type memberShown struct {
	registry.MemberView
	form   *form // their roles
	roles  []registry.RoleView
	tokens []counterfoil.Token // live ones; nil where the person may not see them
	more   bool                // than tokens holds
	// assigned is where a technician of a provider acts; nil for anybody else, and where the person may not see it
	assigned *counterfoil.Page[counterfoil.ManagedOrganization]
	blocked  string // why the person may change nothing of them; empty: they may
}

func (m *memberShown) invited() bool { return m.Status == counterfoil.MemberInvited }

func (m *memberShown) active() bool { return m.Status == counterfoil.MemberActive }

// endWord is how taking them out is called: somebody who has not joined is not removed.
func (m *memberShown) endWord() string {
	if m.invited() {
		return "Withdraw invitation"
	}
	return "Remove"
}

// keepsOwner says why they cannot be suspended, removed or demoted; empty: they can.
func (m *memberShown) keepsOwner() string {
	if m.LastOwner {
		return "This is the organization's last owner. Make another member owner first."
	}
	return ""
}

// findMember finds the member of the path with what stands in the person's way.
func (v *visit) findMember() (*memberShown, error) {
	found, err := v.c.Registry.ViewMember(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	m := &memberShown{MemberView: found}
	switch {
	case !v.may(counterfoil.PermMembersWrite):
		m.blocked = "Changing members takes the permission " + counterfoil.PermMembersWrite + ", which your roles do not hold."
	case slices.Contains(m.Roles, counterfoil.RoleOwner) && !slices.Contains(v.here.Roles, counterfoil.RoleOwner) && (v.in == nil || !v.in.Founds):
		m.blocked = "Only an owner of the organization acts on another owner."
	}
	return m, nil
}

func (v *visit) member() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	f := filled()
	f.values["roles"] = m.Roles
	return v.showMember(200, m, f)
}

func (v *visit) showMember(status int, m *memberShown, f *form) (err error) {
	ctx := v.r.Context()
	m.form = f
	if m.roles, err = v.c.Registry.ViewRoles(ctx, v.caller(), v.org()); err != nil {
		return err
	}
	if err := v.liveTokens(m); err != nil {
		return err
	}
	if err := v.readAssigned(m); err != nil {
		return err
	}
	return v.show(status, m.Name, memberPage(v, m))
}

// tokensShown is how many tokens of a member a page names.
const tokensShown = 50

// liveTokens finds what of a member's tokens works now, as far as the person may see it.
func (v *visit) liveTokens(m *memberShown) error {
	if m.LiveTokens == nil {
		return nil
	}
	page, err := v.c.Registry.ListTokens(v.r.Context(), v.caller(), v.org(),
		registry.TokenQuery{Kind: counterfoil.KindPersonal, Owner: m.ID, Status: counterfoil.StatusActive, Sort: "last_used_at", Limit: tokensShown})
	m.tokens, m.more = page.Data, page.NextCursor != nil
	return err
}

// itself reports whether a member is the person who looks.
func (v *visit) itself(m *memberShown) bool { return m.ID == v.here.MemberID }

// goneRoles are roles of a member that there are no more.
func (m *memberShown) goneRoles() (gone []string) {
	for _, name := range m.Roles {
		if !slices.ContainsFunc(m.roles, func(r registry.RoleView) bool { return r.Name == name }) {
			gone = append(gone, name)
		}
	}
	return gone
}

// holdsBy is what roles hold together.
func holdsBy(roles []registry.RoleView, names []string) (held counterfoil.Permissions) {
	for _, r := range roles {
		if slices.Contains(names, r.Name) {
			held = held.Union(r.Permissions)
		}
	}
	return held
}

// roleWords says what a role is for whoever gives it.
func roleWords(r *registry.RoleView) string {
	switch r.Name {
	case counterfoil.RoleOwner:
		return "Everything, and acts on other owners. An organization always keeps one."
	case counterfoil.RoleAdmin:
		return "Everything but acting on owners and deleting the organization."
	case counterfoil.RoleTechnician:
		if r.Source == "builtin" {
			return "Acts in the managed organizations that an admin assigns to them; no usage, no keys."
		}
	case counterfoil.RoleMember:
		return "What everybody gets: " + permissionsWords(r.Permissions) + "."
	}
	return permissionsWords(r.Permissions) + "."
}

// withheldWords says why the person may not give a role, without a long list.
func withheldWords(r *registry.RoleView) string {
	const most = 120
	if short, _, ok := strings.Cut(r.Withheld, ": "); ok && len(r.Withheld) > most {
		return short
	}
	return r.Withheld
}

func permissionsWords(p counterfoil.Permissions) string {
	switch len(p) {
	case 0:
		return "Nothing"
	case 1, 2, 3:
		return strings.Join(p, ", ")
	}
	return strings.Join(p[:2], ", ") + " and " + plural(int64(len(p)-2), "more permission")
}
