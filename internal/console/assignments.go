package console

import (
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func assignmentPages() []page {
	const at, write = "/o/{org}/members/{id}/organizations", counterfoil.PermMembersWrite
	return []page{
		{method: get, path: at, who: member, provider: true, needs: write, fresh: true, show: (*visit).askAssign},
		{method: post, path: at, who: member, provider: true, needs: write, fresh: true, form: "/members", show: (*visit).assign},
	}
}

// mostAssigned is how many organizations a technician can be assigned to, as the API has it.
const mostAssigned = 2000

// assignedShown is how many of them the page of a member names.
const assignedShown = 20

// technician reports whether somebody acts where they are assigned to.
func (v *visit) technician(m *memberShown) bool {
	return v.here.Organization.Provider && slices.Contains(m.Roles, counterfoil.RoleTechnician)
}

// readAssigned finds where a technician acts, as far as the person may see it.
func (v *visit) readAssigned(m *memberShown) error {
	if !v.technician(m) || !v.may(counterfoil.PermOrganizationsRead) {
		return nil
	}
	page, err := v.c.Registry.ManagedOrganizations(v.r.Context(), v.caller(), v.org(), registry.ManagedQuery{AssignedTo: m.ID, Limit: assignedShown})
	m.assigned = &page
	return err
}

func (v *visit) askAssign() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	if m.blocked != "" || !v.technician(m) {
		return v.say(v.memberPath(m.ID, ""), "warn", "Only somebody with the role technician, on whom you may act, is assigned to organizations.", nil)
	}
	now, err := v.c.Registry.Assignments(v.r.Context(), v.caller(), v.org(), m.ID)
	if err != nil {
		return err
	}
	f := filled()
	f.values["organizations"] = now.Organizations
	return v.showAssign(200, m, f)
}

func (v *visit) showAssign(status int, m *memberShown, f *form) error {
	all, err := v.c.Registry.ManagedOrganizations(v.r.Context(), v.caller(), v.org(), registry.ManagedQuery{Limit: mostAssigned})
	if err != nil {
		return err
	}
	return v.show(status, "Organizations of "+m.Name, assignPage(v, m, all.Data, f))
}

func (v *visit) assign() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	next := counterfoil.Assignments{Organizations: v.r.PostForm["organizations"]}
	_, receipt, err := v.c.Registry.SetAssignments(v.r.Context(), v.caller(), v.org(), m.ID, next)
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, map[string]string{"organizations": "organizations"}) {
			return err
		}
		return v.showAssign(422, m, f)
	}
	return v.say(v.memberPath(m.ID, ""), "good", "Saved. It holds from now on.", &receipt)
}
