package console

import (
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// stopping is what ends, or narrows, with a change of a member.
type stopping struct {
	*memberShown
	uses []tokenStop
	lost counterfoil.Permissions // by a change of roles; empty for a member who is stopped whole
}

// tokenStop is a token that stops, or may do less.
type tokenStop struct {
	counterfoil.Token
	recent []registry.TokenUse
	lost   counterfoil.Permissions
}

// stops finds what a change of a member ends: all of it, or what of their tokens is not within what they keep.
func (v *visit) stops(m *memberShown, keep *counterfoil.Permissions) (*stopping, error) {
	s := &stopping{memberShown: m}
	if err := v.liveTokens(m); err != nil {
		return nil, err
	}
	var err error
	s.uses, err = v.stopsOf(m.tokens, keep)
	return s, err
}

// stopsOf are those of the tokens that stop, with what used them: all, or those that have more than their owner keeps.
func (v *visit) stopsOf(tokens []counterfoil.Token, keep *counterfoil.Permissions) (stops []tokenStop, err error) {
	for _, t := range tokens {
		stop := tokenStop{Token: t}
		if keep != nil {
			if stop.lost = t.EffectivePermissions.Beyond(*keep); len(stop.lost) == 0 {
				continue
			}
		}
		if stop.recent, err = v.c.Registry.TokenUses(v.r.Context(), v.caller(), v.org(), t.ID); err != nil {
			return nil, err
		}
		stops = append(stops, stop)
	}
	return stops, nil
}

// accepted adds up the uses of the last 30 days.
func (t *tokenStop) accepted() (n int64) {
	for _, u := range t.recent {
		n += u.Count
	}
	return n
}

// askStop shows what stops. What cannot be stopped is told on the member's page.
func (v *visit) askStop(title string, page func(*stopping) error) error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	for _, why := range []string{m.blocked, m.keepsOwner()} {
		if why != "" {
			return v.say(v.memberPath(m.ID, ""), "bad", title+": "+why, nil)
		}
	}
	s, err := v.stops(m, nil)
	if err != nil {
		return err
	}
	return page(s)
}

func (v *visit) askSuspend() error {
	return v.askStop("Not suspended", func(s *stopping) error {
		if !s.active() {
			return v.say(v.memberPath(s.ID, ""), "warn", "Only an active member can be suspended.", nil)
		}
		return v.show(200, "Suspend "+s.Name, suspendPage(v, s))
	})
}

func (v *visit) askRemove() error {
	return v.askStop("Not removed", func(s *stopping) error { return v.show(200, s.endWord()+": "+s.Name, removePage(v, s)) })
}

func (v *visit) suspend() error { return v.setStatus(counterfoil.MemberSuspended, "Suspended.") }

func (v *visit) reactivate() error {
	return v.setStatus(counterfoil.MemberActive, "Reactivated. Their tokens work again.")
}

func (v *visit) setStatus(status counterfoil.MemberStatus, done string) error {
	to := v.memberPath(v.r.PathValue("id"), "")
	m, receipt, err := v.c.Registry.EditMember(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"), counterfoil.MemberEdit{Status: &status})
	if err != nil {
		return v.refused(to, err)
	}
	if m.ID == v.here.MemberID {
		return v.say("/", "good", done, &receipt)
	}
	return v.say(to, "good", done, &receipt)
}

func (v *visit) remove() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	receipt, err := v.c.Registry.RemoveMember(v.r.Context(), v.caller(), v.org(), m.ID)
	if err != nil {
		return v.refused(v.memberPath(m.ID, ""), err)
	}
	words, to := m.Name+" was removed, and their tokens were revoked.", v.path("/members")
	switch {
	case m.invited():
		words = "The invitation of " + m.Email + " was withdrawn."
	case v.itself(m):
		words, to = "You have left "+v.here.Organization.Name+".", "/"
	}
	return v.say(to, "good", words, &receipt)
}

// saveMemberRoles sets a member's roles. What takes something away from them or their tokens is shown first.
func (v *visit) saveMemberRoles() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	f := newForm(v.r.PostForm)
	wanted := append([]string{}, f.values["roles"]...)
	if m.roles, err = v.c.Registry.ViewRoles(v.r.Context(), v.caller(), v.org()); err != nil {
		return err
	}
	keep := holdsBy(m.roles, wanted)
	if lost := holdsBy(m.roles, m.Roles).Beyond(keep); len(lost) > 0 && f.get("step") != "save" && m.blocked == "" && !m.losesOwner(wanted) {
		s, err := v.stops(m, &keep)
		if err != nil {
			return err
		}
		s.form, s.lost = f, lost
		return v.show(200, "Roles of "+m.Name, narrowPage(v, s))
	}
	edited, receipt, err := v.c.Registry.EditMember(v.r.Context(), v.caller(), v.org(), m.ID, counterfoil.MemberEdit{Roles: &wanted})
	if err != nil {
		if !f.take(err, map[string]string{"roles": "roles"}) {
			return err
		}
		return v.showMember(422, m, f)
	}
	to := v.memberPath(m.ID, "")
	switch {
	case m.invited() && receipt.ID != "": // a link opens what it was made for (see voidLinks)
		return v.say(to, "warn", "Saved. The invitation that was made before is void now: send it again.", nil)
	case v.itself(m) && !holdsBy(m.roles, edited.Roles).Has(counterfoil.PermMembersRead):
		to = home(v.here)
	}
	return v.say(to, "good", "Saved.", &receipt)
}

// losesOwner reports whether the roles would leave the organization without an owner.
func (m *memberShown) losesOwner(wanted []string) bool {
	return m.LastOwner && !slices.Contains(wanted, counterfoil.RoleOwner)
}
