package counterfoil

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseEndpoint reads "METHOD /path/{parameter}". A fault says what is wrong with it.
func parseEndpoint(s string) (method string, segments []string, fault string) {
	method, path, _ := strings.Cut(s, " ")
	switch {
	case method != anyMethod && !isMethod(method):
		return "", nil, "want METHOD /path, the method in capitals, or * for any"
	case !strings.HasPrefix(path, "/"):
		return "", nil, "want METHOD /path, the path beginning with a slash"
	case strings.ContainsAny(path, "?#"):
		return "", nil, "a path has no query and no fragment"
	case hasEscape(path):
		return "", nil, "write characters as they are, not percent-encoded"
	case !isPlainPath(path):
		return "", nil, "a path has no empty segment but the last, no segment of dots, no backslash and no control character"
	}
	segments = strings.Split(path[1:], "/")
	for i, segment := range segments {
		name, open := strings.CutPrefix(segment, "{")
		name, closed := strings.CutSuffix(name, "}")
		name, rest := strings.CutSuffix(name, "...")
		switch {
		case segment == "*" || segment == "**":
			return "", nil, "there is no * in a path: want {name} for one segment, {name...} for the rest"
		case !strings.ContainsAny(segment, "{}"):
		case !open || !closed || !isWord(strings.ToLower(name), "_-"):
			return "", nil, "a parameter is a whole segment, {name} or {name...}"
		case rest && i < len(segments)-1:
			return "", nil, "{" + name + "...} is the rest of the path and must be the last segment"
		case rest:
			segments[i] = "{...}"
		default:
			segments[i] = "{}"
		}
	}
	return method, segments, ""
}

// methodSets maps a method or anyMethod to the permissions that open it.
type methodSets map[string]Permissions

func (m methodSets) open(method string) Permissions {
	if set, ok := m[method]; ok {
		return set
	}
	if set, ok := m["GET"]; ok && method == "HEAD" {
		return set
	}
	return m[anyMethod]
}

// endpointNode is a place in the tree of patterns, one level a segment.
type endpointNode struct {
	here    methodSets // of the patterns that end here
	literal map[string]*endpointNode
	param   *endpointNode
	rest    methodSets
}

func (n *endpointNode) add(method string, segments []string, permission string) {
	for _, segment := range segments {
		switch segment {
		case "{...}":
			n.rest = n.rest.with(method, permission)
			return
		case "{}":
			if n.param == nil {
				n.param = new(endpointNode)
			}
			n = n.param
		default:
			if n.literal == nil {
				n.literal = map[string]*endpointNode{}
			}
			if n.literal[segment] == nil {
				n.literal[segment] = new(endpointNode)
			}
			n = n.literal[segment]
		}
	}
	n.here = n.here.with(method, permission)
}

func (m methodSets) with(method, permission string) methodSets {
	if m == nil {
		m = methodSets{}
	}
	set := m[method]
	if i, ok := slices.BinarySearch(set, permission); !ok {
		m[method] = slices.Insert(set, i, permission)
	}
	return m
}

// find returns nil when no pattern fits. It visits each node at most once, whatever the path.
func (n *endpointNode) find(method, path string) Permissions {
	segment, tail, more := strings.Cut(path, "/")
	for i, child := range [2]*endpointNode{n.literal[segment], n.param} {
		if child == nil || i == 1 && segment == "" {
			continue
		}
		if !more {
			if set := child.here.open(method); set != nil {
				return set
			}
		} else if set := child.find(method, tail); set != nil {
			return set
		}
	}
	return n.rest.open(method)
}

// decodePath returns a request's path percent-decoded, if it is one that nobody can take for another. See Opens.
func decodePath(raw string) (string, bool) {
	if !strings.HasPrefix(raw, "/") || strings.ContainsAny(raw, " #;") {
		return "", false
	}
	path := raw
	if strings.Contains(raw, "%") {
		decoded, err := url.PathUnescape(raw)
		if err != nil || strings.Count(decoded, "/") != strings.Count(raw, "/") {
			return "", false
		}
		path = decoded
	}
	return path, isPlainPath(path)
}

// isPlainPath judges a decoded path that begins with a slash.
func isPlainPath(path string) bool {
	if !utf8.ValidString(path) || hasEscape(path) {
		return false
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return false
	}
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		// Some servers drop what follows a semicolon, some trailing spaces.
		name, _, _ := strings.Cut(segment, ";")
		if strings.Trim(name, ". ") == "" && (more || segment != "") {
			return false
		}
	}
	return true
}

func hasEscape(s string) bool {
	for i := range len(s) - 2 {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
