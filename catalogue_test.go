package counterfoil

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func compile(t testing.TB, product []Permission, roles ...CatalogueRole) *Catalogue {
	t.Helper()
	c, problems := NewCatalogue(product, roles)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return c
}

// opening makes a catalogue of permissions p:0, p:1 …, each with one endpoint.
func opening(t testing.TB, endpoints ...string) *Catalogue {
	t.Helper()
	rows := make([]Permission, len(endpoints))
	for i, e := range endpoints {
		rows[i] = Permission{Name: fmt.Sprintf("p:%d", i), Endpoints: []string{e}}
	}
	return compile(t, rows)
}

func TestCatalogueHolds(t *testing.T) {
	product := []Permission{
		{Name: "devices:write", Default: false},
		{Name: "devices:read", Title: "Read devices", Default: true, Endpoints: []string{"GET /d"}},
		{Name: "reports:run", Kinds: []Kind{KindOrganization}, Default: true},
		{Name: "gate:open", Kinds: []Kind{}},
		{Name: "profile:read", Kinds: []Kind{KindPersonal, KindPersonal}},
	}
	c := compile(t, product, CatalogueRole{Name: "operator", Permissions: []string{"devices:write", PermActivityRead, "devices:read", "devices:read"}})

	var own []string
	for _, p := range OwnPermissions() {
		own = append(own, p.Name)
	}
	var names []string
	for _, p := range c.Permissions() {
		names = append(names, p.Name)
		if p.Title == "" || p.Kinds == nil || p.Endpoints == nil {
			t.Errorf("row %+v is not filled in", p)
		}
	}
	if want := append([]string{"devices:write", "devices:read", "reports:run", "gate:open", "profile:read"}, own...); !slices.Equal(names, want) {
		t.Errorf("Permissions = %v, want %v", names, want)
	}
	if p, ok := c.Lookup("devices:write"); !ok || p.Title != "devices:write" || !slices.Equal(p.Kinds, []Kind{KindPersonal, KindOrganization}) {
		t.Errorf("Lookup = %+v, %v", p, ok)
	}
	if p, _ := c.Lookup("profile:read"); !slices.Equal(p.Kinds, []Kind{KindPersonal}) {
		t.Errorf("kinds listed twice: %v", p.Kinds)
	}
	if _, ok := c.Lookup("devices:*"); ok {
		t.Error("there are no wildcards")
	}
	if want := []CatalogueRole{{"operator", []string{PermActivityRead, "devices:read", "devices:write"}}}; !reflect.DeepEqual(c.Roles(), want) {
		t.Errorf("Roles = %v", c.Roles())
	}

	ownOrg := slices.DeleteFunc(slices.Clone(own), func(n string) bool { return n == PermConsoleSessionsWrite })
	for name, c := range map[string]struct {
		got  Permissions
		want []string
	}{
		"All":          {c.All(), names},
		"personal":     {c.ForKind(KindPersonal), append([]string{"devices:write", "devices:read", "profile:read"}, ownOrg...)},
		"organization": {c.ForKind(KindOrganization), append([]string{"devices:write", "devices:read", "reports:run"}, ownOrg...)},
		"integration":  {c.ForKind(KindIntegration), nil},
		"system":       {c.ForKind(KindSystem), names},
		"unknown":      {c.ForKind("pat"), nil},
		"People":       {c.People(), append([]string{"devices:write", "devices:read", "profile:read", "reports:run"}, ownOrg...)},
		"Default":      {c.Default(), []string{"devices:read", "reports:run"}},
	} {
		if want := NewPermissions(c.want...); !slices.Equal(c.got, want) {
			t.Errorf("%s = %v, want %v", name, c.got, want)
		}
	}

	product[0].Name, product[1].Endpoints[0] = "x:y", "changed"
	if p, _ := c.Lookup("devices:read"); p.Endpoints[0] != "GET /d" {
		t.Error("the catalogue shares what the caller kept")
	}
}

func TestZeroCatalogue(t *testing.T) {
	var c Catalogue
	_, found := c.Lookup("")
	_, opened := c.Opens("GET", "/")
	if found || opened || len(c.All())+len(c.People())+len(c.Default())+len(c.ForKind(KindSystem)) != 0 {
		t.Error("the zero Catalogue holds something")
	}
	if got := compile(t, nil).All(); len(got) != len(OwnPermissions()) {
		t.Errorf("an empty catalogue holds %v", got)
	}
}

