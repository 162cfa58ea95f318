package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var checkRows = []row{
	{"Verify", "POST /v1/verify", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "operator")
		v := must(w.system.Verify(t.Context(), counterfoil.Question{Token: m.Token.Secret, Permissions: []string{"devices:read"}, Endpoint: "GET /api/devices/7", IP: "192.0.2.1", Consistency: counterfoil.ConsistencyStrict}))(t)
		if !v.Active || v.Code != counterfoil.CodeOK || v.Token.ID != m.Token.Token.ID || v.Organization.Slug != w.Organization.Slug || v.Owner.Email != m.Email {
			t.Errorf("the verdict is %+v", v)
		}
		v = must(w.owner.Verify(t.Context(), counterfoil.Question{Token: "what you like"}))(t)
		if v.Active || v.Code != counterfoil.CodeInvalidToken || v.Message == "" || v.Token != nil {
			t.Errorf("the verdict on nonsense is %+v", v)
		}
	}},
	{"VerifyBatch", "POST /v1/verify/batch", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		got := must(w.owner.VerifyBatch(t.Context(), []counterfoil.Question{{Token: "no"}, {Token: made.Secret}, {Token: made.Secret, Permissions: []string{"devices:write"}}}))(t)
		if len(got) != 3 || got[0].Code != counterfoil.CodeInvalidToken || !got[1].Active || got[2].Code != counterfoil.CodeMissingPermission {
			t.Errorf("got %+v", got)
		}
	}},
	{"Introspect", "POST /oauth2/introspect", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "viewer")
		got := must(w.system.Introspect(t.Context(), m.Token.Secret, "192.0.2.1", client.Strict()))(t)
		scope := strings.Join(m.Token.Token.EffectivePermissions, " ")
		want := client.Introspection{Active: true, Scope: scope, ClientID: m.Token.Token.ID, Username: m.Email, TokenType: "Bearer", Sub: m.ID, Jti: m.Token.Token.ID,
			Kind: counterfoil.KindPersonal, OrganizationID: w.Organization.ID, Exp: m.Token.Token.ExpiresAt.Unix()}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := must(w.system.Introspect(t.Context(), "no", ""))(t); got != (client.Introspection{}) {
			t.Errorf("of an unknown token it tells %+v", got)
		}
	}},
	{"Revoke", "POST /oauth2/revoke", func(t *testing.T, w *world) {
		made := w.Token(t)
		for _, token := range []string{made.Secret, "unknown"} {
			if err := w.owner.Revoke(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		if got := must(w.Client().Token(t.Context(), current, made.Token.ID))(t); got.Status != counterfoil.StatusRevoked {
			t.Errorf("its status is %s", got.Status)
		}
	}},
	{"Authorize", "GET /v1/authorize", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "operator")
		c := w.as(m.Token.Secret)
		got := must(c.Authorize(t.Context(), client.Use{Permissions: []string{"devices:read", "sites:read"}}))(t)
		if got.TokenID != m.Token.Token.ID || got.OrganizationID != w.Organization.ID || got.OwnerID != m.ID || !got.Permissions.Has("devices:write") || got.ExpiresAt == nil {
			t.Errorf("got %+v", got)
		}
		must(c.Authorize(t.Context(), client.Use{Method: "DELETE", URI: "/api/devices/7?force=1"}, client.Strict()))(t)
		_, err := c.Authorize(t.Context(), client.Use{Method: "DELETE", URI: "/api/sites/7"})
		if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeMissingPermission}) {
			t.Errorf("an endpoint that the catalogue does not list is answered %v", err)
		}
	}},
}
