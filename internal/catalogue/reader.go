package catalogue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
	"go.yaml.in/yaml/v3"
)

// reader turns nodes into rows. It keeps the place of every row as it reads on, whatever it finds: the third row of the
// file is the third that it returns.
type reader struct {
	lines    map[string]int  // the line of each JSON Pointer
	faulty   map[string]bool // the pointers that could not be read
	problems []Problem
	subject  string // the row that is being read, as problems name it
}

func (r *reader) file(root *yaml.Node) (product []counterfoil.Permission, roles []counterfoil.CatalogueRole) {
	if root.ShortTag() == "!!null" {
		return nil, nil
	}
	top := r.mapping("", root, "permissions", "roles")
	for i, n := range r.list("/permissions", top["permissions"]) {
		product = append(product, r.permission(fmt.Sprintf("/permissions/%d", i), n))
	}
	r.subject = ""
	for i, n := range r.list("/roles", top["roles"]) {
		roles = append(roles, r.role(fmt.Sprintf("/roles/%d", i), n))
	}
	if r.faulty["/permissions"] {
		return nil, nil // or every role would name a permission that is not there
	}
	return product, roles
}

func (r *reader) permission(at string, n *yaml.Node) counterfoil.Permission {
	r.name("permission", n)
	m := r.mapping(at, n, "name", "title", "group", "description", "kinds", "default", "endpoints")
	p := counterfoil.Permission{
		Name:        r.text(at+"/name", m["name"]),
		Title:       r.text(at+"/title", m["title"]),
		Group:       r.text(at+"/group", m["group"]),
		Description: r.text(at+"/description", m["description"]),
		Default:     r.flag(at+"/default", m["default"]),
		Endpoints:   r.texts(at+"/endpoints", m["endpoints"]),
	}
	if kinds := r.texts(at+"/kinds", m["kinds"]); kinds != nil {
		p.Kinds = make([]counterfoil.Kind, len(kinds))
		for i, kind := range kinds {
			p.Kinds[i] = counterfoil.Kind(kind)
		}
	}
	return p
}

func (r *reader) role(at string, n *yaml.Node) counterfoil.CatalogueRole {
	r.name("role", n)
	m := r.mapping(at, n, "name", "permissions")
	return counterfoil.CatalogueRole{Name: r.text(at+"/name", m["name"]), Permissions: r.texts(at+"/permissions", m["permissions"])}
}

// name sets the subject from a row's name, if it has one.
func (r *reader) name(noun string, n *yaml.Node) {
	r.subject = noun + ": "
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		if value := n.Content[i+1]; n.Content[i].Value == "name" && value.ShortTag() == "!!str" {
			r.subject = fmt.Sprintf("%s %.100q: ", noun, value.Value)
			return
		}
	}
}

// mapping returns the values of the known keys, but for those that are null, which is as good as absent.
func (r *reader) mapping(at string, n *yaml.Node, known ...string) map[string]*yaml.Node {
	if !r.is(at, n, "!!map", "keys and values") {
		return nil
	}
	seen, values := map[string]bool{}, map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fault(key, "a key must be a word")
		case !slices.Contains(known, key.Value):
			r.fault(key, "unknown key %.100q: want %s", key.Value, strings.Join(known, ", "))
		case seen[key.Value]:
			r.fault(key, "key %.100q is there twice", key.Value)
		case value.ShortTag() != "!!null":
			values[key.Value] = value
		}
		seen[key.Value] = true
	}
	return values
}

// list, texts, text and flag take a nil node for an absent value, which is the zero value.
func (r *reader) list(at string, n *yaml.Node) []*yaml.Node {
	if n == nil || !r.is(at, n, "!!seq", "a list") {
		return nil
	}
	return n.Content
}

func (r *reader) texts(at string, n *yaml.Node) []string {
	if n == nil || !r.is(at, n, "!!seq", "a list") {
		return nil
	}
	out := make([]string, len(n.Content))
	for i, item := range n.Content {
		out[i] = r.text(fmt.Sprintf("%s/%d", at, i), item)
	}
	return out
}

func (r *reader) text(at string, n *yaml.Node) string {
	if n == nil || !r.is(at, n, "!!str", "a text") {
		return ""
	}
	return n.Value
}

func (r *reader) flag(at string, n *yaml.Node) bool {
	if n == nil || !r.is(at, n, "!!bool", "true or false") {
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// is notes where n stands and reports whether it is of the type that the tag names; if not, that is a problem.
func (r *reader) is(at string, n *yaml.Node, tag, want string) bool {
	r.lines[at] = n.Line
	if n.ShortTag() == tag {
		return true
	}
	r.faulty[at] = true
	what := at[strings.LastIndexByte(at, '/')+1:]
	if i, err := strconv.Atoi(what); err == nil {
		what = fmt.Sprintf("entry %d", i+1)
	} else if at == "" {
		what = "the file"
	}
	r.fault(n, "%s: want %s, not %s", what, want, kindOf(n))
	return false
}

func kindOf(n *yaml.Node) string {
	switch tag := n.ShortTag(); tag {
	case "!!str":
		return fmt.Sprintf("the text %.40q", n.Value)
	case "!!int", "!!float", "!!bool", "!!timestamp":
		return fmt.Sprintf("%.40s (put it in quotes to make it a text)", n.Value)
	case "!!null":
		return "nothing"
	case "!!seq":
		return "a list"
	case "!!map":
		return "keys and values"
	default:
		return "something tagged " + tag
	}
}

func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{n.Line, r.subject + fmt.Sprintf(format, args...)})
}

func (r *reader) refuseAnchors(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		r.fault(n, "*%s: aliases are not allowed, write it out", n.Value)
	}
	if n.Anchor != "" {
		r.fault(n, "&%s: anchors are not allowed, write it out", n.Anchor)
	}
	for _, child := range n.Content {
		r.refuseAnchors(child)
	}
}
