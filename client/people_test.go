package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var peopleRows = []row{
	{"Roles", "GET /v1/organizations/{org}/roles", func(t *testing.T, w *world) {
		var names []string
		for _, r := range must(w.owner.Roles(t.Context(), current))(t) {
			names = append(names, r.Name)
		}
		for _, want := range []string{counterfoil.RoleOwner, counterfoil.RoleAdmin, counterfoil.RoleMember, "operator", "viewer"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s is not among %v", want, names)
			}
		}
	}},
	{"CreateRole", "POST /v1/organizations/{org}/roles", func(t *testing.T, w *world) {
		draft := counterfoil.RoleDraft{Name: "auditor", Permissions: []string{counterfoil.PermActivityRead}}
		got := must(w.owner.CreateRole(t.Context(), current, draft, client.IdempotencyKey("auditor")))(t)
		if got.Name != "auditor" || got.Source != "organization" || !got.Permissions.Has(counterfoil.PermActivityRead) {
			t.Errorf("got %+v", got)
		}
	}},
	{"Role", "GET /v1/organizations/{org}/roles/{id}", func(t *testing.T, w *world) {
		if got := must(w.owner.Role(t.Context(), current, "operator"))(t); !got.Permissions.Has("devices:write") {
			t.Errorf("got %+v", got)
		}
	}},
	{"EditRole", "PATCH /v1/organizations/{org}/roles/{id}", func(t *testing.T, w *world) {
		made := must(w.Client().CreateRole(t.Context(), current, counterfoil.RoleDraft{Name: "edited", Permissions: []string{"devices:read"}}))(t)
		var meta client.Response
		must(w.Client().Role(t.Context(), current, made.ID, client.Into(&meta)))(t)
		got := must(w.owner.EditRole(t.Context(), current, made.ID, counterfoil.RoleEdit{Permissions: []string{}}, client.IfMatch(meta.ETag), client.Into(&meta)))(t)
		if len(got.Permissions) != 0 || meta.Receipt == nil {
			t.Errorf("got %+v, %+v", got, meta)
		}
	}},
	{"DeleteRole", "DELETE /v1/organizations/{org}/roles/{id}", func(t *testing.T, w *world) {
		made := must(w.Client().CreateRole(t.Context(), current, counterfoil.RoleDraft{Name: "deleted", Permissions: []string{}}))(t)
		if err := w.owner.DeleteRole(t.Context(), current, made.ID); err != nil {
			t.Error(err)
		}
	}},
	{"ListMembers", "GET /v1/organizations/{org}/members", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "viewer")
		w.Member(t, "viewer")
		found := must(w.owner.ListMembers(t.Context(), current, client.MemberQuery{Text: m.Email}))(t)
		if len(found.Data) != 1 || found.Data[0].ID != m.ID {
			t.Errorf("found %+v", found)
		}
		first := must(w.owner.ListMembers(t.Context(), current, client.MemberQuery{Limit: 1}))(t)
		next := must(w.owner.ListMembers(t.Context(), current, client.MemberQuery{Limit: 1, Cursor: *first.NextCursor}))(t)
		if first.Data[0].ID != w.Owner.ID || next.Data[0].ID == w.Owner.ID {
			t.Errorf("got %+v, %+v", first, next)
		}
	}},
	{"Members", "GET /v1/organizations/{org}/members", func(t *testing.T, w *world) {
		seen := map[string]bool{}
		for m, err := range w.owner.Members(t.Context(), current, client.MemberQuery{Limit: 2}) {
			if err != nil || seen[m.ID] {
				t.Fatalf("got %+v again, or %v", m, err)
			}
			seen[m.ID] = true
		}
		if len(seen) < 3 || !seen[w.Owner.ID] {
			t.Errorf("saw %v", seen)
		}
	}},
	{"AddMember", "POST /v1/organizations/{org}/members", func(t *testing.T, w *world) {
		draft := counterfoil.MemberDraft{Email: "ada@acme.example", Name: "Ada", Roles: []string{"viewer"}, ExternalID: "42"}
		got := must(w.owner.AddMember(t.Context(), current, draft, client.IdempotencyKey("ada")))(t)
		if got.Status != counterfoil.MemberInvited || *got.ExternalID != "42" || !slices.Equal(got.Roles, draft.Roles) {
			t.Errorf("got %+v", got)
		}
		if bare := must(w.owner.AddMember(t.Context(), current, counterfoil.MemberDraft{Email: "bob@acme.example", Name: "Bob"}))(t); len(bare.Roles) != 0 {
			t.Errorf("got %+v", bare)
		}
	}},
	{"Member", "GET /v1/organizations/{org}/members/{id}", func(t *testing.T, w *world) {
		if got := must(w.owner.Member(t.Context(), current, w.Owner.ID))(t); got.Email != w.Owner.Email {
			t.Errorf("got %+v", got)
		}
	}},
	{"EditMember", "PATCH /v1/organizations/{org}/members/{id}", func(t *testing.T, w *world) {
		m, c := w.Member(t, "viewer")
		var meta client.Response
		edit := counterfoil.MemberEdit{Roles: &[]string{"operator"}, Status: new(counterfoil.MemberSuspended)}
		got := must(w.owner.EditMember(t.Context(), current, m.ID, edit, client.Into(&meta)))(t)
		if got.Status != counterfoil.MemberSuspended || !slices.Equal(got.Roles, *edit.Roles) || meta.Receipt == nil {
			t.Errorf("got %+v, %+v", got, meta)
		}
		if _, err := c.CurrentToken(t.Context()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeOwnerInactive}) {
			t.Errorf("their token is answered %v", err)
		}
	}},
	{"RemoveMember", "DELETE /v1/organizations/{org}/members/{id}", func(t *testing.T, w *world) {
		m, c := w.Member(t, "viewer")
		var meta client.Response
		if err := w.owner.RemoveMember(t.Context(), current, m.ID, client.Into(&meta)); err != nil || meta.Receipt == nil || meta.Status != 204 {
			t.Errorf("removed: %v, %+v", err, meta)
		}
		if _, err := c.CurrentToken(t.Context()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeTokenRevoked}) {
			t.Errorf("their token is answered %v", err)
		}
	}},
}

