package client_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var providerRows = []row{
	{"CreateManagedOrganization", "POST /v1/provider/organizations", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		draft := counterfoil.ManagedDraft{Name: "Customer", Slug: "customer-1", Plan: "business", License: counterfoil.LicenseTrial, DataCenter: "local", Provider: p.ID}
		got := must(w.system.CreateManagedOrganization(t.Context(), draft, client.IdempotencyKey("customer")))(t)
		if got.Slug != draft.Slug || got.ManagedBy == nil || *got.ManagedBy != p.ID || got.TrialEndsAt == nil {
			t.Errorf("got %+v", got)
		}
	}},
	{"ListManagedOrganizations", "GET /v1/provider/organizations", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "One", Provider: p.ID}))(t)
		must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "Two", Provider: p.ID}))(t)
		first := must(w.system.ListManagedOrganizations(t.Context(), client.ManagedQuery{Provider: p.Slug, Limit: 1, Status: counterfoil.OrgActive}))(t)
		next := must(w.system.ListManagedOrganizations(t.Context(), client.ManagedQuery{Provider: p.Slug, Limit: 1, Cursor: *first.NextCursor}))(t)
		found := must(w.system.ListManagedOrganizations(t.Context(), client.ManagedQuery{Provider: p.Slug, Text: "TW"}))(t)
		if none := must(w.system.ListManagedOrganizations(t.Context(), client.ManagedQuery{Provider: p.Slug, AssignedTo: p.Owner.ID}))(t); len(none.Data) != 0 {
			t.Errorf("assigned to nobody: %+v", none)
		}
		if first.Data[0].Name != "One" || next.Data[0].Name != "Two" || len(found.Data) != 1 {
			t.Errorf("got %+v, %+v, %+v", first, next, found)
		}
	}},
	{"ManagedOrganizations", "GET /v1/provider/organizations", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "One", Provider: p.ID}))(t)
		n := 0
		for _, err := range w.as(p.OwnerToken).ManagedOrganizations(t.Context(), client.ManagedQuery{}) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			t.Errorf("saw %d", n)
		}
	}},
	{"SetAssignments", "PUT /v1/organizations/{org}/members/{id}/assignments", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		tess, _ := p.Member(t, counterfoil.RoleTechnician)
		one := must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "One", Provider: p.ID}))(t)
		var meta client.Response
		if got := must(w.as(p.OwnerToken).SetAssignments(t.Context(), "current", tess.ID, []string{one.ID}, client.Into(&meta)))(t); len(got.Organizations) != 1 || meta.Receipt == nil {
			t.Errorf("got %+v, %+v", got, meta.Receipt)
		}
		if got := must(w.system.SetAssignments(t.Context(), p.ID, tess.ID, nil))(t); len(got.Organizations) != 0 {
			t.Errorf("taken away: %+v", got)
		}
	}},
	{"Assignments", "GET /v1/organizations/{org}/members/{id}/assignments", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		tess, _ := p.Member(t, counterfoil.RoleTechnician)
		one := must(w.System().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "One", Provider: p.ID}))(t)
		must(w.System().SetAssignments(t.Context(), p.ID, tess.ID, []string{one.ID}))(t)
		if got := must(w.as(p.OwnerToken).Assignments(t.Context(), "current", tess.ID))(t); len(got.Organizations) != 1 || got.Organizations[0] != one.ID {
			t.Errorf("got %+v", got)
		}
	}},
	{"CreateProviderKey", "POST /v1/provider/keys", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		made := must(w.system.CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "billing", Algorithm: counterfoil.KeyES256, Provider: p.ID}, client.IdempotencyKey("a-key")))(t)
		if !strings.Contains(made.PrivateKey, "BEGIN PRIVATE KEY") || made.Issuer != p.ID || made.Audience != w.URL {
			t.Errorf("got %+v", made.ProviderKey)
		}
		other := w.NewProvider(t, "Another")
		given := must(w.as(other.OwnerToken).CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "ours", PublicKey: made.PublicKey}))(t)
		if given.PrivateKey != "" || given.Algorithm != counterfoil.KeyES256 {
			t.Errorf("with a public key of its own: %+v", given)
		}
	}},
	{"ListProviderKeys", "GET /v1/provider/keys", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		for _, name := range []string{"old", "new"} {
			must(w.System().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: name, Provider: p.ID}))(t)
		}
		first := must(w.system.ListProviderKeys(t.Context(), client.ProviderKeyQuery{Provider: p.ID, Limit: 1}))(t)
		next := must(w.system.ListProviderKeys(t.Context(), client.ProviderKeyQuery{Provider: p.ID, Limit: 1, Cursor: *first.NextCursor}))(t)
		if first.Data[0].Name != "old" || next.Data[0].Name != "new" {
			t.Errorf("got %+v, %+v", first, next)
		}
	}},
	{"ProviderKeys", "GET /v1/provider/keys", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		for _, name := range []string{"old", "new"} {
			must(w.System().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: name, Provider: p.ID}))(t)
		}
		var names []string
		for k, err := range w.system.ProviderKeys(t.Context(), client.ProviderKeyQuery{Provider: p.ID, Limit: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, k.Name)
		}
		if !slices.Equal(names, []string{"old", "new"}) {
			t.Errorf("saw %q", names)
		}
	}},
	{"RevokeProviderKey", "DELETE /v1/provider/keys/{id}", func(t *testing.T, w *world) {
		p := w.NewProvider(t, "Provider")
		made := must(w.System().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "billing", Provider: p.ID}))(t)
		if err := w.system.RevokeProviderKey(t.Context(), p.ID, made.ID); err != nil {
			t.Error(err)
		}
	}},
}
