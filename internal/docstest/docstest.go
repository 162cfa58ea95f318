// Package docstest holds the documentation to the code: links lead somewhere, and what the code has (errors, permissions,
// settings, metrics, dependencies, packages) is explained. It refuses to judge prose.
package docstest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Pages returns every Markdown file under root, by path. Directories that the go command ignores, test data and what a
// server or a build left are not read.
func Pages(root fs.FS) (map[string]string, error) {
	pages := map[string]string{}
	err := Files(root, ".md", func(name, text string) { pages[name] = text })
	return pages, err
}

// Files calls do with the path and text of every file under root whose name ends in suffix, as Pages reads them.
func Files(root fs.FS, suffix string, do func(name, text string)) error {
	return fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, suffix):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			do(name, string(text))
		}
		return err
	})
}

func skipped(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") || slices.Contains([]string{"testdata", "data", "bin"}, dir)
}

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```[ \t]*$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
)

// BrokenLinks says of every relative link of the pages under root that leads nowhere: to no file, or to no heading.
func BrokenLinks(root fs.FS) ([]string, error) {
	pages, err := Pages(root)
	if err != nil {
		return nil, err
	}
	var broken []string
	for name, text := range pages {
		text = code.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				continue // elsewhere
			}
			at := name
			if target != "" {
				at = path.Join(path.Dir(name), target)
			}
			if _, err := fs.Stat(root, at); err != nil {
				broken = append(broken, fmt.Sprintf("%s: %s: there is no such file", name, found[1]))
			} else if anchor != "" && !slices.Contains(anchors(pages[at]), anchor) {
				broken = append(broken, fmt.Sprintf("%s: %s: there is no such heading", name, found[1]))
			}
		}
	}
	slices.Sort(broken)
	return broken, nil
}

// anchors are the names of a page's headings as GitHub makes them.
func anchors(text string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(h[1])))
	}
	return names
}

// Unexplained returns the names that a page does not have between backticks.
func Unexplained(page string, names []string) (missing []string) {
	for _, name := range names {
		if !strings.Contains(page, "`"+name+"`") {
			missing = append(missing, name)
		}
	}
	return missing
}

// CodeBlocks returns what stands between ``` and a language in a page.
func CodeBlocks(page, language string) (blocks []string) {
	for _, block := range fence.FindAllString(page, -1) {
		first, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
		if strings.TrimSpace(first) == "```"+language {
			blocks = append(blocks, strings.TrimSuffix(rest, "```"))
		}
	}
	return blocks
}
