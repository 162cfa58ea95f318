// Package archtest keeps the packages on their floors: who may import whom is a table in its test, and a package that
// is not in the table does not pass. It reads the source only, whatever the build tags say, and it refuses to judge
// anything but imports and the presence of a package comment.
package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Rule is what one package may import besides the standard library.
type Rule struct {
	Package string // its directory below the module's root; "" is the root package, "bench/..." is a tree
	Floor   int    // its own imports lie on the same floor or below
	May     string // our packages, separated by spaces: directories, "root", or "anything"
	Modules bool   // whether it may import other modules
}

// Check reads every Go file of the module in root that is not a test, and returns what breaks the rules, in words,
// sorted. Nested modules and directories that the go command ignores are not read.
func Check(root fs.FS, module string, rules []Rule) ([]string, error) {
	packages, err := read(root)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for dir, p := range packages {
		name := module
		if dir != "" {
			name += "/" + dir
		}
		if !p.documented {
			wrong = append(wrong, name+" has no package comment: say what it is and what it refuses to be")
		}
		rule, ok := find(rules, dir)
		if !ok {
			wrong = append(wrong, name+" is not in the table of floors: give it a row that says what it may import, or put its code into a package that has one")
			continue
		}
		for imported, file := range p.imports {
			if reason := rule.refuses(rules, module, imported); reason != "" {
				wrong = append(wrong, fmt.Sprintf("%s imports %s (in %s): %s", name, imported, file, reason))
			}
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// refuses says why the package of rule may not import imported; "" means that it may.
func (r Rule) refuses(rules []Rule, module, imported string) string {
	dir, ours := strings.CutPrefix(imported+"/", module+"/")
	if !ours {
		first, _, _ := strings.Cut(imported, "/")
		if strings.Contains(first, ".") && !r.Modules {
			return "no other modules here"
		}
		return ""
	}
	dir = strings.TrimSuffix(dir, "/")
	named := dir
	if dir == "" {
		named = "root"
	}
	may := strings.Fields(r.May)
	if !slices.Contains(may, named) && !slices.Contains(may, "anything") {
		return fmt.Sprintf("of ours it may import %s", cmp.Or(r.May, "nothing"))
	}
	if target, ok := find(rules, dir); ok && target.Floor > r.Floor {
		return fmt.Sprintf("that is floor %d, above its own floor %d", target.Floor, r.Floor)
	}
	return ""
}

func find(rules []Rule, dir string) (Rule, bool) {
	for _, r := range rules {
		tree, isTree := strings.CutSuffix(r.Package, "/...")
		if r.Package == dir || isTree && (dir == tree || strings.HasPrefix(dir, tree+"/")) {
			return r, true
		}
	}
	return Rule{}, false
}

// source is what one package's files say.
type source struct {
	imports    map[string]string // import path → a file that has it
	documented bool
}

func read(root fs.FS) (map[string]*source, error) {
	packages := make(map[string]*source)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(root, name, entry)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || ignored(entry.Name()) {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path.Dir(name), ".")
		if packages[dir] == nil {
			packages[dir] = &source{imports: make(map[string]string)}
		}
		return packages[dir].add(name, file)
	})
	return packages, err
}

func (s *source) add(name string, file *ast.File) error {
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.imports[imported] = name
	}
	s.documented = s.documented || strings.TrimSpace(file.Doc.Text()) != ""
	return nil
}

func skipDir(root fs.FS, name string, entry fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if ignored(entry.Name()) || entry.Name() == "testdata" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func ignored(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }
