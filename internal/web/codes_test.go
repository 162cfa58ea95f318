package web_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// The table of the HTTP contract, status by status.
var contract = map[int]string{
	400: "malformed_json invalid_request multiple_credentials",
	401: "missing_credentials invalid_token token_expired token_revoked token_paused",
	403: "missing_permission ip_not_allowed kind_disabled max_lifetime_exceeded organization_suspended owner_inactive wrong_audience",
	404: "not_found",
	405: "method_not_allowed",
	406: "not_acceptable",
	409: "name_taken in_use last_owner already_revoked already_created would_lock_out",
	410: "cursor_expired",
	412: "version_mismatch",
	413: "body_too_large",
	415: "unsupported_media_type",
	421: "wrong_data_center",
	422: "validation_failed policy_violation permission_not_held",
	429: "rate_limited",
	500: "internal",
	503: "unavailable",
}

func TestStatusFollowsTheContract(t *testing.T) {
	var want []counterfoil.Code
	for status, list := range contract {
		for _, name := range strings.Fields(list) {
			code := counterfoil.Code(name)
			want = append(want, code)
			if got := web.Status(code); got != status {
				t.Errorf("Status(%s) = %d, want %d", code, got, status)
			}
			title := web.Title(code)
			if title == "" || strings.ContainsFunc(title, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Errorf("Title(%s) = %q does not fit an error_description (RFC 6750 section 3)", code, title)
			}
		}
	}
	got := web.Codes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("Codes() = %v, want %v", got, want)
	}
	if web.Status(counterfoil.CodeOK) != 200 || web.Status("made_up") != 500 {
		t.Errorf("Status(ok) = %d, Status(made_up) = %d", web.Status(counterfoil.CodeOK), web.Status("made_up"))
	}
}

// Every code of the vocabulary has a row, so that a new one cannot fall to 500 unseen.
func TestEveryCodeHasARow(t *testing.T) {
	known := web.Codes()
	found := 0
	for _, file := range []string{"../../error.go", "../../verdict.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
				return true
			}
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if text != "ok" && !slices.Contains(known, counterfoil.Code(text)) {
				t.Errorf("%s has no row in the table of codes", text)
			}
			return true
		})
	}
	if found < 30 {
		t.Errorf("found %d codes in the root package; has it moved them?", found)
	}
}
