package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

const golden = "testdata/help.golden"

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

// tried sees to it that the example of a verb is run by testdata/script/examples.txtar; those of the verbs that run until
// they are stopped, or need a month to have ended, are only parsed.
func tried(t *testing.T, path []string, example string) {
	t.Helper()
	verb := strings.Join(path, " ")
	script, err := os.ReadFile("testdata/script/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case example == "":
		t.Errorf("%s --help has no example line", verb)
	case verb == "serve" || verb == "quickstart" || verb == "events tail" || verb == "provider adjust":
		words := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(example, -1)
		if _, err := newParser(&session{out: io.Discard, err: io.Discard}, new(cli)).Parse(words[1:]); err != nil {
			t.Errorf("the example of %s: %v", verb, err)
		}
	case !regexp.MustCompile(`(?m)^example ` + verb + `($| \S+=)`).Match(script):
		t.Errorf("testdata/script/examples.txtar does not run the example of %s", verb)
	}
}

// help is what --help prints for a verb; one that does something shows an example.
func help(t *testing.T, path []string, example bool) string {
	t.Helper()
	var out, err bytes.Buffer
	if status := run(context.Background(), append(path, "--help"), nil, strings.NewReader(""), &out, &err); status != done || err.Len() > 0 {
		t.Errorf("%v --help exits with %d: %s", path, status, err.String())
	}
	if example {
		tried(t, path, exampleOf(out.String(), path))
	}
	return "$ " + strings.Join(append([]string{"counterfoil"}, path...), " ") + " --help\n" + out.String() + "\n"
}
