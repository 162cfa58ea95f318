package e2e_test

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// An IP filter sees the client's own address, and believes no header of the client's: not even where clients come from a network
// that Counterfoil believes. It believes a proxy before nginx where nginx is told of that one.
func TestGatewayIPFilter(t *testing.T) {
	t.Parallel()
	type row struct {
		from, forwarded string
		status          int
	}
	always := []row{
		{"127.0.0.2", "", 200},
		{"127.0.0.2", "10.0.0.1", 200},
		{"127.0.0.3", "", 403},
		{"127.0.0.3", "127.0.0.2", 403},
		{"127.0.0.3", "192.0.2.7", 403},
		{"127.0.0.3", "192.0.2.1, 127.0.0.2, 127.0.0.1", 403},
		{"127.0.0.1", "", 403},
		{"127.0.0.1", "nonsense", 403},
		{"127.0.0.1", "192.0.2.9, 10.0.0.1", 403},
	}
	proxy := map[string]string{"# set_real_ip_from 192.0.2.1;": "set_real_ip_from 127.0.0.1;", "# real_ip_header": "real_ip_header", "# real_ip_recursive": "real_ip_recursive"}
	for _, test := range []struct {
		name, trusted string
		changes       map[string]string
		rows          []row
	}{
		{"nginx alone", "127.0.0.1", nil, []row{{"127.0.0.1", "192.0.2.9", 403}}},
		{"a network of clients", "127.0.0.0/8", nil, []row{{"127.0.0.1", "192.0.2.9", 403}}},
		{"a proxy before nginx", "127.0.0.1", proxy, []row{{"127.0.0.1", "192.0.2.9", 200}, {"127.0.0.1", "10.0.0.1, 192.0.2.9, 127.0.0.1", 200}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := startGatewayAs(t, test.trusted, test.changes)
			filter, err := g.system().CreateIPFilter(t.Context(), g.Organization.ID, counterfoil.IPFilterDraft{Name: "office", Rules: "allow 127.0.0.2\nallow 192.0.2.0/24\ndeny all"})
			if err != nil {
				t.Fatal(err)
			}
			made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}, IPFilter: filter.ID})
			for _, row := range slices.Concat(always, test.rows) {
				headers := []string{bearer(made.Secret)}
				if row.forwarded != "" {
					headers = append(headers, "X-Forwarded-For: "+row.forwarded, "X-Real-IP: 127.0.0.2", "Forwarded: for=127.0.0.2")
				}
				r := g.send(t, request{line: "GET /api/devices/7", headers: headers, from: row.from})
				code := map[int]counterfoil.Code{403: counterfoil.CodeIPNotAllowed}[row.status]
				if r.StatusCode != row.status || r.code() != code {
					t.Errorf("from %s forwarded %q: %d %q, want %d", row.from, row.forwarded, r.StatusCode, r.code(), row.status)
				}
			}
		})
	}
}

