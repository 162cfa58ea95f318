package catalogue

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

const good = `# the product's permissions
permissions:
  - {name: devices:read, title: Read devices, group: Devices, description: See them., kinds: [personal, organization], default: true,
     endpoints: ["GET /api/devices", "GET /api/devices/{id}"]}
  - name: devices:write
    title: "2024"
    kinds: [organization]
    endpoints:
      - POST /api/devices
  - name: gate:open
    kinds: []
  - name: plain:one
    title:
    kinds: ~
    default: null
roles:
  - {name: operator, permissions: [devices:read, devices:write, "counterfoil.activity:read"]}
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	read, _ := c.Lookup("devices:read")
	if read.Title != "Read devices" || read.Group != "Devices" || read.Description != "See them." || !read.Default || len(read.Kinds) != 2 {
		t.Errorf("devices:read is %+v", read)
	}
	write, _ := c.Lookup("devices:write")
	if write.Title != "2024" || write.Default || !slices.Equal(write.Kinds, []counterfoil.Kind{counterfoil.KindOrganization}) {
		t.Errorf("devices:write is %+v", write)
	}
	if gate, _ := c.Lookup("gate:open"); len(gate.Kinds) != 0 {
		t.Errorf("gate:open is %+v, want no kinds", gate)
	}
	if plain, _ := c.Lookup("plain:one"); len(plain.Kinds) != 2 || plain.Title != "plain:one" {
		t.Errorf("plain:one is %+v, want null to be as good as absent", plain)
	}
	if set, ok := c.Opens("GET", "/api/devices/7"); !ok || !set.Has("devices:read") {
		t.Errorf("Opens = %v, %v", set, ok)
	}
	if roles := c.Roles(); len(roles) != 1 || roles[0].Name != "operator" || len(roles[0].Permissions) != 3 {
		t.Errorf("Roles = %+v", roles)
	}
}

func TestParseNothing(t *testing.T) {
	for _, src := range []string{"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~", "{}", "permissions:\nroles:\n", "permissions: []"} {
		c, err := Parse([]byte(src))
		if err != nil {
			t.Errorf("Parse(%q): %v", src, err)
			continue
		}
		if len(c.All()) != len(counterfoil.OwnPermissions()) {
			t.Errorf("Parse(%q) holds %v", src, c.All())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string // the lines of the error, each from its beginning
	}{
		{"everything at once", `permissions:
  - name: Devices
    titel: x
    kinds: [personal, system]
    endpoints: ["GET /ok",
      "get /a"]
  - {title: no name}
  - just text
  - name: 7
  - name: a:b
    name: a:c
    default: yes
    title: true
    group: [x]
    kinds: personal
    endpoints: [GET /a, 5, ~]
roles:
  - name: owner
    permissions: [a:b, x:y]
  - permissions: {a:b: 1}
    members: []
