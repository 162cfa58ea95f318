package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// givenWords says again which settings the command line gave, so that the next command works on the same place:
// " --data d --prefix acme". A database URL is written without its password. The catalogue is left out, which setup copies, and
// those of the environment are named alone, in a comment at the end: they are likely to be there still.
func givenWords(parsed *kong.Context, found map[string]setting) string {
	var words strings.Builder
	var variables []string
	for _, f := range parsed.Flags() {
		s, given := found[keyOf(f)]
		switch {
		case !given || !f.Tag.Has("setting") || f.Name == "catalogue":
			continue
		case s.rank == fromEnvironment:
			variables = append(variables, variableOf(keyOf(f)))
			continue
		}
		value := fmt.Sprint(f.Target)
		if list, ok := f.Target.Interface().([]string); ok {
			value = strings.Join(list, ",")
		}
		if f.Name == "database-url" {
			value = withoutPassword(value)
		}
		fmt.Fprintf(&words, " --%s %s", f.Name, quoted(value))
	}
	if strings.Contains(words.String(), ":xxxxx@") {
		words.WriteString("   # xxxxx is the password")
	}
	if len(variables) > 0 {
		fmt.Fprintf(&words, "   # with %s as it is here", strings.Join(variables, ", "))
	}
	return words.String()
}

// withoutPassword writes xxxxx for the password of a database URL; … where it may be anywhere in it.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") || strings.Contains(u.RawQuery, "password") {
		return "…"
	}
	return u.Redacted()
}

// ignored says which variables of the environment look like settings and are none; empty: there is none such.
func (s *session) ignored() string {
	var names []string
	for name := range s.environ {
		key, ours := strings.CutPrefix(name, "COUNTERFOIL_")
		if ours && !slices.Contains([]string{"URL", "TOKEN", "TOKEN_FILE"}, key) && !ofKubernetes.MatchString(name) && !isSetting(strings.ToLower(key)) {
			names = append(names, name)
		}
	}
	if names == nil {
		return ""
	}
	slices.Sort(names)
	return "ignored, because there is no such setting: " + strings.Join(names, ", ")
}

// ofKubernetes matches the variables that Kubernetes gives every container where a Service has our name.
var ofKubernetes = regexp.MustCompile(`_SERVICE_(HOST|PORT)|_PORT(_|$)`)

// emptyDatabase names a variable that was to say where the database is and is empty, as where what it was to come from is not set.
func (s *session) emptyDatabase() string {
	for _, name := range []string{"COUNTERFOIL_DATABASE_URL", "COUNTERFOIL_DATABASE_URL_FILE"} {
		if value, set := s.environ[name]; set && value == "" {
			return name
		}
	}
	return ""
}
