package counterfoil

import (
	"fmt"
	"slices"
	"strings"
)

// CatalogueRole is a role that every organization has, beside the built-in ones.
type CatalogueRole struct {
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
}

// Catalogue is what may be granted at all: the product's permissions and this service's own, the product's roles, and
// which permissions open which of the product's endpoints. It never changes once made; what its methods return is
// shared and must not be changed. The zero Catalogue holds nothing and opens nothing.
type Catalogue struct {
	rows      []Permission
	index     map[string]int // from a name into rows
	roles     []CatalogueRole
	all       Permissions
	byKind    map[Kind]Permissions
	people    Permissions
	byDefault Permissions
	endpoints endpointNode
}

// NewCatalogue compiles the product's permissions and roles, and adds OwnPermissions. A row without a title is titled by
// its name; one without kinds (nil, not empty) is for personal and organization tokens; one with no kinds at all is for
// system tokens alone. It returns either a catalogue or all the problems, at pointers such as /permissions/3/endpoints/1.
// The arguments stay the caller's.
func NewCatalogue(product []Permission, roles []CatalogueRole) (*Catalogue, []Problem) {
	b := &catalogueBuilder{index: map[string]int{}}
	for i, row := range product {
		b.permission(fmt.Sprintf("/permissions/%d", i), row)
	}
	for _, row := range OwnPermissions() {
		b.add(row)
	}
	named := map[string]bool{}
	for i, role := range roles {
		b.role(fmt.Sprintf("/roles/%d", i), role, named)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	c := &Catalogue{rows: b.rows, index: b.index, roles: b.roles, endpoints: b.endpoints, byKind: map[Kind]Permissions{}}
	c.all = c.where(func(Permission) bool { return true })
	c.byKind[KindSystem] = c.all
	for _, kind := range []Kind{KindPersonal, KindOrganization} {
		c.byKind[kind] = c.where(func(p Permission) bool { return slices.Contains(p.Kinds, kind) })
	}
	c.people = c.byKind[KindPersonal].Union(c.byKind[KindOrganization])
	c.byDefault = c.where(func(p Permission) bool { return p.Default }).Within(c.people)
	return c, nil
}

func (c *Catalogue) where(keep func(Permission) bool) Permissions {
	var names []string
	for _, p := range c.rows {
		if keep(p) {
			names = append(names, p.Name)
		}
	}
	return NewPermissions(names...)
}

// Permissions returns every row: the product's in the order of its file, then this service's own.
func (c *Catalogue) Permissions() []Permission { return c.rows }

// Lookup finds a row by its exact name.
func (c *Catalogue) Lookup(name string) (Permission, bool) {
	i, ok := c.index[name]
	if !ok {
		return Permission{}, false
	}
	return c.rows[i], true
}

// Roles returns the product's roles in the order of its file, each with a sorted set of permissions. A member holds of
// them what is in People.
func (c *Catalogue) Roles() []CatalogueRole { return c.roles }

// All returns the names of all rows.
func (c *Catalogue) All() Permissions { return c.all }

// ForKind returns what a token of a kind may hold at all: a system token everything, an integration token nothing.
func (c *Catalogue) ForKind(kind Kind) Permissions { return c.byKind[kind] }

// Default returns what the built-in role member holds: the rows marked default, as far as a person may hold them.
func (c *Catalogue) Default() Permissions { return c.byDefault }

// People returns what a person may hold, and so hand on: whatever a personal or an organization token can. It is what
// the roles owner and admin hold.
func (c *Catalogue) People() Permissions { return c.people }

// Opens returns the permissions any one of which opens an endpoint; false when the catalogue lists no such endpoint, and
// then the request is refused. Path is the request's, still percent-encoded; a query string is ignored.
//
// Of the patterns that fit, the most specific decides, segment by segment from the left: a literal before {x}, which is
// one whole segment that is not empty, before {x...}, which is the rest, perhaps empty. A pattern that does not list the
// method does not fit. HEAD is answered by GET where HEAD itself is not listed, and * is any method that is not listed
// beside it. A trailing slash counts, and so does the case of letters. Segments are compared percent-decoded.
//
// A gateway and the server behind it must not be able to take one path for two. So these never match: a path that does
// not begin with a slash; one with an empty segment other than the last, or with a segment of dots alone or of dots
// before a semicolon; with a backslash or a control character, encoded or not; with a space, # or ; that is not encoded;
// with an encoded slash; with bytes that are not UTF-8; with a percent-encoding that is invalid, or that is still one
// when decoded once. A method that is not in capital letters never matches either.
func (c *Catalogue) Opens(method, path string) (Permissions, bool) {
	path, _, _ = strings.Cut(path, "?")
	path, ok := decodePath(path)
	if !ok || !isMethod(method) {
		return nil, false
	}
	set := c.endpoints.find(method, path[1:])
	return set, set != nil
}

type catalogueBuilder struct {
	rows      []Permission
	index     map[string]int
	roles     []CatalogueRole
	endpoints endpointNode
	problems  []Problem
}

func (b *catalogueBuilder) fault(pointer, format string, args ...any) {
	b.problems = append(b.problems, Problem{Pointer: pointer, Code: CodeValidationFailed, Detail: fmt.Sprintf(format, args...)})
}

// add takes a row in even when it has faults, so that what refers to it is not a fault too.
func (b *catalogueBuilder) add(p Permission) {
	b.index[p.Name] = len(b.rows)
	b.rows = append(b.rows, p)
}

func (b *catalogueBuilder) permission(at string, p Permission) {
	_, twice := b.index[p.Name]
	switch {
	case p.Name == "":
		b.fault(at+"/name", "a permission needs a name")
	case len(p.Name) > 100:
		b.fault(at+"/name", "permission %.40q…: a name has at most 100 characters", p.Name)
	case !isPermissionName(p.Name):
		b.fault(at+"/name", "permission %.100q: a name is resource:action, each of a-z, 0-9, dot, - and _", p.Name)
	case IsReserved(p.Name):
		b.fault(at+"/name", "permission %.100q: names that begin with %s are this service's own", p.Name, Reserved)
	case twice:
		b.fault(at+"/name", "permission %.100q is listed twice", p.Name)
	}
	if p.Title == "" {
		p.Title = p.Name
	}
	p.Kinds = b.kinds(at, p)
	p.Endpoints = append([]string{}, p.Endpoints...)
	for i, endpoint := range p.Endpoints {
		method, segments, fault := parseEndpoint(endpoint)
		if fault != "" {
			b.fault(fmt.Sprintf("%s/endpoints/%d", at, i), "permission %.100q: endpoint %.100q: %s", p.Name, endpoint, fault)
			continue
		}
		b.endpoints.add(method, segments, p.Name)
	}
	b.add(p)
}

// kinds returns the row's kinds in a fixed order, each once.
func (b *catalogueBuilder) kinds(at string, p Permission) []Kind {
	listable := []Kind{KindPersonal, KindOrganization}
	if p.Kinds == nil {
		return listable
	}
	for i, kind := range p.Kinds {
		at := fmt.Sprintf("%s/kinds/%d", at, i)
		switch kind {
		case KindPersonal, KindOrganization:
		case KindSystem:
			b.fault(at, "permission %.100q: kind system is not listed: a system token may hold every permission", p.Name)
		case KindIntegration:
			b.fault(at, "permission %.100q: kind integration is not listed: an integration token holds no permissions", p.Name)
		default:
			b.fault(at, "permission %.100q: unknown kind %.100q: want personal or organization", p.Name, kind)
		}
	}
	return slices.DeleteFunc(listable, func(k Kind) bool { return !slices.Contains(p.Kinds, k) })
}

func (b *catalogueBuilder) role(at string, role CatalogueRole, named map[string]bool) {
	switch {
	case role.Name == "":
		b.fault(at+"/name", "a role needs a name")
	case role.Name == RoleOwner || role.Name == RoleAdmin || role.Name == RoleMember:
		b.fault(at+"/name", "role %.100q is built in", role.Name)
	case !isRoleName(role.Name):
		b.fault(at+"/name", "role %.100q: a name is a lower-case letter or digit, then those, - or _, at most 63 characters", role.Name)
	case named[role.Name]:
		b.fault(at+"/name", "role %.100q is listed twice", role.Name)
	}
	named[role.Name] = true
	for i, name := range role.Permissions {
		at := fmt.Sprintf("%s/permissions/%d", at, i)
		if row, ok := b.index[name]; !ok {
			b.fault(at, "role %.100q: there is no permission %.100q", role.Name, name)
		} else if len(b.rows[row].Kinds) == 0 {
			b.fault(at, "role %.100q: only system tokens may hold permission %.100q", role.Name, name)
		}
	}
	b.roles = append(b.roles, CatalogueRole{Name: role.Name, Permissions: NewPermissions(role.Permissions...)})
}

func isPermissionName(s string) bool {
	resource, action, ok := strings.Cut(s, ":")
	return ok && isWord(resource, "_.-") && isWord(action, "_.-")
}

func isRoleName(s string) bool {
	return len(s) <= 63 && isWord(s, "_-") && s[0] != '_' && s[0] != '-'
}

// isWord reports whether s is not empty and of lower-case letters, digits and the others alone.
func isWord(s, others string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789"+others) == ""
}

func isMethod(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

const anyMethod = "*"