func TestCatalogueProblems(t *testing.T) {
	for _, c := range []struct {
		name    string
		product []Permission
		roles   []CatalogueRole
		want    []string // pointer and a part of the detail
	}{
		{"names", []Permission{
			{Name: ""}, {Name: "devices"}, {Name: "Devices:read"}, {Name: "a:b:c"}, {Name: "a:"}, {Name: ":b"}, {Name: "devices:*"}, {Name: "a b:c"},
			{Name: "counterfoil.tokens:read"}, {Name: strings.Repeat("a", 99) + ":b"}, {Name: strings.Repeat("a", 98) + ":b"}, {Name: "x:y"}, {Name: "x:y"},
		}, nil, []string{
			"/permissions/0/name needs a name", "/permissions/1/name resource:action", "/permissions/2/name resource:action",
			"/permissions/3/name resource:action", "/permissions/4/name resource:action", "/permissions/5/name resource:action",
			"/permissions/6/name resource:action", "/permissions/7/name resource:action", "/permissions/8/name this service's own",
			"/permissions/9/name at most 100", "/permissions/12/name listed twice",
		}},
		{"kinds", []Permission{{Name: "a:b", Kinds: []Kind{KindPersonal, KindSystem, KindIntegration, "pat"}}}, nil, []string{
			"/permissions/0/kinds/1 system", "/permissions/0/kinds/2 integration", `/permissions/0/kinds/3 unknown kind "pat"`,
		}},
		{"endpoints", []Permission{{Name: "a:b", Endpoints: []string{
			"GET /ok", "", "GET", "/a", "get /a", "GET a", "GET  /a", "GET //a", "GET /a//", "GET /../a", "GET /a?b=c", "GET /a#b", "GET /%61",
			`GET /a\b`, "GET /a\x00", "GET /{", "GET /{}", "GET /{...}", "GET /x{id}", "GET /{id}x", "GET /{a}{b}", "GET /{a...}/b", "GET /a/*", "GET,POST /a",
		}}}, nil, []string{
			"/permissions/0/endpoints/1 METHOD", "/permissions/0/endpoints/2 slash", "/permissions/0/endpoints/3 METHOD",
			"/permissions/0/endpoints/4 capitals", "/permissions/0/endpoints/5 slash", "/permissions/0/endpoints/6 slash",
			"/permissions/0/endpoints/7 empty", "/permissions/0/endpoints/8 empty", "/permissions/0/endpoints/9 dots",
			"/permissions/0/endpoints/10 query", "/permissions/0/endpoints/11 fragment", "/permissions/0/endpoints/12 percent",
			"/permissions/0/endpoints/13 backslash", "/permissions/0/endpoints/14 control", "/permissions/0/endpoints/15 whole segment",
			"/permissions/0/endpoints/16 whole segment", "/permissions/0/endpoints/17 whole segment", "/permissions/0/endpoints/18 whole segment",
			"/permissions/0/endpoints/19 whole segment", "/permissions/0/endpoints/20 whole segment", "/permissions/0/endpoints/21 last segment",
			"/permissions/0/endpoints/22 {name...}", "/permissions/0/endpoints/23 METHOD",
		}},
		{"roles", []Permission{{Name: "a:b"}, {Name: "Bad"}, {Name: "gate:open", Kinds: []Kind{}}}, []CatalogueRole{
			{Name: ""}, {Name: "owner"}, {Name: "admin"}, {Name: "member"}, {Name: "Operator"}, {Name: "-x"}, {Name: "_x"}, {Name: strings.Repeat("x", 64)},
			{Name: strings.Repeat("x", 63)}, {Name: "ok"}, {Name: "ok"},
			{Name: "holds", Permissions: []string{"a:b", "a:c", PermTokensRead, "counterfoil.nothing:read", "Bad", "gate:open", PermConsoleSessionsWrite}},
		}, []string{
			"/permissions/1/name resource:action", // and a role that refers to it is no second fault
			"/roles/0/name needs a name", "/roles/1/name built in", "/roles/2/name built in", "/roles/3/name built in", "/roles/4/name lower-case",
			"/roles/5/name lower-case", "/roles/6/name lower-case", "/roles/7/name at most 63", "/roles/10/name listed twice",
			`/roles/11/permissions/1 no permission "a:c"`, "/roles/11/permissions/3 no permission", "/roles/11/permissions/5 only system", "/roles/11/permissions/6 only system",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			catalogue, problems := NewCatalogue(c.product, c.roles)
			if catalogue != nil {
				t.Error("a catalogue in spite of problems")
			}
			for i := range max(len(problems), len(c.want)) {
				if i >= len(problems) || i >= len(c.want) {
					t.Fatalf("%d problems, want %d: %+v", len(problems), len(c.want), problems)
				}
				pointer, part, _ := strings.Cut(c.want[i], " ")
				if p := problems[i]; p.Pointer != pointer || !strings.Contains(p.Detail, part) || p.Code != CodeValidationFailed {
					t.Errorf("problem %d is %+v, want %q", i, p, c.want[i])
				}
			}
		})
	}
}

