package client_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var ruleRows = []row{
	{"Policies", "GET /v1/organizations/{org}/policies", func(t *testing.T, w *world) {
		got := must(w.owner.Policies(t.Context(), current))(t)
		if !slices.EqualFunc(got, counterfoil.PolicyKinds, func(p counterfoil.Policy, k counterfoil.Kind) bool { return p.Kind == k }) {
			t.Errorf("got %+v", got)
		}
	}},
	{"Policy", "GET /v1/organizations/{org}/policies/{kind}", func(t *testing.T, w *world) {
		var meta client.Response
		if got := must(w.owner.Policy(t.Context(), current, counterfoil.KindPersonal, client.Into(&meta)))(t); !got.ExpiryRequired || *got.MaxLifetimeSeconds != 365*86400 || meta.ETag == "" {
			t.Errorf("got %+v, %+v", got, meta)
		}
	}},
	{"SetPolicy", "PUT /v1/organizations/{org}/policies/{kind}", func(t *testing.T, w *world) {
		o := w.NewOrganization(t, "Policies")
		c := w.as(o.OwnerToken)
		filter := must(o.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "nobody", Rules: "deny all"}))(t)
		var meta client.Response
		p := must(o.Client().Policy(t.Context(), current, counterfoil.KindPersonal, client.Into(&meta)))(t)
		read := meta.ETag
		p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds, p.ExpiryRequired, p.EnforcedIPFilter = nil, nil, false, &filter.ID
		_, err := c.SetPolicy(t.Context(), current, counterfoil.KindPersonal, p.Edit())
		if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeWouldLockOut}) {
			t.Errorf("a policy that locks its author out is answered %v", err)
		}
		got := must(c.SetPolicy(t.Context(), current, counterfoil.KindPersonal, p.Edit(), client.AllowLockOut(), client.IfMatch(read), client.Into(&meta)))(t)
		if got.MaxLifetimeSeconds != nil || got.DefaultLifetimeSeconds != nil || got.ExpiryRequired || *got.EnforcedIPFilter != filter.ID || !got.Allowed {
			t.Errorf("got %+v", got)
		}
		if meta.ETag == read || meta.Receipt == nil {
			t.Errorf("beside the body: %+v", meta)
		}
		again := counterfoil.PolicyEdit{EnforcedIPFilter: new("")}
		if _, err = w.system.SetPolicy(t.Context(), o.ID, counterfoil.KindPersonal, again, client.IfMatch(read)); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeVersionMismatch}) {
			t.Errorf("an old version is answered %v", err)
		}
		if got = must(w.system.SetPolicy(t.Context(), o.ID, counterfoil.KindPersonal, again))(t); got.EnforcedIPFilter != nil || got.ExpiryRequired {
			t.Errorf("got %+v", got)
		}
	}},
	{"PreviewPolicy", "POST /v1/organizations/{org}/policies/{kind}/preview", func(t *testing.T, w *world) {
		o := w.NewOrganization(t, "Preview")
		made := o.Token(t, "devices:read")
		p := counterfoil.DefaultPolicy(counterfoil.KindOrganization).PolicyTerms
		p.Allowed = false
		got := must(w.as(o.OwnerToken).PreviewPolicy(t.Context(), current, counterfoil.KindOrganization, p.Edit()))(t)
		if got.RefusedTokens != 1 || got.Tokens[0].ID != made.Token.ID || got.Tokens[0].Code != counterfoil.CodeKindDisabled {
			t.Errorf("got %+v", got)
		}
	}},
	{"IPFilters", "GET /v1/organizations/{org}/ip-filters", func(t *testing.T, w *world) {
		o := w.NewOrganization(t, "Filters")
		const many = 5
		for i := range many {
			must(o.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: fmt.Sprint("filter ", i), Rules: "allow all"}))(t)
		}
		if got := must(w.as(o.OwnerToken).IPFilters(t.Context(), current))(t); len(got) != many {
			t.Errorf("got %d", len(got))
		}
	}},
	{"CreateIPFilter", "POST /v1/organizations/{org}/ip-filters", func(t *testing.T, w *world) {
		draft := counterfoil.IPFilterDraft{Name: "office", Rules: "allow 10.0.0.0/8\ndeny all"}
		got := must(w.owner.CreateIPFilter(t.Context(), current, draft, client.IdempotencyKey("office")))(t)
		again := must(w.owner.CreateIPFilter(t.Context(), current, draft, client.IdempotencyKey("office")))(t)
		if got.Name != draft.Name || got.Rules != draft.Rules || again != got {
			t.Errorf("got %+v, then %+v", got, again)
		}
	}},
	{"IPFilter", "GET /v1/organizations/{org}/ip-filters/{id}", func(t *testing.T, w *world) {
		made := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "read me", Rules: "allow all"}))(t)
		var meta client.Response
		if got := must(w.owner.IPFilter(t.Context(), current, made.ID, client.Into(&meta)))(t); got != made || meta.ETag == "" {
			t.Errorf("got %+v, %+v", got, meta)
		}
	}},
	{"EditIPFilter", "PATCH /v1/organizations/{org}/ip-filters/{id}", func(t *testing.T, w *world) {
		made := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "to edit", Rules: "allow all"}))(t)
		var meta client.Response
		must(w.Client().IPFilter(t.Context(), current, made.ID, client.Into(&meta)))(t)
		edit := counterfoil.IPFilterEdit{Name: new("edited"), Rules: new("deny all")}
		got := must(w.owner.EditIPFilter(t.Context(), current, made.ID, edit, client.IfMatch(meta.ETag), client.AllowLockOut()))(t)
		if got.Name != "edited" || got.Rules != "deny all" {
			t.Errorf("got %+v", got)
		}
		if _, err := w.owner.EditIPFilter(t.Context(), current, made.ID, edit, client.IfMatch(meta.ETag)); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeVersionMismatch}) {
			t.Errorf("an old version is answered %v", err)
		}
	}},
	{"DeleteIPFilter", "DELETE /v1/organizations/{org}/ip-filters/{id}", func(t *testing.T, w *world) {
		made := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "to delete", Rules: "allow all"}))(t)
		if err := w.owner.DeleteIPFilter(t.Context(), current, made.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.owner.DeleteIPFilter(t.Context(), current, made.ID); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) {
			t.Errorf("again: %v", err)
		}
	}},
	{"TestIPFilter", "POST /v1/organizations/{org}/ip-filters/test", func(t *testing.T, w *world) {
		got := must(w.owner.TestIPFilter(t.Context(), current, counterfoil.IPFilterTest{Rules: new("allow 10.0.0.0/8\ndeny all\nallow 192.0.2.1"), IP: "192.0.2.1"}))(t)
		if got.Allowed || got.Line != 2 || got.Rule != "deny all" || !slices.Equal(got.ShadowedLines, []int{3}) {
			t.Errorf("got %+v", got)
		}
		made := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "to test", Rules: "allow all"}))(t)
		if got := must(w.owner.TestIPFilter(t.Context(), current, counterfoil.IPFilterTest{ID: made.ID, IP: "2001:db8::1"}))(t); !got.Allowed {
			t.Errorf("got %+v", got)
		}
	}},
}