// readings are the paths that some server could take a request's target for.
func readings(target string) []string {
	all := []string{target}
	if u, err := url.Parse(target); err == nil {
		all = append(all, u.Path)
	}
	for i := 0; i < len(all) && len(all) < 200; i++ {
		p := all[i]
		next := []string{path.Clean("/" + p), strings.ReplaceAll(p, `\`, "/"), strings.ToLower(p), strings.TrimRight(p, " .")}
		if decoded, err := url.PathUnescape(p); err == nil {
			next = append(next, decoded)
		}
		for _, mark := range []string{"?", "#", ";", "\x00"} {
			before, _, _ := strings.Cut(p, mark)
			next = append(next, before)
		}
		var plain []string
		for segment := range strings.SplitSeq(p, "/") {
			segment, _, _ = strings.Cut(segment, ";")
			plain = append(plain, segment)
		}
		for _, n := range append(next, strings.Join(plain, "/")) {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// tricks are paths that some server may read as /api/admin, which the token in these tests does not open.
var tricks = []string{
	"/api/devices/..%2fadmin", "/api/devices/..%2Fadmin", "/api/devices/%2e%2e/admin", "/api/devices/%2e%2e%2fadmin", "/api/devices/.%2e/admin",
	"/api/devices/../admin", "/api/devices/7/../../admin", "/api/devices/./../admin", "/api/./admin", "/api//admin", "//api/admin", "///api/admin",
	"/api/devices//..//admin", "/api/devices/%252e%252e%252fadmin", "/api/devices/..%252fadmin", "/api/devices/..;/admin", "/api/devices/;x/../admin",
	`/api/devices/..\admin`, "/api/devices/..%5cadmin", "/api/devices/%2e%2e%5cadmin", "/api/devices/..%c0%afadmin", "/api/devices/%c0%ae%c0%ae/admin",
	"/api/admin#/../devices", "/api/admin%23/../devices/7", "/api/admin?/../devices/7", "/api/admin%3f/../../devices/7", "/api/admin;/api/devices/7",
	"/api/%61dmin", "/API/ADMIN", "/api/admin/", "/api/admin%00", "/api/devices/7%00/../../admin", "/api/devices/..%00/admin", "/api/admin%20", "/api/admin.",
	"http://api.example.com/api/admin", "http://elsewhere.example/api/devices/../admin", "/api/devices/%2E%2E/admin", "/api/devices/..%u2215admin",
	"/api/devices/..%ef%bc%8fadmin", "/./api/admin", "/%2e/api/admin", "/x/..%2fapi/admin", "/api/devices/%09../admin", "/api/sites/../devices/..%2fadmin",
	"/_counterfoil", "/%5fcounterfoil", "//_counterfoil", "/_counterfoil?x", "/v1/authorize", "@counterfoil_refusal", "/@counterfoil_refusal",
}

// However a path is written, no reading of what comes upstream is one that the token does not open.
func TestGatewayPaths(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	refused := 0
	for _, target := range tricks {
		r := g.send(t, request{line: "GET " + target, headers: []string{bearer(made.Secret)}})
		came := g.upstream.take()
		if r.StatusCode != 200 {
			refused++
		}
		if (r.StatusCode == 200) != (len(came) == 1) {
			t.Errorf("%s: %d, and upstream saw %d requests", target, r.StatusCode, len(came))
		}
		for _, s := range came {
			for _, p := range readings(s.Target) {
				if strings.HasPrefix(strings.TrimLeft(p, "/"), "api/admin") {
					t.Errorf("%s came upstream as %s, which is also %s", target, s.Target, p)
				}
			}
		}
	}
	t.Logf("%d of %d refused", refused, len(tricks))
	for _, target := range []string{"/api/devices/7", "/api/devices/a%20b", "/api/devices/%41", "/api/devices?x=..%2fadmin", "/api/devices/a..b"} {
		r := g.send(t, request{line: "GET " + target, headers: []string{bearer(made.Secret)}})
		if came := g.upstream.take(); r.StatusCode != 200 || len(came) != 1 || came[0].Target != target {
			t.Errorf("%s: %d, and upstream saw %+v", target, r.StatusCode, came)
		}
	}
	for _, method := range []string{"get", "TRACE", "CONNECT", "PROPFIND", "GETX", "DELETE", "OPTIONS"} {
		if r := g.send(t, request{line: method + " /api/devices/7", headers: []string{bearer(made.Secret)}}); r.StatusCode < 400 || len(g.upstream.take()) != 0 {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
}

// With nobody to ask, nginx lets nobody in, and it needs no help when Counterfoil is back.
func TestGatewayAlone(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	made := g.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
	get := func(want int) {
		t.Helper()
		if r := g.send(t, request{line: "GET /api/devices/7", headers: []string{bearer(made.Secret)}}); r.StatusCode != want {
			t.Errorf("%d, want %d", r.StatusCode, want)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		get(200)
		g.stop(sig)
		g.upstream.take()
		get(500)
		get(500)
		if came := g.upstream.take(); len(came) != 0 {
			t.Errorf("upstream saw %+v", came)
		}
		g.start()
		get(200)
	}
}
