package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func (d *desk) role(t *testing.T, name string, permissions ...string) counterfoil.Role {
	t.Helper()
	return must[counterfoil.Role](t)(d.System().CreateRole(context.Background(), d.Organization.ID, counterfoil.RoleDraft{Name: name, Permissions: permissions}))
}

func TestRoles(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	owner.get("/roles").says(200, "owner Built in Everything that a person can hold 1", "operator From the catalogue devices:read and 2 more 0", "Create role")
	owner.get("/roles/rol_admin").says(200, "This role is built in", "!Save")
	owner.get("/roles/rol_operator").says(200, "This role comes from the product's catalogue", "Change devices devices:write", "!Save")
	owner.does("/roles/rol_operator/delete").says(200, "Built-in roles and those of the catalogue cannot be changed here.")
	owner.does("/roles/rol_operator", "permissions", "devices:read", "version", "0").says(200, "Built-in roles and those of the catalogue cannot be changed here.")

	form := owner.get("/roles/new").says(200, "Lower-case letters, digits, - and _")
	once := form.attr(`<input[^>]*name="once"[^>]*>`, "value")
	owner.post("/roles/new", "once", once, "name", "Field Engineer").says(422, "A role's name is lower-case letters, digits, - and _, at most 63.")
	owner.post("/roles/new", "once", "x", "name", "operator", "permissions", "devices:read").says(422, "This name is in use in the organization.")
	made := owner.post("/roles/new", "once", once, "name", "field-engineer", "permissions", "devices:read", "permissions", "sites:read")
	again := owner.post("/roles/new", "once", once, "name", "field-engineer", "permissions", "devices:read", "permissions", "sites:read")
	if made.status != http.StatusSeeOther || again.location != made.location {
		t.Fatalf("made %d %s, sent twice %d %s", made.status, made.location, again.status, again.location)
	}
	at := strings.TrimPrefix(made.location, owner.at)
	owner.get(at).says(200, "field-engineer", "A role of this organization's own, held by nobody.", "2 of ")

	member, _ := d.Member(t, "field-engineer")
	owner.get(at+"/delete").says(200, "“field-engineer” is in use", "One member holds this role. Take it off them first:", member.Name, "!Delete role")
	owner.does(at+"/delete").says(200, "One member holds this role. Take it off them first.")
	owner.does("/members/"+member.ID+"/roles", "step", "save").says(200, "Saved.", "Confirmed by 1 of 1 node")
	owner.get(at+"/delete").says(200, "Delete the role “field-engineer”?", "Nobody holds it")
	owner.does(at+"/delete").says(200, "The role “field-engineer” was deleted.")
	owner.get(at).says(404)
}

// TestRoleIsEditedByItsVersion holds a page that was opened before somebody else's edit to what it has seen.
func TestRoleIsEditedByItsVersion(t *testing.T) {
	d := newDesk(t)
	owner, role := d.sits(d.Owner.ID), d.role(t, "keeper", "devices:read")
	at := "/roles/" + role.ID
	version := func(p *shown) string {
		t.Helper()
		return p.attr(`<input[^>]*name="version"[^>]*>`, "value")
	}
	seen := version(owner.get(at))
	must[counterfoil.Role](t)(d.System().EditRole(context.Background(), d.Organization.ID, role.ID, counterfoil.RoleEdit{Permissions: []string{"devices:read", "sites:read"}}))
	conflict := owner.post(at, "version", seen, "permissions", "devices:write").
		says(409, "Somebody else changed this role while you had it open. It holds now: devices:read and sites:read.")
	holds := func() string {
		t.Helper()
		return strings.Join(must[counterfoil.Role](t)(d.System().Role(context.Background(), d.Organization.ID, role.ID)).Permissions, " ")
	}
	if got := holds(); got != "devices:read sites:read" {
		t.Errorf("a stale edit was written: %s", got)
	}
	owner.post(at, "permissions", "devices:write").says(409)
	owner.does(at, "version", version(conflict), "permissions", "devices:write").says(200, "Saved. It holds for every member who has the role.", "Confirmed by 1 of 1 node")
	if got := holds(); got != "devices:write" {
		t.Errorf("the role holds %s", got)
	}
}

// TestRoleThatHoldsLess shows what its holders' tokens lose before they do.
func TestRoleThatHoldsLess(t *testing.T) {
	d := newDesk(t)
	owner, role := d.sits(d.Owner.ID), d.role(t, "keeper", "devices:read", "devices:write", "sites:read")
	at := "/roles/" + role.ID
	alan, _ := d.Member(t, "keeper")
	grace, _ := d.Member(t, "keeper", "operator") // holds it by another role too
	d.uses(alan.Token.Secret, "192.0.2.7", 3)
	owner.post(at, "version", "1", "permissions", "devices:read", "permissions", "sites:read").
		says(200, "Take permissions from the role “keeper”?", "The 2 members who have it do not hold any more, unless by another role: devices:write Tokens",
			alan.Token.Token.Name+" "+alan.Name+" loses devices:write just now from 192.0.2.7 3", "!"+grace.Token.Token.Name)
	owner.does(at, "version", "1", "permissions", "devices:read", "permissions", "sites:read", "step", "save").says(200, "Saved.", "Confirmed by 1 of 1 node", "2 of ")
	owner.post(at, "version", "1", "permissions", "devices:read", "step", "save").says(409, "Somebody else changed this role")
	owner.does(at, "version", "2", "permissions", "devices:read", "permissions", "sites:read", "permissions", "devices:write").says(200, "Saved.", "3 of ")
}

