package docstest_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/docstest"
)

// TestVerifierPage: the program of docs/verifier.md is whole: it builds as it stands, after the page's own commands.
func TestVerifierPage(t *testing.T) {
	page := read(t, "docs/verifier.md")
	_, rest, _ := strings.Cut(page, "```go\n")
	program, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("there is no program")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// The sums of what is needed are known here already: no server has to be asked for them, only for what no build here needed yet.
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte(read(t, "go.sum")), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := []string{"go build -o " + os.DevNull + " ."}
	for line := range strings.Lines(page[:len(page)-len(rest)]) {
		if command, is := strings.CutPrefix(line, "$ go "); is {
			commands = slices.Insert(commands, len(commands)-1, "go "+strings.Replace(strings.TrimSpace(command), "=../counterfoil", "="+module, 1))
		}
	}
	for _, command := range commands {
		words := strings.Fields(command)
		run := exec.CommandContext(t.Context(), words[0], words[1:]...)
		run.Dir, run.Env = dir, append(os.Environ(), "GOWORK=off")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

// A token that a page has written into a file of the repository is not committed.
func TestTokenFilesAreIgnored(t *testing.T) {
	pages, err := docstest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored, n := strings.Fields(read(t, ".gitignore")), 0
	for name, text := range pages {
		for _, found := range regexp.MustCompile(`> ([a-z]+\.token)\b`).FindAllStringSubmatch(text, -1) {
			n++
			if !slices.ContainsFunc(ignored, func(pattern string) bool { is, err := path.Match(pattern, found[1]); return is && err == nil }) {
				t.Errorf("%s writes %s, which git takes along", name, found[1])
			}
		}
	}
	if n < 3 {
		t.Errorf("%d files: this test reads the pages wrongly", n)
	}
}

// The token that outlasts the first day can do all that an operator does, so that none has to be made with the server stopped.
func TestLastingToken(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "docs/operating.md"), "system-token create --name operator --permission ")
	held := strings.Split(strings.Fields(rest)[0], ",")
	for _, p := range counterfoil.OwnPermissions() {
		if slices.Contains(held, p.Name) == (p.Name == counterfoil.PermConsoleSessionsWrite) {
			t.Errorf("%s: the lasting token of docs/operating.md is not what the page says", p.Name)
		}
	}
}
