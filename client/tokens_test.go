package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

const current = client.Current

var tokenRows = []row{
	{"CreateToken", "POST /v1/organizations/{org}/tokens", func(t *testing.T, w *world) {
		filter := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "everyone", Rules: "allow all"}))(t)
		draft := counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "ci", Permissions: []string{"devices:read"}, ExpiresIn: new(int64(3600)), IPFilter: filter.Name}
		made := must(w.owner.CreateToken(t.Context(), w.Organization.Slug, draft, client.IdempotencyKey("ci-1")))(t)
		if made.Token.IPFilter.ID != filter.ID || made.Token.ExpiresAt == nil || !must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, IP: "::1"}))(t).Active {
			t.Errorf("made %+v", made.Token)
		}
		var again *counterfoil.Error
		_, err := w.owner.CreateToken(t.Context(), w.Organization.Slug, draft, client.IdempotencyKey("ci-1"))
		if !errors.As(err, &again) || again.Code != counterfoil.CodeAlreadyCreated || again.Token == nil || again.Token.ID != made.Token.ID {
			t.Errorf("a repetition is answered %v", err)
		}
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		sentinel := must(w.owner.CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindIntegration, Name: "sentinel", Integration: counterfoil.IntegrationSentinel, ExpiresAt: &expires}))(t)
		if *sentinel.Token.Integration != counterfoil.IntegrationSentinel || !sentinel.Token.ExpiresAt.Equal(expires) || !strings.HasSuffix(sentinel.ActivityURL, "/activities/query") || sentinel.DataCenter != "local" {
			t.Errorf("made %+v", sentinel)
		}
		personal := must(w.system.CreateToken(t.Context(), w.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "laptop", Owner: w.Owner.ID}))(t)
		if personal.Token.Owner.Email != w.Owner.Email {
			t.Errorf("made for %+v", personal.Token.Owner)
		}
	}},
	{"ListTokens", "GET /v1/organizations/{org}/tokens", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "operator")
		filter := must(w.Client().CreateIPFilter(t.Context(), current, counterfoil.IPFilterDraft{Name: "listed", Rules: "allow all"}))(t)
		for _, name := range []string{"list b", "list a"} {
			must(w.Client().CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name, IPFilter: filter.ID}))(t)
		}
		q := client.TokenQuery{Kind: counterfoil.KindOrganization, Status: counterfoil.StatusActive, IPFilter: "listed", Text: "LIST", Sort: "name", Limit: 1}
		first := must(w.owner.ListTokens(t.Context(), current, q))(t)
		if len(first.Data) != 1 || first.Data[0].Name != "list a" || first.NextCursor == nil {
			t.Fatalf("the first page is %+v", first)
		}
		q.Cursor = *first.NextCursor
		if last := must(w.owner.ListTokens(t.Context(), current, q))(t); len(last.Data) != 1 || last.Data[0].Name != "list b" || last.NextCursor != nil {
			t.Errorf("the last page is %+v", last)
		}
		if theirs := must(w.owner.ListTokens(t.Context(), current, client.TokenQuery{Owner: m.ID}))(t); len(theirs.Data) != 1 || theirs.Data[0].ID != m.Token.Token.ID {
			t.Errorf("the member's tokens are %+v", theirs)
		}
	}},
	{"Tokens", "GET /v1/organizations/{org}/tokens", func(t *testing.T, w *world) {
		for range 3 {
			w.Token(t, "devices:read")
		}
		q := client.TokenQuery{Kind: counterfoil.KindOrganization, Limit: 1}
		all := must(w.Client().ListTokens(t.Context(), current, client.TokenQuery{Kind: counterfoil.KindOrganization}))(t)
		var ids []string
		for token, err := range w.owner.Tokens(t.Context(), current, q) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, token.ID)
		}
		if len(ids) < 3 || !slices.EqualFunc(ids, all.Data, func(id string, token counterfoil.Token) bool { return id == token.ID }) {
			t.Errorf("one by one they are %v, want %+v", ids, all.Data)
		}
		before := w.seen.begin()
		for range w.owner.Tokens(t.Context(), current, q) {
			break
		}
		if n := len(w.seen.since(before)); n != 1 {
			t.Errorf("for one token it asked %d times", n)
		}
	}},
	{"Token", "GET /v1/organizations/{org}/tokens/{id}", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		if got := must(w.owner.Token(t.Context(), current, made.Token.ID))(t); got.Name != made.Token.Name || got.Hint != made.Token.Hint || !got.EffectivePermissions.Has("devices:read") {
			t.Errorf("got %+v", got)
		}
	}},
	{"EditToken", "PATCH /v1/organizations/{org}/tokens/{id}", func(t *testing.T, w *world) {
		made, meta := w.Token(t, "devices:read", "devices:write"), client.Response{}
		edit := counterfoil.Edit{Name: new("edited"), Permissions: &[]string{"devices:read"}, ExpiresAt: new(time.Time{}), IPFilter: new(""), Paused: new(true)}
		got := must(w.owner.EditToken(t.Context(), current, made.Token.ID, edit, client.Into(&meta)))(t)
		if got.Name != "edited" || got.Permissions.Has("devices:write") || got.ExpiresAt != nil || got.Status != counterfoil.StatusPaused {
			t.Errorf("got %+v", got)
		}
		if r := meta.Receipt; r == nil || !r.Complete || must(w.Client().Receipt(t.Context(), r.ID))(t).ID != r.ID {
			t.Errorf("the receipt is %+v", r)
		}
		if meta.Status != 200 || meta.RequestID == "" {
			t.Errorf("beside the body: %+v", meta)
		}
	}},
	{"RotateToken", "POST /v1/organizations/{org}/tokens/{id}/rotate", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		got := must(w.owner.RotateToken(t.Context(), current, made.Token.ID, time.Minute))(t)
		if got.Token.ID != made.Token.ID || got.Secret == made.Secret || got.Token.PreviousValidUntil == nil || got.Receipt.ID == "" {
			t.Errorf("got %+v", got.Token)
		}
		for _, value := range []string{made.Secret, got.Secret} {
			if v := must(w.System().Verify(t.Context(), counterfoil.Question{Token: value}))(t); !v.Active {
				t.Errorf("within the grace the verdict is %+v", v)
			}
		}
		if _, err := w.owner.RotateToken(t.Context(), current, made.Token.ID, 1500*time.Millisecond); err == nil {
			t.Error("a grace of one second and a half is accepted")
		}
	}},
	{"PreviousValue", "GET /v1/organizations/{org}/tokens/{id}/previous", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		must(w.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour))(t)
		must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, IP: "192.0.2.1"}))(t)
		got := must(w.owner.PreviousValue(t.Context(), current, made.Token.ID))(t)
		if got.ValidUntil == nil || got.LastUsed == nil || len(got.Uses) != 1 || got.Uses[0].IP != "192.0.2.1" || got.Uses[0].Count != 1 {
			t.Errorf("got %+v", got)
		}
	}},
	{"EndPreviousValue", "DELETE /v1/organizations/{org}/tokens/{id}/previous", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		must(w.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour))(t)
		must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret}))(t)
		if _, err := w.owner.EndPreviousValue(t.Context(), current, made.Token.ID, time.Minute); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeInUse}) {
			t.Errorf("what was used just now is ended: %v", err)
		}
		got := must(w.owner.EndPreviousValue(t.Context(), current, made.Token.ID, 0))(t)
		if got.Token.PreviousValidUntil != nil || got.Receipt == nil || !got.Receipt.Complete {
			t.Errorf("got %+v", got)
		}
		if again := must(w.owner.EndPreviousValue(t.Context(), current, made.Token.ID, 0))(t); again.Receipt != nil || again.Token.ID != made.Token.ID {
			t.Errorf("with nothing to end: %+v", again)
		}
		if v := must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret}))(t); v.Code != counterfoil.CodeTokenRevoked {
			t.Errorf("the old value is %s", v.Code)
		}
		if _, err := w.owner.EndPreviousValue(t.Context(), current, made.Token.ID, 1500*time.Millisecond); err == nil {
			t.Error("one second and a half of quiet is accepted")
		}
	}},
	{"RevokeToken", "DELETE /v1/organizations/{org}/tokens/{id}", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		got := must(w.owner.RevokeToken(t.Context(), current, made.Token.ID, "lost"))(t)
		if got.Token.Status != counterfoil.StatusRevoked || *got.Token.RevokedReason != "lost" || !got.Receipt.Complete {
			t.Errorf("got %+v", got)
		}
		if again := must(w.owner.RevokeToken(t.Context(), current, made.Token.ID, ""))(t); again.Receipt.ID != got.Receipt.ID {
			t.Errorf("again the receipt is %s, want %s", again.Receipt.ID, got.Receipt.ID)
		}
	}},
	{"CurrentToken", "GET /v1/tokens/current", func(t *testing.T, w *world) {
		if got := must(w.owner.CurrentToken(t.Context()))(t); got.Owner.ID != w.Owner.ID {
			t.Errorf("got %+v", got)
		}
	}},
	{"RevokeCurrentToken", "DELETE /v1/tokens/current", func(t *testing.T, w *world) {
		made := w.Token(t)
		got := must(w.as(made.Secret).RevokeCurrentToken(t.Context(), "done"))(t)
		if got.Token.ID != made.Token.ID || got.Token.Status != counterfoil.StatusRevoked || *got.Token.RevokedReason != "done" {
			t.Errorf("got %+v", got)
		}
	}},
	{"Receipt", "GET /v1/receipts/{id}", func(t *testing.T, w *world) {
		want := must(w.Client().RevokeToken(t.Context(), current, w.Token(t).Token.ID, ""))(t).Receipt
		if got := must(w.owner.Receipt(t.Context(), want.ID))(t); got.ID != want.ID || !got.RevokedAt.Equal(want.RevokedAt) || len(got.Nodes) != 1 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}},
	{"ListRefusals", "GET /v1/organizations/{org}/refusals", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		refuse := func(q counterfoil.Question) string {
			q.Token = made.Secret
			return must(w.System().Verify(t.Context(), q))(t).Reference
		}
		first, second := refuse(counterfoil.Question{Permissions: []string{"devices:write"}, IP: "192.0.2.1"}), refuse(counterfoil.Question{Permissions: []string{"sites:write"}, IP: "192.0.2.2"})
		q := client.RefusalQuery{Token: made.Token.ID, Code: counterfoil.CodeMissingPermission, Limit: 1}
		page := must(w.owner.ListRefusals(t.Context(), current, q))(t)
		if len(page.Data) != 1 || page.Data[0].ID != second || page.NextCursor == nil {
			t.Fatalf("got %+v, want %s of two", page, second)
		}
		q.Cursor = *page.NextCursor
		if page = must(w.owner.ListRefusals(t.Context(), current, q))(t); len(page.Data) != 1 || page.Data[0].ID != first || page.Data[0].Message == "" || page.NextCursor != nil {
			t.Errorf("got %+v, want %s", page, first)
		}
		if _, err := w.owner.ListRefusals(t.Context(), current, client.RefusalQuery{Cursor: "n1"}); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeValidationFailed}) {
			t.Errorf("with another list's cursor: %v", err)
		}
	}},
	{"Refusals", "GET /v1/organizations/{org}/refusals", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		var want, got []string
		for _, ip := range []string{"192.0.2.1", "192.0.2.2"} {
			want = append(want, must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Permissions: []string{"devices:write"}, IP: ip}))(t).Reference)
		}
		for r, err := range w.owner.Refusals(t.Context(), current, client.RefusalQuery{Token: made.Token.ID, Limit: 1}) {
			got = append(got, must(r.ID, err)(t))
		}
		if slices.Reverse(want); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for r, err := range w.owner.Refusals(t.Context(), current, client.RefusalQuery{Token: made.Token.ID, IP: "192.0.2.1"}) {
			if must(r, err)(t); r.IP != "192.0.2.1" {
				t.Errorf("from another address: %+v", r)
			}
		}
	}},
	{"Refusal", "GET /v1/organizations/{org}/refusals/{id}", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		v := must(w.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Permissions: []string{"devices:write"}}))(t)
		got := must(w.owner.Refusal(t.Context(), current, v.Reference))(t)
		if got.TokenID != made.Token.ID || got.Code != counterfoil.CodeMissingPermission || !got.Asked.Has("devices:write") || len(got.Trace) == 0 {
			t.Errorf("got %+v", got)
		}
	}},
}

var systemTokenRows = []row{
	{"CreateToken", "POST /v1/system/tokens", func(t *testing.T, w *world) {
		draft := counterfoil.Draft{Name: "gateway", Permissions: []string{counterfoil.PermTokensVerify}, ExpiresIn: new(int64(3600))}
		made := must(w.system.CreateToken(t.Context(), client.System, draft, client.IdempotencyKey("gateway")))(t)
		if made.Token.Kind != counterfoil.KindSystem || made.Token.OrganizationID != nil || !must(w.As(made.Secret).Verify(t.Context(), counterfoil.Question{Token: w.OwnerToken}))(t).Active {
			t.Errorf("made %+v", made.Token)
		}
		draft.ExpiresIn, draft.ExpiresAt = nil, new(time.Now().Add(time.Hour))
		must(w.system.CreateToken(t.Context(), client.System, draft))(t)
	}},
	{"ListTokens", "GET /v1/system/tokens", func(t *testing.T, w *world) {
		must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "listed one"}))(t)
		must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "listed two"}))(t)
		q := client.TokenQuery{Kind: counterfoil.KindSystem, Status: counterfoil.StatusActive, Text: "listed", Sort: "name", Limit: 1}
		first := must(w.system.ListTokens(t.Context(), client.System, q))(t)
		q.Cursor = *first.NextCursor
		last := must(w.system.ListTokens(t.Context(), client.System, q))(t)
		if first.Data[0].Name != "listed one" || last.Data[0].Name != "listed two" || last.NextCursor != nil {
			t.Errorf("got %+v, %+v", first, last)
		}
	}},
	{"Tokens", "GET /v1/system/tokens", func(t *testing.T, w *world) {
		for token, err := range w.system.Tokens(t.Context(), client.System, client.TokenQuery{Limit: 1}) {
			if err != nil || token.Kind != counterfoil.KindSystem {
				t.Fatalf("got %+v, %v", token, err)
			}
		}
	}},
	{"Token", "GET /v1/system/tokens/{id}", func(t *testing.T, w *world) {
		self := must(w.System().CurrentToken(t.Context()))(t)
		if got := must(w.system.Token(t.Context(), client.System, self.ID))(t); got.Name != self.Name {
			t.Errorf("got %+v", got)
		}
	}},
	{"EditToken", "PATCH /v1/system/tokens/{id}", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "to edit", Permissions: []string{"devices:read"}}))(t)
		edit := counterfoil.Edit{Name: new("edited"), Permissions: &[]string{}, ExpiresAt: new(time.Now().Add(time.Hour)), IPFilter: new(""), Paused: new(true)}
		if got := must(w.system.EditToken(t.Context(), client.System, made.Token.ID, edit))(t); got.Name != "edited" || got.Status != counterfoil.StatusPaused || got.ExpiresAt == nil {
			t.Errorf("got %+v", got)
		}
	}},
	{"RotateToken", "POST /v1/system/tokens/{id}/rotate", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "to rotate"}))(t)
		got := must(w.system.RotateToken(t.Context(), client.System, made.Token.ID, 0))(t)
		if _, err := w.As(made.Secret).CurrentToken(t.Context()); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeTokenRevoked}) {
			t.Errorf("the old value is answered %v", err)
		}
		must(w.As(got.Secret).CurrentToken(t.Context()))(t)
	}},
	{"PreviousValue", "GET /v1/system/tokens/{id}/previous", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "never rotated"}))(t)
		if got := must(w.system.PreviousValue(t.Context(), client.System, made.Token.ID))(t); got.ValidUntil != nil || len(got.Uses) != 0 {
			t.Errorf("got %+v", got)
		}
	}},
	{"EndPreviousValue", "DELETE /v1/system/tokens/{id}/previous", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "to finish"}))(t)
		must(w.System().RotateToken(t.Context(), client.System, made.Token.ID, time.Hour))(t)
		if _, err := w.system.EndPreviousValue(t.Context(), client.System, made.Token.ID, time.Minute); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeInUse}) {
			t.Errorf("a rotation of just now counts as quiet: %v", err)
		}
		if got := must(w.system.EndPreviousValue(t.Context(), client.System, made.Token.ID, 0))(t); got.Token.PreviousValidUntil != nil {
			t.Errorf("got %+v", got)
		}
	}},
	{"RevokeToken", "DELETE /v1/system/tokens/{id}", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "to revoke"}))(t)
		if got := must(w.system.RevokeToken(t.Context(), client.System, made.Token.ID, "over"))(t); got.Token.Status != counterfoil.StatusRevoked {
			t.Errorf("got %+v", got)
		}
	}},
}