func TestOpens(t *testing.T) {
	c := opening(t, // p:0, p:1 …
		"GET /api/devices",
		"POST /api/devices",
		"GET /api/devices/{id}",
		"GET /api/devices/new",
		"GET /api/devices/{device}", // the same pattern as p:2
		"* /api/devices/{id}/log",
		"DELETE /api/devices/{id}/log",
		"GET /files/{path...}",
		"GET /files/public/{name}",
		"GET /files/public/{name}/raw",
		"HEAD /files/{path...}",
		"GET /tail/",
		"GET /",
		"POST /api/{kind}/new",
		"GET /a b/ü",
		"* /any/{rest...}",
		"GET /any/x",
		"VERSION-CONTROL /v",
		"GET /api/devices:batch",
	)
	for _, row := range []struct{ method, path, want string }{
		{"GET", "/api/devices", "p:0"},
		{"POST", "/api/devices", "p:1"},
		{"PUT", "/api/devices", ""},
		{"HEAD", "/api/devices", "p:0"},
		{"GET", "/api/devices?limit=1&x=/../", "p:0"},
		{"GET", "/api/devices?", "p:0"},
		{"GET", "/api/devices/", ""},
		{"GET", "/api/devices/7", "p:2 p:4"},
		{"HEAD", "/api/devices/7", "p:2 p:4"},
		{"GET", "/api/devices/new", "p:3"},
		{"HEAD", "/api/devices/new", "p:3"},
		{"POST", "/api/devices/new", "p:13"}, // the literal branch does not list POST
		{"POST", "/api/users/new", "p:13"},
		{"GET", "/api/devices/new/log", "p:5"}, // nor goes on to log
		{"PATCH", "/api/devices/7/log", "p:5"},
		{"DELETE", "/api/devices/7/log", "p:6"},
		{"GET", "/api/devices/%6eew", "p:3"},
		{"GET", "/api/%64evices/a%20b", "p:2 p:4"},
		{"GET", "/api/devices/100%25", "p:2 p:4"},
		{"GET", "/api/devices/é", "p:2 p:4"},
		{"GET", "/api/devices/%C3%A9", "p:2 p:4"},
		{"GET", "/api/devices/v1.2", "p:2 p:4"},
		{"GET", "/api/devices/a%3Bb", "p:2 p:4"},
		{"GET", "/api/devices/%7Bid%7D", "p:2 p:4"},
		{"GET", "/api/devices:batch", "p:18"},
		{"GET", "/files/", "p:7"},
		{"GET", "/files", ""},
		{"GET", "/files/a", "p:7"},
		{"GET", "/files/a/b/c/", "p:7"},
		{"HEAD", "/files/a", "p:10"},
		{"GET", "/files/public/a", "p:8"},
		{"HEAD", "/files/public/a", "p:8"},
		{"GET", "/files/public/a/raw", "p:9"},
		{"GET", "/files/public/a/other", "p:7"},
		{"GET", "/files/public/", "p:7"},
		{"GET", "/tail/", "p:11"},
		{"GET", "/tail", ""},
		{"GET", "/", "p:12"},
		{"GET", "/?a", "p:12"},
		{"GET", "", ""},
		{"GET", "?", ""},
		{"GET", "/a%20b/%c3%bc", "p:14"},
		{"OPTIONS", "/any/x", "p:15"}, // * where the more specific one does not list the method
		{"GET", "/any/x", "p:16"},
		{"HEAD", "/any/x", "p:16"},
		{"VERSION-CONTROL", "/v", "p:17"},
		{"GET", "/API/devices", ""},
		{"GET", "api/devices", ""},
		{"GET", "http://host/api/devices", ""},
		{"get", "/any/x", ""},
		{"*", "/any/x", ""},
		{"", "/any/x", ""},
	} {
		got, ok := c.Opens(row.method, row.path)
		if strings.Join(got, " ") != row.want || ok != (row.want != "") {
			t.Errorf("Opens(%q, %q) = %v, %v, want %q", row.method, row.path, got, ok, row.want)
		}
	}
}

// twoFaced are paths that two servers may read differently; the patterns that would take them all in do not.
var twoFaced = []string{
	"//", "//a", "/a//b", "/a//", "/a/./b", "/a/../b", "/a/..", "/..", "/.", "/a/...", "/%2e%2e/b", "/a/%2E/b", "/a/.%2e/b", "/a/..%20/b",
	"/a/..;/b", "/a/..;x=y/b", "/a/..%3B/b", "/a/;/b", "/a/%3bx/b", "/a;x/b", `/a\b`, `/a/..\b`, "/a%5Cb", "/a%2Fb", "/a%2fb", "/a/..%2fb",
	"/a%00", "/a\x00", "/a%0d%0ab", "/a\nb", "/a\tb", "/a%7F", "/a%c2%85b", "/a b", "/a#b", "/a%", "/a%2", "/a%zz", "/a%%32", "/a%252fb",
	"/%252e%252e/b", "/a%25%32%66b", "/%c0%ae%c0%ae/b", "/a%c0%afb", "/a\xff", "/a%ff", "", "a", "*", "..", "../a", "/a/../b?c", "/a/..?c",
}

func TestTwoFacedPathsNeverMatch(t *testing.T) {
	c := opening(t, "* /{all...}", "* /{a}/{b}", "* /{a}", "* /a/{x}/b", "* /a/{x...}")
	for _, path := range twoFaced {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if got, ok := c.Opens(method, path); ok || got != nil {
				t.Errorf("Opens(%q, %q) = %v", method, path, got)
			}
		}
	}
}

func FuzzOpens(f *testing.F) {
	c := opening(f, "* /{all...}", "GET /a/{x}/b", "GET /a/{x...}", "POST /a/b/", "* /{x}")
	for _, path := range append(twoFaced, "/", "/a/b/", "/a/b%20c?d=/..", "/é") {
		f.Add("GET", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		set, ok := c.Opens(method, path)
		if ok != (len(set) > 0) {
			t.Fatalf("set %v, ok %v", set, ok)
		}
		if !ok {
			return
		}
		// What matched reads the same after one more decoding and after cleaning, as some servers do.
		path, _, _ = strings.Cut(path, "?")
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal("an invalid encoding matched")
		}
		if again, err := url.PathUnescape(decoded); err == nil && again != decoded {
			t.Fatalf("%q matched, and means something else decoded twice", path)
		}
		for _, s := range []string{path, decoded} {
			cleaned, err := url.JoinPath("http://h", (&url.URL{Path: s}).EscapedPath())
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(cleaned)
			if err != nil || u.Path != s {
				t.Fatalf("%q matched, and cleans to %q (%v)", s, cleaned, err)
			}
		}
		if strings.ContainsAny(decoded, "\\\x00\r\n") || strings.Contains(decoded, "/../") || strings.HasSuffix(decoded, "/..") {
			t.Fatalf("%q matched", path)
		}
	})
}

func TestOpensAllocatesNothing(t *testing.T) {
	c := opening(t, "GET /api/devices/{id}", "GET /api/devices/new", "* /files/{path...}")
	for _, path := range []string{"/api/devices/7?x=y", "/api/devices/new", "/files/a/b/c", "/no/such/endpoint", "/a/../b"} {
		if n := testing.AllocsPerRun(1000, func() { c.Opens("GET", path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func BenchmarkOpens(b *testing.B) {
	c := opening(b, "GET /api/devices/{id}", "GET /api/devices/new", "GET /api/devices/{id}/log/{entry}")
	b.ReportAllocs()
	for b.Loop() {
		c.Opens("GET", "/api/devices/4711/log/12?from=yesterday")
	}
}
