package verify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestEveryNarrowingOperationHasAChange reads the registry's source: a new operation that narrows wants its rows.
func TestEveryNarrowingOperationHasAChange(t *testing.T) {
	covered := map[string]map[cacheName]bool{}
	for _, c := range changes {
		if covered[c.op.Name] == nil {
			covered[c.op.Name] = map[cacheName]bool{}
		}
		covered[c.op.Name][c.stale] = true
	}
	found := narrowing(t, os.DirFS("../registry"))
	if len(found) < 15 {
		t.Fatalf("only %v were found: this test reads the source wrongly", found)
	}
	for variable, name := range found {
		if len(covered[name]) == 0 {
			t.Errorf("registry.%s narrows what is accepted, and nothing here proves that the caches are told: add a row to changes", variable)
		}
		for _, stale := range []cacheName{tokenRecord, orgRules, memberRight, catalogue} {
			if declared := strings.Contains(touches[name], string(stale)); declared != covered[name][stale] {
				t.Errorf("registry.%s and the %s: declared %t, in a row of changes %t", variable, stale, declared, covered[name][stale])
			}
		}
		if _, ok := touches[name]; !ok {
			t.Errorf("registry.%s is not in the table of what each operation touches", variable)
		}
	}
	for name := range touches {
		if !contains(found, name) {
			t.Errorf("%s is in the table of what each operation touches, but is no operation that narrows", name)
		}
	}
}

func contains(found map[string]string, name string) bool {
	for _, n := range found {
		if n == name {
			return true
		}
	}
	return false
}

// narrowing finds the package's variables Op… with Narrows: true, and the names of their operations.
func narrowing(t *testing.T, dir fs.FS) map[string]string {
	files, err := fs.Glob(dir, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, value := range spec.Values {
				if fields := operationOf(value); fields["Narrows"] == "true" {
					if out[spec.Names[i].Name], err = strconv.Unquote(fields["Name"]); err != nil {
						t.Fatal(err)
					}
				}
			}
			return true
		})
	}
	return out
}

// operationOf returns the fields of a literal &Operation{…} that are names or plain values.
func operationOf(value ast.Expr) map[string]string {
	fields := map[string]string{}
	ref, ok := value.(*ast.UnaryExpr)
	if !ok {
		return fields
	}
	lit, ok := ref.X.(*ast.CompositeLit)
	if !ok {
		return fields
	}
	if kind, ok := lit.Type.(*ast.Ident); !ok || kind.Name != "Operation" {
		return fields
	}
	for _, e := range lit.Elts {
		kv := e.(*ast.KeyValueExpr)
		switch v := kv.Value.(type) {
		case *ast.Ident:
			fields[kv.Key.(*ast.Ident).Name] = v.Name
		case *ast.BasicLit:
			fields[kv.Key.(*ast.Ident).Name] = v.Value
		}
	}
	return fields
}
