package archtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/counterfoil/counterfoil/internal/archtest"
)

const module = "github.com/counterfoil/counterfoil"

// floors is the table of ARCHITECTURE.md: a package imports the standard library, what its row names, and nothing else.
// A new package wants a row; a new word in a row wants a reason.
var floors = []archtest.Rule{
	{Package: "", Floor: 1},
	{Package: "internal/secret", Floor: 1},

	{Package: "judge", Floor: 2, May: "root"},
	{Package: "client", Floor: 2, May: "root judge"},
	{Package: "internal/web", Floor: 2, May: "root internal/tracing", Modules: true},
	{Package: "internal/hec", Floor: 2, May: "root internal/outgoing"},
	{Package: "internal/export", Floor: 3, May: "root internal/hec internal/outgoing internal/secret internal/store", Modules: true},
	{Package: "internal/catalogue", Floor: 2, May: "root", Modules: true},
	{Package: "internal/ledger", Floor: 1},
	{Package: "internal/tracing", Floor: 1, Modules: true},
	{Package: "internal/verifiers", Floor: 1},
	{Package: "internal/providerjwt", Floor: 1, Modules: true},
	{Package: "internal/usage", Floor: 2, May: "root"},
	{Package: "internal/store", Floor: 2, May: "root internal/secret internal/tracing", Modules: true},

	{Package: "internal/mail", Floor: 2, Modules: true},
	{Package: "internal/outgoing", Floor: 2, Modules: true},
	{Package: "internal/rules", Floor: 3, May: "root judge internal/store"},
	{Package: "internal/registry", Floor: 3, May: "root judge internal/secret internal/store internal/catalogue internal/export internal/hec internal/ledger internal/outgoing internal/providerjwt internal/rules internal/usage internal/verifiers internal/webhooks", Modules: true},
	{Package: "internal/identity", Floor: 3, May: "root internal/mail internal/secret internal/store", Modules: true},
	{Package: "internal/verify", Floor: 3, May: "root judge internal/secret internal/store internal/catalogue internal/rules internal/tracing", Modules: true},

	{Package: "internal/webhooks", Floor: 3, May: "root internal/outgoing internal/secret internal/store"},
	{Package: "internal/notices", Floor: 3, May: "root judge internal/mail internal/rules internal/store"},
	{Package: "internal/gateway", Floor: 4, May: "root internal/verify internal/web"},
	{Package: "internal/envoy", Floor: 4, May: "root internal/gateway internal/tracing internal/verify internal/web", Modules: true},
	{Package: "internal/api", Floor: 4, May: "root judge internal/gateway internal/providerjwt internal/registry internal/tracing internal/verify internal/web", Modules: true},
	{Package: "internal/console", Floor: 4, May: "root internal/identity internal/registry internal/tracing internal/web", Modules: true},

	{Package: "internal/server", Floor: 5, May: "anything", Modules: true},
	{Package: "cmd/...", Floor: 5, May: "anything", Modules: true},
	{Package: "counterfoiltest", Floor: 5, May: "anything", Modules: true},
	{Package: "examples/provider", Floor: 5},
	{Package: "bench/...", Floor: 5, May: "anything", Modules: true},
	{Package: "internal/e2e", Floor: 5, May: "anything", Modules: true},

	// Only tests import these, and tests are free.
	{Package: "internal/postgrestest/child", Floor: 1},
	{Package: "internal/postgrestest", Floor: 1, May: "internal/postgrestest/child", Modules: true},
	{Package: "internal/mailtest", Floor: 1, Modules: true},
	{Package: "internal/hectest", Floor: 1},
	{Package: "internal/otlptest", Floor: 1, Modules: true},
	{Package: "internal/nginxtest", Floor: 1, May: "internal/postgrestest/child", Modules: true},
	{Package: "internal/archtest", Floor: 1},
	{Package: "internal/acceptance", Floor: 5, May: "anything"},
	{Package: "internal/consistency", Floor: 5, May: "anything"},
	{Package: "internal/consistency/verifier", Floor: 5, May: "root client"},
	{Package: "internal/docstest", Floor: 1},
}

func TestFloors(t *testing.T) {
	root := os.DirFS("../..")
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "module "+module+"\n") {
		t.Fatalf("go.mod does not begin with module %s: this test looks at the wrong directory or knows the wrong name", module)
	}
	wrong, err := archtest.Check(root, module, floors)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestCheck(t *testing.T) {
	rules := []archtest.Rule{
		{Package: "", Floor: 1},
		{Package: "low", Floor: 1, May: "root"},
		{Package: "high", Floor: 2, May: "low", Modules: true},
		{Package: "hopeful", Floor: 1, May: "high"},
		{Package: "cmd/...", Floor: 3, May: "anything", Modules: true},
	}
	for _, test := range []struct{ name, file, text, want string }{
		{"standard library", "root.go", `package x; import "net/http"`, ""},
		{"module where none may be", "root.go", `package x; import "example.com/y"`, "no other modules here"},
		{"module where one may be", "high/a.go", `package high; import "example.com/y"`, ""},
		{"named", "high/a.go", `package high; import "m.test/x/low"`, ""},
		{"root, named", "low/a.go", `package low; import "m.test/x"`, ""},
		{"root, not named", "high/a.go", `package high; import "m.test/x"`, "may import low"},
		{"not named", "low/a.go", `package low; import "m.test/x/high"`, "may import root"},
		{"nothing named", "root.go", `package x; import "m.test/x/low"`, "may import nothing"},
		{"a package that only begins like one of ours", "root.go", `package x; import "m.test/xy"`, "no other modules here"},
		{"named, but a floor above", "hopeful/a.go", `package hopeful; import "m.test/x/high"`, "above its own floor"},
		{"anything", "cmd/x/main.go", `package main; import "m.test/x/high"`, ""},
		{"unknown package", "util/a.go", `package util`, "not in the table"},
		{"another system's file", "low/a_windows.go", `package low; import "example.com/y"`, "no other modules here"},
		{"test", "low/a_test.go", `package low; import "example.com/y"`, ""},
		{"testdata", "low/testdata/a.go", `package y; import "example.com/y"`, ""},
		{"nested module", "nested/sub/a.go", `package y; import "example.com/y"`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{
				"nested/go.mod": {Data: []byte("module y\n")},
				test.file:       {Data: []byte("// Package comment.\n" + test.text)},
			}
			expect(t, root, rules, test.want)
		})
	}
	t.Run("no comment", func(t *testing.T) {
		root := fstest.MapFS{"low/a.go": {Data: []byte("// Licence.\n\npackage low")}}
		expect(t, root, rules, "has no package comment")
		root["low/doc.go"] = &fstest.MapFile{Data: []byte("// Package low is low.\npackage low")}
		expect(t, root, rules, "")
	})
}

// expect fails unless the one finding holds want; "" means that there is none.
func expect(t *testing.T, root fstest.MapFS, rules []archtest.Rule, want string) {
	t.Helper()
	wrong, err := archtest.Check(root, "m.test/x", rules)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(wrong, "\n")
	if want == "" && got != "" || want != "" && (len(wrong) != 1 || !strings.Contains(got, want)) {
		t.Errorf("found %q, want %q", got, want)
	}
}
