package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the golden files")

// TestHelp compares the help of every verb with testdata/help.golden, which is what people read.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "")
	var all bytes.Buffer
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		var path []string
		if node.Type == kong.CommandNode {
			path = strings.Fields(strings.TrimPrefix(node.Path(), "counterfoil "))
		}
		all.WriteString(help(t, path, len(node.Children) == 0 && node.Name != "version"))
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&session{out: io.Discard, err: io.Discard}, new(cli)).Model.Node)

	const golden = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(golden, all.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(all.Bytes(), want) {
		got := strings.Split(all.String(), "\n")
		for i, line := range strings.Split(string(want), "\n") {
			if i >= len(got) || got[i] != line {
				t.Fatalf("line %d of the help differs from %s: run go test ./cmd/counterfoil -run TestHelp -update, and read the change\nwant %q\ngot  %q", i+1, golden, line, got[min(i, len(got)-1)])
			}
		}
		t.Fatalf("the help is longer than %s", golden)
	}
}

// help is what --help prints for a verb; one that does something shows an example.
func help(t *testing.T, path []string, example bool) string {
	t.Helper()
	var out, err bytes.Buffer
	none := func(string) (string, bool) { return "", false }
	if status := run(context.Background(), append(path, "--help"), none, strings.NewReader(""), &out, &err); status != done || err.Len() > 0 {
		t.Errorf("%v --help exits with %d: %s", path, status, err.String())
	}
	if example && !strings.Contains(out.String(), "\n    "+strings.Join(append([]string{"counterfoil"}, path...), " ")) &&
		!strings.Contains(out.String(), "(counterfoil "+strings.Join(path, " ")) && !strings.Contains(out.String(), "| counterfoil "+strings.Join(path, " ")) {
		t.Errorf("%v --help has no example line", path)
	}
	return "$ " + strings.Join(append([]string{"counterfoil"}, path...), " ") + " --help\n" + out.String() + "\n"
}
