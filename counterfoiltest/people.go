package counterfoiltest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// Member is an active member with a personal token.
type Member struct {
	counterfoil.Member
	Token counterfoil.Created // holds every permission that the member's roles give a personal token
}

// Organization is an organization beside the first, with an owner.
type Organization struct {
	counterfoil.Organization
	Owner      counterfoil.Member
	OwnerToken string // personal, with every permission that a personal token can hold

	server *Server
}

// Member adds an active member with roles to the server's organization. The client presents their token.
func (s *Server) Member(t testing.TB, roles ...string) (Member, *client.Client) {
	t.Helper()
	return s.member(t, s.Organization.ID, roles)
}

// Token makes an organization token in the server's organization, with these permissions.
func (s *Server) Token(t testing.TB, permissions ...string) counterfoil.Created {
	t.Helper()
	return s.token(t, s.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: permissions})
}

// NewOrganization makes another organization, with an active owner.
func (s *Server) NewOrganization(t testing.TB, name string) *Organization {
	t.Helper()
	return s.organization(t, counterfoil.OrganizationDraft{Name: name})
}

// NewProvider makes an organization that manages others, with an active owner.
func (s *Server) NewProvider(t testing.TB, name string) *Organization {
	t.Helper()
	return s.organization(t, counterfoil.OrganizationDraft{Name: name, Provider: true})
}

func (s *Server) organization(t testing.TB, draft counterfoil.OrganizationDraft) *Organization {
	t.Helper()
	made, err := s.System().CreateOrganization(context.Background(), draft)
	if err != nil {
		t.Fatal(err)
	}
	owner, _ := s.member(t, made.ID, []string{counterfoil.RoleOwner})
	return &Organization{Organization: made, Owner: owner.Member, OwnerToken: owner.Token.Secret, server: s}
}

// Client presents the owner's token.
func (o *Organization) Client() *client.Client { return o.server.As(o.OwnerToken) }

// Member adds an active member with roles. The client presents their token.
func (o *Organization) Member(t testing.TB, roles ...string) (Member, *client.Client) {
	t.Helper()
	return o.server.member(t, o.ID, roles)
}

// Token makes an organization token with these permissions.
func (o *Organization) Token(t testing.TB, permissions ...string) counterfoil.Created {
	t.Helper()
	return o.server.token(t, o.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: permissions})
}

func (s *Server) member(t testing.TB, org string, roles []string) (Member, *client.Client) {
	t.Helper()
	ctx, system := context.Background(), s.System()
	name := s.count.next("Member")
	email := strings.ReplaceAll(strings.ToLower(name), " ", "-") + "@acme.example"
	m, err := system.AddMember(ctx, org, counterfoil.MemberDraft{Email: email, Name: name, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	active := counterfoil.MemberActive
	if m, err = system.EditMember(ctx, org, m.ID, counterfoil.MemberEdit{Status: &active}); err != nil {
		t.Fatal(err)
	}
	token := s.token(t, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: m.ID, Permissions: s.holds(t, org, m.Roles)})
	return Member{m, token}, s.As(token.Secret)
}

// holds is what a personal token of a member with these roles can hold.
func (s *Server) holds(t testing.TB, org string, roles []string) counterfoil.Permissions {
	t.Helper()
	ctx, system := context.Background(), s.System()
	known, err := system.Roles(ctx, org)
	if err != nil {
		t.Fatal(err)
	}
	var held counterfoil.Permissions
	for _, r := range known {
		if slices.Contains(roles, r.Name) {
			held = held.Union(r.Permissions)
		}
	}
	catalogue, err := system.Permissions(ctx, org)
	if err != nil {
		t.Fatal(err)
	}
	var personal []string
	for _, p := range catalogue {
		if slices.Contains(p.Kinds, counterfoil.KindPersonal) {
			personal = append(personal, p.Name)
		}
	}
	return held.Within(counterfoil.NewPermissions(personal...))
}

func (s *Server) token(t testing.TB, org string, draft counterfoil.Draft) counterfoil.Created {
	t.Helper()
	draft.Name = s.count.next("token")
	made, err := s.System().CreateToken(context.Background(), org, draft)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