// TestRolesOfAMember gives and takes what may be given and taken, and shows what a member loses before they do.
func TestRolesOfAMember(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	alan, _ := d.Member(t, "viewer")
	at := "/members/" + alan.ID
	owner.does(at+"/roles", "roles", "viewer", "roles", "operator").says(200, "Saved.", "!Take permissions")
	token := must[counterfoil.Created](t)(d.System().CreateToken(context.Background(), d.Organization.ID,
		counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Writer", Owner: alan.ID, Permissions: counterfoil.NewPermissions("devices:write", "sites:read")}))
	owner.post(at+"/roles", "roles", "viewer").says(200, "Take permissions from “ "+alan.Name+" ”?", "With viewer alone they do not hold any more: devices:write", "Writer loses devices:write", "!"+alan.Token.Token.Name)
	if m := d.member(t, alan.Email); len(m.Roles) != 2 {
		t.Errorf("asking changed the roles to %v", m.Roles)
	}
	owner.does(at+"/roles", "roles", "viewer", "step", "save").says(200, "Saved.")
	if now := must[counterfoil.Token](t)(d.System().Token(context.Background(), d.Organization.ID, token.Token.ID)); now.EffectivePermissions.Has("devices:write") {
		t.Errorf("the token holds %v", now.EffectivePermissions)
	}

	d.role(t, "people-desk", counterfoil.PermMembersRead, counterfoil.PermMembersWrite, "devices:read")
	keeper, _ := d.Member(t, "people-desk")
	desk := d.sits(keeper.ID)
	desk.get(at).says(200, "Not yours to give: only an owner makes another.", "Not yours to give: the role holds permissions that you do not: devices:write, sites:read.",
		"Seeing others' tokens takes the permission", "!Last sign-in")
	desk.post(at+"/roles", "roles", "admin").says(422, "The role holds permissions that you do not")
	desk.get("/members/"+d.Owner.ID).says(200, "Only an owner of the organization acts on another owner.", "!Save roles", "!Suspend")
	desk.does("/members/"+d.Owner.ID+"/suspend").says(200, "Only an owner of the organization acts on another owner.")
	desk.get("/members").says(200, alan.Name, "!Live tokens", "!Last sign-in")
}

// TestLastOwner tells in words why the last owner stays, on the page and when the page is passed by.
func TestLastOwner(t *testing.T) {
	d := newDesk(t)
	owner := d.sits(d.Owner.ID)
	at, why := "/members/"+d.Owner.ID, "This is the organization's last owner. Make another member owner first."
	page := owner.get(at).says(200, why, "You")
	for _, what := range []string{"suspend", "remove"} {
		if strings.Contains(page.source, at+"/"+what) {
			t.Errorf("the page leads to %s", what)
		}
		done := owner.post(at + "/" + what)
		owner.send(http.MethodGet, done.location, nil).says(200, why)
		asked := owner.get(at + "/" + what)
		owner.send(http.MethodGet, asked.location, nil).says(200, why)
	}
	owner.post(at+"/roles", "roles", "admin", "step", "save").says(422, why)
	if m := d.member(t, d.Owner.Email); m.Status != counterfoil.MemberActive || strings.Join(m.Roles, " ") != "owner" {
		t.Errorf("the owner is %s with %v", m.Status, m.Roles)
	}
	second, _ := d.Member(t, "owner")
	owner.get(at+"/suspend").says(200, "This is you. You lose access to this organization at once")
	owner.does("/members/"+second.ID+"/suspend").says(200, "Suspended.")
	owner.get(at).says(200, why)
	owner.does("/members/" + second.ID + "/reactivate")
	left := owner.post(at + "/remove")
	if left.location != "/" {
		t.Errorf("who has left goes to %s", left.location)
	}
	owner.get("/members").says(404)
}

// TestFreshProof wants to know again who somebody is before people or roles change.
func TestFreshProof(t *testing.T) {
	d := newDesk(t)
	owner, role := d.sits(d.Owner.ID), d.role(t, "keeper", "devices:read")
	alan, _ := d.Member(t, "viewer")
	d.later.Add((11 * time.Minute).Microseconds())
	for _, path := range []string{"/members/new", "/roles/new"} {
		if asked := owner.get(path); !strings.HasPrefix(asked.location, "/confirm?") {
			t.Errorf("GET %s: %d to %q", path, asked.status, asked.location)
		}
	}
	for _, path := range []string{"/members/new", "/members/" + alan.ID + "/roles", "/members/" + alan.ID + "/suspend", "/members/" + alan.ID + "/remove", "/members/" + alan.ID + "/link",
		"/roles/new", "/roles/" + role.ID, "/roles/" + role.ID + "/delete"} {
		owner.post(path, "roles", "operator", "name", "other", "email", "grace@acme.example").says(200, "Confirm", "!Saved")
	}
	if m := d.member(t, alan.Email); m.Status != counterfoil.MemberActive || strings.Join(m.Roles, " ") != "viewer" {
		t.Errorf("without a fresh proof they became %s with %v", m.Status, m.Roles)
	}
	if roles := must[[]counterfoil.Role](t)(d.System().Roles(context.Background(), d.Organization.ID)); len(roles) != 6 {
		t.Errorf("there are %d roles", len(roles))
	}
	owner.get("/members/"+alan.ID).says(200, alan.Name)
}