var catalogueRows = []row{
	{"Permissions", "GET /v1/organizations/{org}/permissions", func(t *testing.T, w *world) {
		_, viewer := w.Member(t, "viewer")
		for name, c := range map[string]*client.Client{"owner": w.owner, "viewer": viewer} {
			grantable := map[string]bool{}
			for _, p := range must(c.Permissions(t.Context(), current))(t) {
				grantable[p.Name] = p.Grantable
				if p.Name == "devices:write" && (p.Title != "Change devices" || len(p.Endpoints) != 3) {
					t.Errorf("the row is %+v", p)
				}
			}
			if !grantable["devices:read"] || grantable["devices:write"] != (name == "owner") {
				t.Errorf("the %s may grant %v", name, grantable)
			}
		}
	}},
	{"Catalogue", "GET /v1/catalogue", func(t *testing.T, w *world) {
		if got := must(w.system.Catalogue(t.Context()))(t); len(got) < 100 {
			t.Errorf("got %q", got)
		}
	}},
	{"ApplyCatalogue", "PUT /v1/catalogue", func(t *testing.T, w *world) {
		source := must(w.System().Catalogue(t.Context()))(t)
		if must(w.system.ApplyCatalogue(t.Context(), source))(t) {
			t.Error("the catalogue in force was applied again")
		}
		var meta client.Response
		if !must(w.system.ApplyCatalogue(t.Context(), source+"# and a comment\n", client.Into(&meta)))(t) || meta.Receipt == nil {
			t.Errorf("another catalogue was not applied: %+v", meta)
		}
		var refused *counterfoil.Error
		if _, err := w.system.ApplyCatalogue(t.Context(), "permissions: 3"); !errors.As(err, &refused) || len(refused.Problems) == 0 || refused.Problems[0].Pointer != "/source" {
			t.Errorf("a bad one is answered %v", err)
		}
	}},
	{"OpenAPI", "GET /openapi.json", func(t *testing.T, w *world) {
		must(w.as("").OpenAPI(t.Context()))(t)
	}},
}
