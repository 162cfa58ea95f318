package console

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// changing is what differs from run to run in a page whose clock stands still.
var changing = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`nonce="[A-Z2-7]+"`), `nonce="NONCE"`},
	{regexp.MustCompile(`(/assets/[a-z]+)\.[0-9a-f]{8}\.`), `$1.HASH.`},
	{regexp.MustCompile(`\b(tok|mem|rol|ipf|evt|ref|rcp|ses|usr|org)_[0-9A-Za-z]+`), `${1}_ID`},
	{regexp.MustCompile(`\bcfl_(pat|org|int)_\w{8}…\w{4}`), `cfl_${1}_HINT`},
	{regexp.MustCompile(`name="once" value="[A-Z2-7]+"`), `name="once" value="ONCE"`},
	{regexp.MustCompile(`/activity/[0-9]+`), `/activity/N`},
	{regexp.MustCompile(`localhost:[0-9]+`), `localhost:PORT`},
	{regexp.MustCompile(`>\s*<`), ">\n<"},
}

// TestGolden compares main pages with what they were; after a change that is meant, run it with -update and read the diff.
func TestGolden(t *testing.T) {
	l, p := lived(t)
	p.open("/o/acme/tokens")
	for name, path := range map[string]string{
		"tokens": "/o/acme/tokens", "all-tokens": "/o/acme/all-tokens", "new-token": "/o/acme/tokens/new", "token": "/o/acme/tokens/" + l.report.Token.ID,
		"revoke": "/o/acme/tokens/" + l.collector.Token.ID + "/revoke", "members": "/o/acme/members", "member": "/o/acme/members/" + l.member("linus@example.com").ID, "refusals": "/o/acme/refusals", "policy": "/o/acme/policies/personal",
	} {
		got := p.fetch(path)
		for _, c := range changing {
			got = c.form.ReplaceAllString(got, c.as)
		}
		got = strings.TrimSpace(got) + "\n"
		file := filepath.Join("testdata", "golden", name+".html")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s at %s", path, file, difference(got, string(want)))
		}
	}
}

// difference is the first line in which two texts differ.
func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "\n\t" + a[i] + "\n\twas " + b[i]
		}
	}
	return "its end"
}