extra: 1
`, []string{
			`line 2: permission "Devices": a name is resource:action`,
			`line 3: permission "Devices": unknown key "titel": want name, title,`,
			`line 4: permission "Devices": kind system`,
			`line 6: permission "Devices": endpoint "get /a": want METHOD`,
			`line 7: a permission needs a name`,
			`line 8: permission: entry 3: want keys and values, not the text "just text"`,
			`line 9: permission: name: want a text, not 7 (put it in quotes`,
			`line 11: permission "a:b": key "name" is there twice`,
			`line 12: permission "a:b": default: want true or false, not the text "yes"`,
			`line 13: permission "a:b": title: want a text, not true`,
			`line 14: permission "a:b": group: want a text, not a list`,
			`line 15: permission "a:b": kinds: want a list, not the text "personal"`,
			`line 16: permission "a:b": entry 2: want a text, not 5`,
			`line 16: permission "a:b": entry 3: want a text, not nothing`,
			`line 18: role "owner" is built in`,
			`line 19: role "owner": there is no permission "x:y"`,
			`line 20: role: permissions: want a list, not keys and values`,
			`line 20: a role needs a name`,
			`line 21: role: unknown key "members": want name, permissions`,
			`line 22: unknown key "extra": want permissions, roles`,
		}},
		{"not a mapping", "- name: a:b\n", []string{"line 1: the file: want keys and values, not a list"}},
		{"not a list", "permissions: {a: b}\nroles:\n- {name: x, permissions: [a:b]}\n", []string{"line 1: permissions: want a list, not keys and values"}},
		{"key twice", "permissions: []\npermissions: []\n", []string{`line 2: key "permissions" is there twice`}},
		{"key twice, null first", "permissions:\npermissions: []\n", []string{`line 2: key "permissions" is there twice`}},
		{"key of lists", "? [a]\n: b\n", []string{"line 1: a key must be a word"}},
		{"merge key", "permissions:\n- {<<: {name: a:b}, name: a:c}\n", []string{`line 2: permission "a:c": unknown key "<<"`}},
		{"tag", "permissions:\n- {name: !!binary YTpi}\n", []string{"line 2: permission: name: want a text, not something tagged !!binary"}},
		{"own tag", "permissions:\n- !row {name: a:b}\n", []string{"line 2: permission \"a:b\": entry 1: want keys and values, not something tagged !row"}},
		{"anchor", "permissions: &a []\n", []string{"line 1: &a: anchors are not allowed"}},
		{"alias bomb", "a: &a [x]\nb: &b [*a, *a]\nroles: [*b]\n", []string{"line 1: &a", "line 2: &b", "line 2: *a", "line 2: *a", "line 3: *b"}},
		{"alias of itself", "roles: &a [*a]\n", []string{"line 1: &a", "line 1: *a"}},
		{"two documents", "permissions: []\n---\nroles: []\n", []string{"line 2: a second document begins here"}},
		{"second document damaged", "permissions: []\n---\n\"\n", []string{"line 3: not YAML, here or just after: "}},
		{"syntax", "permissions:\n  - {name: a:b\nroles: []\n", []string{"line 1: not YAML, here or just after: "}},
		{"tab", "permissions:\n\t- x\n", []string{"line 2: not YAML, here or just after: "}},
		{"control character", "a: \x01\n", []string{"not YAML: control characters"}},
		{"too large", strings.Repeat("#", Limit+1), []string{"the file is larger than 1048576 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			catalogue, err := Parse([]byte(c.src))
			if catalogue != nil || !errors.As(err, new(*Error)) {
				t.Fatalf("Parse = %v, %v", catalogue, err)
			}
			got := strings.Split(err.Error(), "\n")
			for i := range max(len(got), len(c.want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing: %s", c.want[i])
				case i >= len(c.want):
					t.Errorf("not wanted: %s", got[i])
				case !strings.HasPrefix(got[i], c.want[i]):
					t.Errorf("got %s, want %s", got[i], c.want[i])
				}
			}
		})
	}
}

func TestErrorStaysReadable(t *testing.T) {
	_, err := Parse([]byte("permissions:\n- name: " + strings.Repeat("x", 10_000) + "\n  endpoints: [" + strings.Repeat("y, ", 200) + "]\n"))
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 201 {
		t.Fatalf("error %T, want 201 problems", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 101 || lines[100] != "and 101 more problems" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	if n := len(err.Error()); n > 50_000 {
		t.Errorf("%d bytes", n)
	}
}

func TestParseTakesAFileOfTheLimit(t *testing.T) {
	src := good + strings.Repeat("#", Limit-len(good))
	if _, err := Parse([]byte(src)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{good, "", "---\n---\n", "a: &a [*a]", "permissions: [[[{", "permissions:\n- name: a:b\n  name: 1\nroles: [{name: x, permissions: [a:b]}]", "? [a]\n: b", "%YAML 1.2\n---\n!!map {}\n"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse(src)
		if (c == nil) == (err == nil) {
			t.Fatalf("catalogue %v, error %v", c, err)
		}
		if err == nil {
			if c.All().Beyond(c.ForKind(counterfoil.KindSystem)) != nil || c.Default().Beyond(c.People()) != nil {
				t.Fatal("the sets do not agree")
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Fatalf("error %#v", err)
		}
		lines := strings.Count(string(src), "\n") + strings.Count(string(src), "\r") + strings.Count(string(src), "\u0085") +
			strings.Count(string(src), "\u2028") + strings.Count(string(src), "\u2029") + 2
		for _, p := range e.Problems {
			if p.Detail == "" || p.Line < 0 || p.Line > lines && len(src) > 1 && src[0] != 0xff && src[0] != 0xfe {
				t.Fatalf("problem %+v of a file of %d lines", p, lines)
			}
		}
	})
}