var consoleRows = []row{
	{"CreateConsoleSession", "POST /v1/organizations/{org}/console-sessions", func(t *testing.T, w *world) {
		draft := counterfoil.ConsoleSessionDraft{Member: w.Owner.ID, ReturnURL: "https://product.example/"}
		got := must(w.system.CreateConsoleSession(t.Context(), w.Organization.ID, draft, client.IdempotencyKey("console")))(t)
		page := strings.Replace(w.URL, "127.0.0.1", "localhost", 1) // passkeys want a name
		if !strings.HasPrefix(got.URL, page+"/enter?ticket=") || got.ExpiresAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		_, err := w.system.CreateConsoleSession(t.Context(), w.Organization.ID, draft, client.IdempotencyKey("console"))
		if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeAlreadyCreated}) {
			t.Errorf("again: %v", err)
		}
	}},
}

var organizationRows = []row{
	{"ListOrganizations", "GET /v1/organizations", func(t *testing.T, w *world) {
		w.NewOrganization(t, "Second")
		first := must(w.system.ListOrganizations(t.Context(), client.OrganizationQuery{Limit: 1}))(t)
		next := must(w.system.ListOrganizations(t.Context(), client.OrganizationQuery{Limit: 1, Cursor: *first.NextCursor}))(t)
		if first.Data[0].ID != w.Organization.ID || next.Data[0].ID == w.Organization.ID {
			t.Errorf("got %+v, %+v", first, next)
		}
	}},
	{"Organizations", "GET /v1/organizations", func(t *testing.T, w *world) {
		n := 0
		for _, err := range w.system.Organizations(t.Context(), client.OrganizationQuery{Limit: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n < 2 {
			t.Errorf("saw %d", n)
		}
	}},
	{"CreateOrganization", "POST /v1/organizations", func(t *testing.T, w *world) {
		draft := counterfoil.OrganizationDraft{Name: "Globex", Slug: "globex-corp", Plan: "business", License: counterfoil.LicenseTrial, DataCenter: "local"}
		got := must(w.system.CreateOrganization(t.Context(), draft, client.IdempotencyKey("globex")))(t)
		if got.Slug != draft.Slug || got.Plan != "business" || got.License != counterfoil.LicenseTrial || got.Status != counterfoil.OrgActive {
			t.Errorf("got %+v", got)
		}
	}},
	{"CreateOrganization", "POST /v1/organizations", func(t *testing.T, w *world) {
		if got := must(w.system.CreateOrganization(t.Context(), counterfoil.OrganizationDraft{Name: "Provider", Provider: true}))(t); !got.Provider {
			t.Errorf("got %+v", got)
		}
	}},
	{"Retention", "GET /v1/organizations/{org}/retention", func(t *testing.T, w *world) {
		if got := must(w.owner.Retention(t.Context(), current))(t); got.Days != nil || got.EffectiveDays != 0 {
			t.Errorf("got %+v", got)
		}
	}},
	{"SetRetention", "PUT /v1/organizations/{org}/retention", func(t *testing.T, w *world) {
		if got := must(w.owner.SetRetention(t.Context(), current, 400))(t); got.Days == nil || *got.Days != 400 || got.EffectiveDays != 400 {
			t.Errorf("got %+v", got)
		}
	}},
	{"UnsetRetention", "DELETE /v1/organizations/{org}/retention", func(t *testing.T, w *world) {
		if err := w.owner.UnsetRetention(t.Context(), current); err != nil {
			t.Error(err)
		}
	}},
	{"Organization", "GET /v1/organizations/{org}", func(t *testing.T, w *world) {
		for _, name := range []string{current, w.Organization.ID, w.Organization.Slug} {
			if got := must(w.owner.Organization(t.Context(), name))(t); got.ID != w.Organization.ID {
				t.Errorf("%s is %+v", name, got)
			}
		}
	}},
	{"EditOrganization", "PATCH /v1/organizations/{org}", func(t *testing.T, w *world) {
		o := w.NewOrganization(t, "Edit")
		edit := counterfoil.OrganizationEdit{Name: new("Edited"), Plan: new("enterprise"), License: new(counterfoil.LicenseNFR), Status: new(counterfoil.OrgSuspended), DataCenter: new("local")}
		if got := must(w.system.EditOrganization(t.Context(), o.ID, edit))(t); got.Name != "Edited" || got.Plan != "enterprise" || got.License != counterfoil.LicenseNFR || got.Status != counterfoil.OrgSuspended {
			t.Errorf("got %+v", got)
		}
		if _, err := o.Client().Organization(t.Context(), current); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeOrganizationSuspended}) {
			t.Errorf("its owner is answered %v", err)
		}
	}},
	{"EditOrganization", "PATCH /v1/organizations/{org}", func(t *testing.T, w *world) {
		p, o := w.NewProvider(t, "Provider"), w.NewOrganization(t, "Moved")
		if got := must(w.system.EditOrganization(t.Context(), o.ID, counterfoil.OrganizationEdit{ManagedBy: &p.ID}))(t); got.ManagedBy == nil || *got.ManagedBy != p.ID {
			t.Errorf("got %+v", got)
		}
	}},
	{"DeleteOrganization", "DELETE /v1/organizations/{org}", func(t *testing.T, w *world) {
		o := w.NewOrganization(t, "Delete")
		if err := w.as(o.OwnerToken).DeleteOrganization(t.Context(), current); err != nil {
			t.Error(err)
		}
		if _, err := w.System().Organization(t.Context(), o.ID); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
			t.Errorf("afterwards: %v", err)
		}
	}},
}

// TestPathsAreEscaped: what a caller takes for an id is one segment of the path, whatever it holds.
func TestPathsAreEscaped(t *testing.T) {
	for _, id := range []string{"a/b", "a?b", "a#b", "%2e%2e", "a b", "..", ".", ""} {
		var got string
		c := client.New("https://tokens.example.com/base/", "", client.WithHTTPClient(answering(func(q request) answer {
			got = q.URL.EscapedPath()
			return fine
		}).client()))
		_, err := c.Member(t.Context(), "org", id)
		switch {
		case strings.Trim(id, ".") == "":
			if err == nil || got != "" {
				t.Errorf("%q was sent as %s", id, got)
			}
		case err != nil || strings.Count(got, "/") != 6 || !strings.HasPrefix(got, "/base/v1/organizations/org/members/"):
			t.Errorf("%q was sent as %s, %v", id, got, err)
		}
	}
}
