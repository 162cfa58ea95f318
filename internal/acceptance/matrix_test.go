package acceptance

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/matrix.txt anew")

const golden = "testdata/matrix.txt"

const legend = `# Every route of the API, asked in the name of every kind of caller. Generated: go test ./internal/acceptance -run Matrix -update
# A change of this file is a change of who may do what; review it so.
#
# Columns: the object belongs to the caller's own organization | to another one | the path names the caller's own, but the
# object is another's. A row: the answers, then the callers who get them.
#
# Callers: none, garbage (no token, and text that is none) · owner, admin, member, suspended (a personal token with all that
# the role gives; bare-owner: an owner's with no permission) · org (an organization token with no permission; org+x with
# counterfoil.x alone; org+… with any that no other row of the table names; org+all) · custom, splunk, sentinel (integration
# tokens) · system (all permissions), gateway (a system token with counterfoil.tokens:verify alone) · expired, revoked,
# paused (organization tokens that had every permission) · provider-key (a JWT of the provider that manages the caller's own
# organization; on /v1/provider/… and assignments, where every caller's own organization is a provider, of that one) ·
# provider-admin, technician (a personal token of an admin of that provider, and of its technician who is assigned to the
# caller's own organization).
#
# On every route, unless its table says otherwise, and then in every column:
#   none     401 missing_credentials        suspended                  403 owner_inactive
#   garbage  401 invalid_token              custom, splunk, sentinel   403 wrong_audience
#   expired  401 token_expired              revoked  401 token_revoked              paused  401 token_paused
`

// operation is one route of the served document.
type operation struct {
	line  string // METHOD /path
	needs string // the permission that its description names; empty: none
}

var namesPermission = regexp.MustCompile("[Nn]eeds `([^`]+)`")

func operations(t *testing.T, w *world) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ Description string }
	}
	if err := json.Unmarshal(w.ask(t, "", "GET /openapi.json", "").body, &document); err != nil {
		t.Fatal(err)
	}
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method, operation := range document.Paths[path] {
			o := newOperation(strings.ToUpper(method)+" "+path, operation.Description)
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	return all
}

func newOperation(line, description string) operation {
	o := operation{line: line}
	if m := namesPermission.FindStringSubmatch(description); m != nil {
		o.needs = m[1]
	}
	return o
}

// sortKey sorts by path, then in the order in which a thing lives.
func (o operation) sortKey() string {
	method, path, _ := strings.Cut(o.line, " ")
	return path + " " + fmt.Sprint(strings.Index("GET POST PUT PATCH DELETE", method))
}

// columns are the organizations whose object a probe asks for.
func (p probe) columns() []string {
	switch inOrg := strings.Contains(p.line+p.query, "{org}"); {
	case inOrg && strings.Contains(p.line, "{id}"):
		return []string{"own", "other", "mixed"}
	case inOrg, p.object != "" && p.object != "system token":
		return []string{"own", "other"}
	}
	return []string{"own"}
}

// TestMatrix: every caller × every route × whose object.
func TestMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	known := map[string]bool{}
	for _, p := range probes {
		known[p.line] = false
	}
	var out bytes.Buffer
	out.WriteString(legend)
	customers, providers := newStage(w, false), newStage(w, true)
	for _, o := range operations(t, w) {
		if _, ok := known[o.line]; !ok {
			t.Errorf("%s is served, but there is no probe for it", o.line)
		}
		for _, p := range probes {
			if p.line == o.line {
				s := customers
				if strings.Contains(o.line, "/v1/provider/") || strings.HasSuffix(o.line, "/assignments") {
					s = providers
				}
				known[o.line] = true
				table := map[string][]string{}
				for _, caller := range callers {
					table[caller] = s.cells(t, p, caller)
				}
				holdToRules(t, o, p, table)
				writeTable(&out, o, p, table)
			}
		}
	}
	for line, asked := range known {
		if !asked {
			t.Errorf("there is a probe for %s, which is not served", line)
		}
	}
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, out.Bytes()) {
		t.Errorf("who may do what has changed; if that is meant, run with -update and review the difference:\n%s", difference(string(want), out.String()))
	}
}

// difference shows the lines that only one of two texts has, under their routes.
func difference(want, got string) string {
	var b strings.Builder
	lines := func(text string) map[string]bool {
		all, route := map[string]bool{}, ""
		for line := range strings.Lines(text) {
			if line[0] != ' ' {
				route = line
			}
			all[route+line] = true
		}
		return all
	}
	before, after := lines(want), lines(got)
	for _, line := range slices.Sorted(maps.Keys(before)) {
		if !after[line] {
			b.WriteString("- " + line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(after)) {
		if !before[line] {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}

// always is what some callers get on almost every route; their rows are left out where it is so.
var always = map[string]string{
	"none": "401 missing_credentials", "garbage": "401 invalid_token", "suspended": "403 owner_inactive",
	"expired": "401 token_expired", "revoked": "401 token_revoked", "paused": "401 token_paused",
	"custom": "403 wrong_audience", "splunk": "403 wrong_audience", "sentinel": "403 wrong_audience",
}

// writeTable groups the callers by what they get. Of the single permissions, the largest group is written org+….
func writeTable(out *bytes.Buffer, o operation, p probe, table map[string][]string) {
	fmt.Fprintf(out, "\n%s", o.line)
	if p.what != "" {
		fmt.Fprintf(out, " (%s)", p.what)
	}
	if o.needs != "" {
		fmt.Fprintf(out, " needs %s", o.needs)
	}
	out.WriteByte('\n')
	groups, order := map[string][]string{}, []string{}
	for _, caller := range callers {
		row := ""
		for _, cell := range table[caller] {
			row += fmt.Sprintf("%-27s ", cell)
		}
		if !slices.ContainsFunc(table[caller], func(cell string) bool { return cell != always[caller] }) {
			continue
		}
		if groups[row] == nil {
			order = append(order, row)
		}
		groups[row] = append(groups[row], caller)
	}
	singles := func(row string) (n int) {
		for _, caller := range groups[row] {
			if isSingle(caller) {
				n++
			}
		}
		return n
	}
	most := slices.MaxFunc(order, func(a, b string) int { return singles(a) - singles(b) })
	for _, row := range order {
		var names []string
		for _, caller := range groups[row] {
			if row == most && isSingle(caller) {
				caller = "org+…"
			}
			if !slices.Contains(names, caller) {
				names = append(names, caller)
			}
		}
		fmt.Fprintf(out, "  %s %s\n", row, strings.Join(names, " "))
	}
}

func isSingle(caller string) bool { return strings.HasPrefix(caller, "org+") && caller != "org+all" }
