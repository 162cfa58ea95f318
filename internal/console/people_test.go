package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// peoplePages are the pages about people as one member and one role give them.
func peoplePages(member, role string) (get, post []string) {
	return []string{"/members/" + member, "/members/" + member + "/suspend", "/members/" + member + "/remove", "/roles/" + role, "/roles/" + role + "/delete"},
		[]string{"/members/" + member + "/roles", "/members/" + member + "/link", "/members/" + member + "/suspend", "/members/" + member + "/reactivate",
			"/members/" + member + "/remove", "/roles/" + role, "/roles/" + role + "/delete"}
}

// TestPeopleOfOthers shows nothing of another organization's, and changes nothing there (S8).
func TestPeopleOfOthers(t *testing.T) {
	d := newDesk(t)
	other := d.NewOrganization(t, "Other")
	theirs, _ := other.Member(t, "viewer")
	role := must[counterfoil.Role](t)(d.System().CreateRole(context.Background(), other.ID, counterfoil.RoleDraft{Name: "keeper", Permissions: []string{"devices:read"}}))
	owner := d.sits(d.Owner.ID)
	gets, posts := peoplePages(theirs.ID, role.ID)
	_, unknown := peoplePages("mem_01a215a19dfb7f358a1150685994d8d3", "rol_01a215a19dfb7f358a1150685994d8d3")
	nothing := "There is nothing here, or it is not yours to see."
	for _, path := range gets {
		owner.get(path).says(404, nothing, "!"+theirs.Email)
	}
	for _, path := range append(posts, unknown...) {
		owner.post(path, "roles", "operator", "permissions", "devices:write", "version", "1").says(404, nothing, "!"+theirs.Email)
	}
	owner.get("/members?q="+theirs.Email).says(200, "Nobody matches")
	owner.at = "/o/" + other.Slug
	owner.get("/members").says(404)
	if m := must[counterfoil.Member](t)(d.System().Member(context.Background(), other.ID, theirs.ID)); m.Status != counterfoil.MemberActive || strings.Join(m.Roles, " ") != "viewer" {
		t.Errorf("they became %s with %v", m.Status, m.Roles)
	}
}

// TestPeopleWithoutThePermission keeps members out who hold neither right, and shows the pages without their controls to
// those who may read.
func TestPeopleWithoutThePermission(t *testing.T) {
	d := newDesk(t)
	role := d.role(t, "reads-people", counterfoil.PermMembersRead)
	alan, _ := d.Member(t, "viewer")
	reader, _ := d.Member(t, "reads-people")
	gets, posts := peoplePages(d.Owner.ID, role.ID)
	plain := d.sits(alan.ID)
	for _, path := range append(gets, "/members", "/roles", "/members/new", "/roles/new", "/refusals") {
		plain.get(path).says(403, "which your roles here do not hold", "!"+d.Owner.Email)
	}
	reads := d.sits(reader.ID)
	why := "This takes the permission counterfoil.members:write, which your roles do not hold."
	reads.get("/members").says(200, d.Owner.Email, "Invite a member", why)
	reads.get("/roles").says(200, "reads-people", "Create role", why)
	reads.get("/members/"+d.Owner.ID).says(200, "Changing members takes the permission counterfoil.members:write", "!Save roles", "!Remove")
	reads.get("/roles/"+role.ID).says(200, "Changing roles takes the permission counterfoil.members:write", reader.Name, "!Save")
	for _, path := range append(posts, "/members/new", "/roles/new") {
		for _, s := range []*sitter{plain, reads} {
			s.post(path, "roles", "owner", "permissions", "devices:write", "version", "1", "email", "grace@acme.example", "name", "grace").says(403)
		}
	}
}

// TestPeopleHoldMarkup shows names as the text that they are, wherever they appear.
func TestPeopleHoldMarkup(t *testing.T) {
	d := newDesk(t)
	ctx, system, org := context.Background(), d.System(), d.Organization.ID
	const name = `<script>alert(1)</script>"'&`
	m := must[counterfoil.Member](t)(system.AddMember(ctx, org, counterfoil.MemberDraft{Email: "x@acme.example", Name: name, Roles: []string{"member"}}))
	active := counterfoil.MemberActive
	must[counterfoil.Member](t)(system.EditMember(ctx, org, m.ID, counterfoil.MemberEdit{Status: &active}))
	must[counterfoil.Created](t)(system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: name, Owner: m.ID, Permissions: counterfoil.NewPermissions("devices:read")}))
	role := d.role(t, "keeper", "devices:read")
	must[counterfoil.Member](t)(system.EditMember(ctx, org, m.ID, counterfoil.MemberEdit{Roles: &[]string{"keeper"}}))
	owner := d.sits(d.Owner.ID)
	pages := []*shown{owner.get("/members"), owner.get("/members/" + m.ID), owner.get("/members/" + m.ID + "/suspend"), owner.get("/members/" + m.ID + "/remove"),
		owner.post("/members/" + m.ID + "/roles"), owner.get("/roles/" + role.ID), owner.get("/roles/" + role.ID + "/delete"), owner.get("/members?q=" + `%3Cscript%3Ealert(1)`)}
	for i, page := range pages {
		page.says(200, name)
		if strings.Contains(page.source, "<script>alert") {
			t.Errorf("page %d has the markup as markup", i)
		}
	}
	owner.get(`/members?q=%22%3E%3Cscript%3Ealert(2)`).says(200, "Nobody matches")
}

// TestMembersArePaged turns the pages of a long list.
func TestMembersArePaged(t *testing.T) {
	d := newDesk(t)
	for i := range 55 {
		must[counterfoil.Member](t)(d.System().AddMember(context.Background(), d.Organization.ID, counterfoil.MemberDraft{Email: fmt.Sprintf("m%02d@acme.example", i), Name: fmt.Sprintf("Person %02d", i)}))
	}
	owner := d.sits(d.Owner.ID)
	first := owner.get("/members").says(200, "Person 48", "!Person 49", "!Back to the first page")
	next := first.attr(`<a[^>]*rel="next"[^>]*>`, "href")
	owner.send("GET", next, nil).says(200, "Person 49", "Person 54", "!Person 48", "Back to the first page", "!Next page")
	owner.get("/members?q=person+0").says(200, "Person 09", "!Person 10", "!Next page")
	if list := must[counterfoil.Page[counterfoil.Member]](t)(d.System().ListMembers(context.Background(), d.Organization.ID, client.MemberQuery{Limit: 200})); len(list.Data) != 56 {
		t.Errorf("there are %d members", len(list.Data))
	}
}
