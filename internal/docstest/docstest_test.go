package docstest_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/docstest"
	"github.com/counterfoil/counterfoil/internal/web"
)

var root = os.DirFS("../..")

// read returns a file of the module.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// explained fails for every name that the page lacks. Fewer names than least mean that the test looks in the wrong place.
func explained(t *testing.T, page string, least int, names []string) {
	t.Helper()
	if len(names) < least {
		t.Fatalf("only %q were found: this test reads the code wrongly", names)
	}
	for _, name := range docstest.Unexplained(read(t, page), names) {
		t.Errorf("%s does not explain %s", page, name)
	}
}

func TestLinks(t *testing.T) {
	pages, err := docstest.Pages(root)
	if err != nil || len(pages) < 10 || pages["README.md"] == "" {
		t.Fatalf("%d pages, %v: this test looks at the wrong directory", len(pages), err)
	}
	broken, err := docstest.BrokenLinks(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

func TestErrors(t *testing.T) {
	var names []string
	for _, code := range append(web.Codes(), counterfoil.CodeOK) {
		names = append(names, string(code))
	}
	explained(t, "docs/errors.md", 30, names)
}

func TestPermissions(t *testing.T) {
	var names []string
	for _, p := range counterfoil.OwnPermissions() {
		names = append(names, p.Name)
	}
	explained(t, "docs/catalogue.md", 15, names)
}

// TestDependencies goes by what the source imports: the comments of go.mod need not be right.
func TestDependencies(t *testing.T) {
	direct, err := directModules(root)
	if err != nil {
		t.Fatal(err)
	}
	explained(t, "docs/dependencies.md", 10, direct)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		if !slices.Contains(direct, row[1]) {
			t.Errorf("docs/dependencies.md explains %s, which nothing imports", row[1])
		}
	}
}

// directModules are the modules of go.mod that a file of this module imports, or that go.mod does not call indirect.
func directModules(root fs.FS) ([]string, error) {
	text, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	required, direct := map[string]bool{}, map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(text), -1) {
		required[row[1]] = true
		if row[2] == "" {
			direct[row[1]] = true
		}
	}
	nested := map[string]bool{}
	if err := docstest.Files(root, "go.mod", func(name, _ string) { nested[path.Dir(name)] = name != "go.mod" }); err != nil {
		return nil, err
	}
	fault := docstest.Files(root, ".go", func(name, text string) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if nested[dir] {
				return
			}
		}
		file, fault := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if fault != nil {
			err = fault
			return
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			for ; imported != "."; imported = path.Dir(imported) {
				if required[imported] {
					direct[imported] = true
					break
				}
			}
		}
	})
	if fault != nil {
		return nil, fault
	}
	return slices.Sorted(maps.Keys(direct)), err
}

func TestSettings(t *testing.T) {
	var names []string
	for _, field := range regexp.MustCompile("(?m)^\t([A-Z][A-Za-z]+) +[^`\n]+ `setting:\"\"(.*)$").FindAllStringSubmatch(read(t, "cmd/counterfoil/config.go"), -1) {
		if strings.Contains(field[2], `hidden:""`) {
			continue
		}
		name := regexp.MustCompile("([a-z])([A-Z])|([A-Z])([A-Z][a-z])").ReplaceAllString(field[1], "$1$3-$2$4")
		names = append(names, "--"+strings.ToLower(name), "COUNTERFOIL_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	explained(t, "docs/operating.md", 30, names)
}

// TestVerbs goes by the command's own help, which its tests keep.
func TestVerbs(t *testing.T) {
	var names []string
	for _, usage := range regexp.MustCompile(`(?m)^Usage: counterfoil ((?:[a-z-]+ ?)+)(.*)$`).FindAllStringSubmatch(read(t, "cmd/counterfoil/testdata/help.golden"), -1) {
		if usage[2] != "<command>" {
			verb, _, _ := strings.Cut(usage[1], " --")
			names = append(names, strings.TrimSpace(verb))
		}
	}
	explained(t, "docs/cli.md", 30, names)
}

func TestMetrics(t *testing.T) {
	page := read(t, "docs/operating.md")
	found := regexp.MustCompile(`"(counterfoil_[a-z_]+)"`).FindAllStringSubmatch(read(t, "internal/server/admin.go"), -1)
	if len(found) < 5 {
		t.Fatalf("only %q were found: this test reads the code wrongly", found)
	}
	for _, name := range found {
		if !strings.Contains(page, name[1]) {
			t.Errorf("docs/operating.md does not explain %s", name[1])
		}
	}
}

func TestPackagesAreOnTheMap(t *testing.T) {
	var dirs []string
	err := docstest.Files(root, ".go", func(name, _ string) {
		if dir := path.Dir(name); dir != "." && !slices.Contains(dirs, dir) {
			if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err != nil {
				dirs = append(dirs, dir)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	explained(t, "ARCHITECTURE.md", 15, dirs)
}

// TestNamedTestsExist finds promises whose test was renamed or removed.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{}
	if err := docstest.Files(root, "_test.go", func(_, text string) {
		for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(text, -1) {
			exists[found[1]] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	pages, err := docstest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for page, text := range pages {
		for _, found := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
			named++
			if !exists[found[1]] {
				t.Errorf("%s names %s, which is nowhere", page, found[1])
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test: this test reads them wrongly")
	}
}

// TestClientPage keeps the code of docs/client.md in client_page_test.go, where it is compiled.
func TestClientPage(t *testing.T) {
	source, err := os.ReadFile("client_page_test.go")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	blocks := docstest.CodeBlocks(read(t, "docs/client.md"), "go")
	if len(blocks) < 4 {
		t.Fatalf("%d blocks of code: this test reads the page wrongly", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(plain(string(source)), plain(block)) {
			t.Errorf("client_page_test.go does not have this of docs/client.md:\n%s", block)
		}
	}
}

func TestBrokenLinks(t *testing.T) {
	for _, test := range []struct{ page, want string }{
		{"[a](docs/b.md)", ""},
		{"[a](docs/b.md#two-words-and-ac)", ""},
		{"# Here\n[a](#here)", ""},
		{"[a](https://example.com/x)", ""},
		{"![a](docs/c.svg)", "no such file"},
		{"[a](docs/missing.md)", "no such file"},
		{"[a](docs/b.md#three)", "no such heading"},
		{"[a](#there)", "no such heading"},
		{"```\n[a](docs/missing.md)\n```", ""},
		{"`[a](docs/missing.md)`", ""},
	} {
		root := fstest.MapFS{"a.md": {Data: []byte(test.page)}, "docs/b.md": {Data: []byte("# b\n\n## Two words, and `a.c`\n")}}
		broken, err := docstest.BrokenLinks(root)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(broken); (test.want == "") != (len(broken) == 0) || !strings.Contains(got, test.want) {
			t.Errorf("%q: found %s, want %q", test.page, got, test.want)
		}
	}
}
